"""Where a report's numbers come from: data, settings, machines, versions and durations."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cxrbench import __version__, runs
from cxrbench.environment import source_commit
from cxrbench.evaluate.reading import read_config, readable
from cxrbench.report.pretraining import weights_said
from cxrbench.report.study import Study, run_names
from cxrbench.report.words import NOTHING, count, duration, listed, short

STORE_FILE = "store.json"


def facts(study: Study) -> list[tuple[str, str]]:
    """Return the name and value of each fact that a careful reader asks for."""
    settings, archive = study.record["settings"], study.record["archive"]
    config = _config(study)
    stated = {
        "Archive": f"{archive_name(study)}, read as {archive['form']}",
        "Images": f"{count(archive['images'])} of {count(archive['patients'])} patients",
        "Missing images": _missing(archive),
        "Unreadable images": _unreadable(study),
        "Reader's notes": "; ".join(archive["notes"]) or "none",
        "Labels": _labels(study),
        "Vocabulary": f"{study.vocabulary.name}: {study.vocabulary.source}",
        "Profile": f"{study.record['profile']['name']}: {study.record['profile']['summary']}",
        "Pre-trained weights": weights_said(study),
        "Frozen backbones": _frozen(study),
        "Splits": _splits(study),
        "Training seeds": listed([str(seed) for seed in settings["seeds"]]),
        "Time in training": duration(float(study.tables.runs["seconds"].sum())),
        "Study made by": f"cxrbench {study.record['version']}",
        "Report made by": f"{this_command()}, cxrbench {this_version()}, {today()}",
        "Store": f"SHA-256 {short(config['store_digest'])}",
        "Table of images and labels": f"SHA-256 {short(config['table_digest'])}",
    }
    return list(stated.items())


def today() -> str:
    """The date on which a report is made, in universal time."""
    return datetime.now(UTC).date().isoformat()


def this_version() -> str:
    """Version of the package, with the commit where it runs from a checkout."""
    commit = source_commit()
    return f"{__version__}, commit {short(commit)}" if commit else __version__


def this_command() -> str:
    """The command line, without the folders of its paths; they are nobody's business."""
    program, *rest = sys.argv
    return " ".join([Path(program).name, *(Path(each).name if "/" in each else each for each in rest)])


def _labels(study: Study) -> str:
    """File of labels and what told how to read it."""
    settings = study.record["settings"]
    files = [Path(path).name for key in ("labels", "table_format") if (path := settings.get(key))]
    return ", read by ".join(files) or f"the archive's own, as {study.record['archive']['form']}"


def archive_name(study: Study) -> str:
    """Name of the archive's folder; the rest of its path is nobody's business."""
    if study.record["archive"]["is_phantom"]:
        return "generated radiographs"
    return Path(study.record["settings"]["data"]).name or study.record["archive"]["form"]


def machines(study: Study) -> list[tuple[str, list[tuple[str, str]]]]:
    """Distinct environments of the runs: on how many runs, then name and value."""
    found: dict[str, int] = {}
    for run in run_names(study):
        path = runs.run_file(study.folder, run, runs.ENVIRONMENT_FILE)
        with readable(path):
            environment = json.loads(path.read_text(encoding="utf-8"))
        environment.pop("training_seconds", None)
        key = json.dumps(environment)
        found[key] = found.get(key, 0) + 1
    return [(f"{number} runs" if number > 1 else "1 run", _flat(json.loads(key))) for key, number in found.items()]


def _flat(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested values on one level."""
    pairs: list[tuple[str, str]] = []
    for key, value in environment.items():
        pairs += _flat(value) if isinstance(value, Mapping) else [(key, str(value))]
    return pairs


def _config(study: Study) -> dict[str, Any]:
    """Settings of the first run; what it says of store and table holds for all."""
    return read_config(study.folder, next(run_names(study)))


def _missing(archive: Mapping[str, Any]) -> str:
    number = archive["images_missing"]
    if not number:
        return "none"
    first = ", ".join(archive["missing_first"])
    return f"{count(number)} of {count(archive['images_listed'])} listed (first: {first})"


def _unreadable(study: Study) -> str:
    """Images that the store could not decode."""
    folder = study.record["settings"].get("store")
    path = (Path(folder) if folder else study.folder / "store") / STORE_FILE
    if not path.is_file():
        return "not known: the store is not at hand"
    failures: Sequence[Mapping[str, str]] = json.loads(path.read_text(encoding="utf-8"))["failures"]
    said = [f"{failure['image_id']} ({failure['reason']})" for failure in failures]
    return f"{count(len(said))}: {'; '.join(said[:20])}" if said else "none"


def _frozen(study: Study) -> str:
    """Features that the approaches with a frozen backbone learnt from."""
    first = {name.approach: name for name in reversed(list(run_names(study)))}
    approaches = [read_config(study.folder, run)["approach"] for _, run in sorted(first.items())]
    frozen = [approach for approach in approaches if _is_frozen(approach)]
    return "; ".join(f"{each['name']}: {_seen(each.get('cached_views'))}" for each in frozen) or "none"


def _is_frozen(approach: Mapping[str, Any]) -> bool:
    recipe = approach.get("recipe", {})
    phases = recipe.get("phases") or [recipe]
    trained = [phase.get("trained") or approach.get("backbone", {}).get("trained") for phase in phases]  # or 0.1's
    return all(part == "head" for part in trained)


def _seen(cached_views: int | None) -> str:
    """Views of a film of which a frozen backbone gave features."""
    if cached_views is None:
        return "each film augmented anew in every epoch"
    return "features computed once, of " + (
        "the centre crop" if cached_views == 1 else f"{cached_views} augmented views"
    )


def _splits(study: Study) -> str:
    plan = study.record["settings"]["splits"]
    names = study.tables.splits["split"].unique(maintain_order=True).to_list()
    drawn = f"seed {plan['seed']}" if "seed" in plan else NOTHING
    return f"{', '.join(names)} ({drawn})"
