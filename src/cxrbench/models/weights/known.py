"""What is known of published weights: packaged facts, and those that timm keeps beside its own."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import timm
import yaml
from pydantic import Field

from cxrbench.config import ArchiveSeen, Settings, WeightsRecord, load_format, parse_settings
from cxrbench.config.base import packaged, packaged_names, unknown
from cxrbench.errors import WeightsError

FILE = "known.yaml"

GENERATED = "generated radiographs"
"""Archive of a study on films that a program drew."""

TAGS = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "laion2b": "LAION-2B",
    "laion400m": "LAION-400M",
    "lvd142m": "LVD-142M",
    "lvd1689m": "LVD-1689M",
    "yfcc100m": "YFCC100M",
    "ig1b": "Instagram-1B",
}
"""Parts of timm's tags, and the data they stand for."""


class KnownWeights(Settings):
    """Packaged facts on some published weights."""

    page: str = Field(description="where the facts are from")
    files: tuple[str, ...] = Field((), description="patterns of the names that the files have where they are published")
    dataset: str | None = None
    licence: str | None = None
    licence_seen: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_range: tuple[float, float] | None = None
    interpolation: str | None = None
    saw: tuple[ArchiveSeen, ...] = ()
    note: str | None = None


class KnownArchive(Settings):
    """An archive's names, and whose films they are where they are another's."""

    names: tuple[str, ...] = ()
    films_of: str | None = None


class _Known(Settings):
    archives: dict[str, KnownArchive]
    weights: dict[str, KnownWeights]


@cache
def _known() -> _Known:
    raw = yaml.safe_load((packaged("models/weights") / FILE).read_text(encoding="utf-8"))
    return parse_settings(raw, _Known, where=FILE)


@cache
def _archives_of_formats() -> dict[str, str]:
    """Return the archive of each packaged format, by the name that earlier records have for it."""
    forms = map(load_format, packaged_names("formats"))
    return {form.name.casefold(): form.archive for form in forms if form.archive is not None}


def archive_key(name: str) -> str:
    """Return the key of the archive whose films a name stands for, also that of a packaged format; else the name."""
    archive = _archives_of_formats().get(name.casefold(), name)
    return _known_key(name) or _known_key(archive) or archive


def _known_key(name: str) -> str | None:
    for key, archive in _known().archives.items():
        if name.casefold() in {key, *(each.casefold() for each in archive.names)}:
            return archive.films_of or key
    return None


def films_key(form: str, archive: str | None, *, is_phantom: bool) -> str:
    """Return the key of the archive whose films a study has.

    Args:
        form: Name of its format.
        archive: Archive that the format names; None where it names none, or the record is older than that.
        is_phantom: The films were drawn by a program.
    """
    return GENERATED if is_phantom else archive_key(archive or form)


def is_public(key: str) -> bool:
    """Return whether a key is that of a public archive, or of generated films: another key then means other films."""
    return key == GENERATED or _known_key(key) is not None or key in _archives_of_formats().values()


def known_by_id(name: str) -> KnownWeights | None:
    """Return the facts on weights by timm's name or the hub's repository, if there are any."""
    entries = _known().weights.items()
    return next((entry for pattern, entry in entries if fnmatchcase(name, pattern)), None)


def known_by_file(file: str) -> tuple[str, KnownWeights] | None:
    """Return the facts on weights by the name of their file, and the key; None where the name tells nothing."""
    for key, entry in _known().weights.items():
        if any(fnmatchcase(file, pattern) for pattern in entry.files):
            return key, entry
    return None


def find_known(name: str) -> KnownWeights:
    """Return the facts on weights that a setting names.

    Raises:
        WeightsError: There are none under this name; the message offers near ones.
    """
    entry = known_by_id(name)
    if entry is None:
        raise WeightsError(f"network.weights: {unknown('record of weights', name, list(_known().weights))}")
    return entry


def stated(entry: KnownWeights | None) -> dict[str, Any]:
    """Return the values of a ``WeightsRecord`` that an entry states."""
    if entry is None:
        return {}
    values = {key: value for key, value in entry if key in WeightsRecord.model_fields and value not in (None, ())}
    notes = (entry.note,) if entry.note else ()
    return {**values, **as_mean_and_std(entry.input_range), **({"notes": notes} if notes else {})}


def as_mean_and_std(input_range: tuple[float, float] | None) -> dict[str, Any]:
    """Return the mean and spread that bring grey 0 and 1 to the ends of a range; nothing without one."""
    if input_range is None:
        return {}
    low, high = input_range
    return {"mean": (-low / (high - low),), "std": (1 / (high - low),), "input_range": input_range}


def timm_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a ``WeightsRecord`` that timm's ``pretrained_cfg`` states."""
    licence = config.get("license")
    facts = {
        "dataset": _dataset(str(config.get("tag") or "")),
        "mean": tuple(config["mean"]) if config.get("mean") else None,
        "std": tuple(config["std"]) if config.get("std") else None,
        "interpolation": config.get("interpolation"),
    }
    if licence:
        today = datetime.now(UTC).date().isoformat()
        facts |= {"licence": licence, "licence_seen": f"{today}, as timm {timm.__version__} states it"}
    return facts


def _dataset(tag: str) -> str:
    found = [TAGS[part] for part in re.split(r"[_.]", tag) if part in TAGS]
    return ", then ".join(found) or "unknown"
