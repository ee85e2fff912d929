"""The split that a release publishes as two lists of image names."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.errors import DataError
from cxrbench.splits.drawing import carve
from cxrbench.splits.split import OFFICIAL, Split, as_parts, check_disjoint

NIH_DIGESTS = (
    "61fbe896321c1c1c8b75f3e4f3a08e4fef6486d95ef8a667c31d4d60dca6cb81",
    "38ca5ef7f756092946f57c1a59faca882ed589a1ab1f72590b45dc06c6d5e1cc",
)
"""SHA-256 of the sorted names in NIH's train_val_list.txt (86,524) and test_list.txt (25,596)."""

NIH_IMAGES = 112_120
LOOK_ALIKE = 22_433
"""Length of a test list that several public repositories share; only 5,213 of its images are in NIH's."""


def official_split(
    table: pl.DataFrame, train_val: Path, test: Path, *, validation_fraction: float = 0.125, seed: int = 0
) -> Split:
    """The split of a release's own lists; validation patients are drawn from the training ones.

    Args:
        table: One row per image; may lack images that the lists name.
        train_val: Image names, one a line.
        test: Image names, one a line.
        validation_fraction: Share of the train/val patients that validate.
        seed: Validation patients are drawn from ``numpy.random.default_rng([seed, 0])``.

    Returns:
        A split whose ``source`` names the lists, and says so when they are the official ones of NIH ChestX-ray14.

    Raises:
        DataError: A list cannot be read, names an image twice or none of the table's; both have images of one
            patient, or neither has an image of the table; or they are a known look-alike of NIH's.
    """
    names = (_read_list(train_val), _read_list(test))
    source = _source(names, (train_val, test))
    _check_listed(table, names, (train_val, test))
    kept, tested = (_patients_of(table, side) for side in names)
    if both := np.intersect1d(kept, tested).tolist():
        raise DataError(f"patient {both[0]} ({len(both):,} such) has images in {train_val} and in {test}")
    train, val = carve(kept, validation_fraction, [seed, 0])
    split = Split(OFFICIAL, OFFICIAL, seed, as_parts(train=train, val=val, test=tested), source=source)
    check_disjoint(split)
    return split


def parts_split(
    table: pl.DataFrame, parts: pl.DataFrame, *, archive: str, validation_fraction: float = 0.125, seed: int = 0
) -> Split:
    """Return the split that a release's labels state; without a validation part, one is drawn as for lists.

    Args:
        table: One row per image.
        parts: ``image_id`` and ``part``: train, val or test, or null.
        archive: Name of the release, for the split's source and messages.
        validation_fraction: Share of the training patients that validate where the labels name no such part.
        seed: As for ``official_split``.

    Raises:
        DataError: No training or no test part, an image without a part, or a patient in two of them.
    """
    stated = table.select("image_id", "patient_id").join(parts, on="image_id", how="left")
    if (left := stated.filter(pl.col("part").is_null())["image_id"]).len():
        raise DataError(f"{left.len():,} images of {archive} have no official part, the first: {left[0]}")
    of_part = {part: _patients_in(stated, part) for part in ("train", "val", "test")}
    if lacking := [part for part in ("train", "test") if not len(of_part[part])]:
        raise DataError(f"{archive}: its labels name no {lacking[0]} part, so they make no official split")
    train, val = of_part["train"], of_part["val"]
    if not len(val):
        train, val = carve(train, validation_fraction, [seed, 0])
    split = Split(
        OFFICIAL, OFFICIAL, seed, as_parts(train=train, val=val, test=of_part["test"]), source=f"parts of {archive}"
    )
    check_disjoint(split)
    return split


def _patients_in(stated: pl.DataFrame, part: str) -> NDArray[np.str_]:
    """(P,) patients with an image in a part, sorted."""
    return np.array(sorted(stated.filter(part=part)["patient_id"].unique()), dtype=np.str_)


def _read_list(path: Path) -> list[str]:
    """Image names, one a line; blank lines do not matter."""
    try:
        names = path.read_text(encoding="utf-8-sig").split()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a list of image names: not a text file in UTF-8") from None
    if not names:
        raise DataError(f"{path} is empty; expected image names, one a line")
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f"{path} names {twice} more than once")
    return names


def _source(names: Sequence[Sequence[str]], paths: Sequence[Path]) -> str:
    """Which lists these are, in words."""
    listed = ", ".join(f"{path.name} ({len(side):,} images)" for path, side in zip(paths, names, strict=True))
    if tuple(hashlib.sha256("\n".join(sorted(side)).encode()).hexdigest() for side in names) == NIH_DIGESTS:
        return f"{listed}: the official lists of NIH ChestX-ray14"
    _refuse_look_alikes(names, paths)
    return listed


def _refuse_look_alikes(names: Sequence[Sequence[str]], paths: Sequence[Path]) -> None:
    """Refuse lists that divide NIH ChestX-ray14 in another way than the release."""
    if len(names[1]) == LOOK_ALIKE or len({*names[0], *names[1]}) == NIH_IMAGES:
        raise DataError(
            f"{paths[0]} and {paths[1]} are not the official lists of NIH ChestX-ray14: {len(names[0]):,} and "
            f"{len(names[1]):,} images, not 86,524 and 25,596 (a list of {LOOK_ALIKE:,} test images that many public "
            "repositories share has only 5,213 official ones). Results on them cannot be set beside results on the "
            "official split; take train_val_list.txt and test_list.txt from the release"
        )


def _check_listed(table: pl.DataFrame, names: Sequence[Sequence[str]], paths: Sequence[Path]) -> None:
    """Refuse lists of another archive."""
    for side, path in zip(names, paths, strict=True):
        if not table["image_id"].is_in(pl.Series(side).implode()).any():
            raise DataError(f"{path} names none of the table's {table.height:,} images (its first name: {side[0]})")
    both = pl.Series([name for side in names for name in side]).implode()
    if (left := table.filter(~pl.col("image_id").is_in(both))["image_id"]).len():
        raise DataError(f"{left.len():,} images are in neither {paths[0]} nor {paths[1]}, the first: {left[0]}")


def _patients_of(table: pl.DataFrame, names: Sequence[str]) -> NDArray[np.str_]:
    """(P,) patients with an image in the list, sorted."""
    rows = table.filter(pl.col("image_id").is_in(pl.Series(names).implode()))
    return np.array(sorted(rows["patient_id"].unique()), dtype=np.str_)
