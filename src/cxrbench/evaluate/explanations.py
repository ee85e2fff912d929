"""What a study's networks were asked beyond their predictions: names that writer and reader share, and the origin.

Localisation and the worth of non-image features need networks and films, so they are measured elsewhere and not with
the results; their folders lie beside these and keep a record of the runs they were made from.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxrbench import __version__
from cxrbench.evaluate.reading import read_config
from cxrbench.files import write_json
from cxrbench.runs import RunName, finished_runs

LOCALISATION_FOLDER, NONIMAGE_FOLDER = "localisation", "nonimage"
LOCALISATION_FILE, SANITY_FILE, FIGURES_FOLDER = "localisation.csv", "sanity.csv", "figures"
NONIMAGE_FILE, PROBES_FILE = "nonimage.csv", "probes.csv"
ORIGIN_FILE = "origin.json"

ALL = "all"
"""Stands for a finding: every boxed finding on every film."""
POINTING, IOU, IOU_OVER, ENERGY = "pointing", "iou", "iou>", "energy"
"""Measures; the share of films on which the intersection over union is more than a threshold ends in that."""
CENTRE, RANDOM = "centre", "random"
"""Two maps that know nothing: highest at the middle of the film, and drawn at random."""
ALONE, IMAGE, BOTH = "non-image", "image", "both"
"""What a model was given."""


def sheet_file(run: RunName, method: str) -> str:
    """Return the file name of a contact sheet in the folder of figures."""
    return f"{run.approach}-{run.split}-seed-{run.seed}-{method}.png"


def write_origin(folder: Path, study: Path, names: Sequence[RunName], settings: Mapping[str, Any]) -> None:
    """Keep what a folder is made from: its runs, each with the hash of its configuration, and how they were asked."""
    asked = [asdict(name) | {"hash": read_config(study, name)["hash"]} for name in names]
    write_json(folder / ORIGIN_FILE, {"runs": asked, "settings": dict(settings), "version": __version__})


def read_origin(folder: Path) -> dict[str, Any]:
    """Return what ``write_origin`` kept.

    Raises:
        ValueError: There is no such record, or it is damaged.
    """
    try:
        origin: dict[str, Any] = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
        origin["runs"] = {RunName(run["approach"], run["split"], run["seed"]): run["hash"] for run in origin["runs"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{folder.name} has no readable record of the runs that it was made from") from None
    return origin


def check_origin(origin: Mapping[str, Any], study: Path) -> None:
    """Refuse what does not tell of a study's runs as they are now.

    Raises:
        ValueError: A run is gone, or was made anew with other settings.
    """
    finished = set(finished_runs(study))
    for name, hashed in origin["runs"].items():
        if name not in finished:
            raise ValueError(f"it tells of {name}, which the study does not have any more")
        if read_config(study, name).get("hash") != hashed:
            raise ValueError(f"{name} was made anew with other settings since")
