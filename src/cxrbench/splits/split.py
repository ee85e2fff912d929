"""A split as a value, and as a file that notices when it was changed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.errors import DataError
from cxrbench.files import digest_json, write_json
from cxrbench.runs import PARTS

RESAMPLE, FOLD, OFFICIAL = "resample", "fold", "official"


@dataclass(frozen=True)
class Split:
    """Which patients are for training, validation and test.

    Attributes:
        name: ``resample-1`` ..., ``fold-1`` ..., ``official``.
        kind: ``resample``, ``fold`` or ``official``.
        seed: What the draw started from.
        patients: Part -> patient ids, sorted.
        fractions: Shares of the patients for the parts, when they were drawn.
        source: Which lists they were read from, in words, when they were not.
    """

    name: str
    kind: str
    seed: int
    patients: Mapping[str, tuple[str, ...]]
    fractions: tuple[float, ...] | None = None
    source: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that makes this split what it is."""
        return digest_json(_content(self))

    def rows(self, table: pl.DataFrame, part: str) -> NDArray[np.int64]:
        """Indices of the table's rows whose patient is in ``part``, ascending."""
        if part not in self.patients:
            raise ValueError(f"no part {part!r} in split {self.name}; parts: {', '.join(self.patients)}")
        is_member = table["patient_id"].is_in(pl.Series(self.patients[part], dtype=pl.String).implode())
        return np.flatnonzero(is_member.to_numpy())


def as_parts(**members: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Parts in their order, patients sorted."""
    return {part: tuple(sorted(map(str, members[part]))) for part in PARTS}


def check_disjoint(split: Split) -> None:
    """Refuse a split with a patient in two parts, or with an empty part.

    Raises:
        DataError: Names the patient and both parts, or the part.
    """
    if set(split.patients) != set(PARTS):
        raise DataError(f"split {split.name} has the parts {', '.join(split.patients)}; expected {', '.join(PARTS)}")
    place: dict[str, str] = {}
    for part, patients in split.patients.items():
        if not patients:
            raise DataError(f"split {split.name} has no patient in {part}; too few patients for its fractions?")
        for patient in patients:
            if patient in place:
                raise DataError(f"split {split.name} has patient {patient} in {place[patient]} and in {part}")
            place[patient] = part


def check_covers(split: Split, table: pl.DataFrame) -> None:
    """Refuse a split that was made for other patients than the table's.

    Raises:
        DataError: Names a patient that only one of them has.
    """
    ours = {patient for patients in split.patients.values() for patient in patients}
    theirs = set(table["patient_id"].unique())
    if extra := sorted(ours - theirs):
        raise DataError(f"split {split.name} names patient {extra[0]} ({len(extra):,} such), whom the table lacks")
    if lacking := sorted(theirs - ours):
        raise DataError(f"split {split.name} lacks patient {lacking[0]} ({len(lacking):,} such) of the table")


def write_split(split: Split, folder: Path) -> Path:
    """Write ``<folder>/<name>.json``; the same split may be written again, another one may not replace it.

    Raises:
        DataError: Another split has that file, or it cannot be written.
    """
    path = folder / f"{split.name}.json"
    if path.exists() and read_split(path).digest != split.digest:
        raise DataError(f"{path} holds another split; choose another folder, or delete it and the runs made with it")
    try:
        write_json(path, {**_content(split), "digest": split.digest})
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def read_split(path: Path) -> Split:
    """Read a split and check that it is whole.

    Raises:
        DataError: No such file, no split in it, changed since it was written, or a patient in two parts.
    """
    raw = _load(path)
    try:
        split = Split(
            name=raw["name"],
            kind=raw["kind"],
            seed=raw["seed"],
            patients={part: tuple(map(str, patients)) for part, patients in raw["patients"].items()},
            fractions=None if raw.get("fractions") is None else tuple(raw["fractions"]),
            source=raw.get("source"),
        )
        digest = raw["digest"]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a split: {error!r}; delete it to have it made again") from None
    check_disjoint(split)
    if split.digest != digest:
        raise DataError(f"{path} was changed after it was made (its digest differs); delete it to have it made again")
    return split


def _load(path: Path) -> Any:
    """The JSON document."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{path} is not a split: {error}; delete it to have it made again") from None


def _content(split: Split) -> dict[str, Any]:
    """The split as a JSON value, without its digest."""
    origin: dict[str, str | Sequence[float] | None] = (
        {"fractions": split.fractions} if split.source is None else {"source": split.source}
    )
    return {
        "name": split.name,
        "kind": split.kind,
        "seed": split.seed,
        **origin,
        "patients": {part: list(patients) for part, patients in split.patients.items()},
    }
