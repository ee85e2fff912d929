"""What lies beside the results of a study: answers of its networks to more than their test part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.evaluate.asked import check_origin, read_origin


@dataclass(frozen=True)
class Asked:
    """One folder of answers.

    Attributes:
        folder: Inside the study.
        tables: By file name; empty where they cannot be shown.
        settings: How the networks were asked.
        why_not: Why there are no tables, as a sentence; empty where there are some.
    """

    folder: Path
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    why_not: str = ""


def read_asked(study: Path, name: str, files: Sequence[str]) -> Asked:
    """Tables of a folder; none where it is absent, damaged, or made from other runs than the study has now."""
    folder = study / name
    if not folder.is_dir():
        return Asked(folder, why_not="Nobody has asked for this yet.")
    try:
        origin = read_origin(folder)
        check_origin(origin, study)
        tables = {file: _read(folder / file) for file in files}
    except ValueError as error:
        return Asked(folder, why_not=f"What lies in {name} is not shown: {error}.")
    return Asked(folder, tables, origin["settings"])


def _read(path: Path) -> pl.DataFrame:
    """One table.

    Raises:
        ValueError: It is absent or damaged.
    """
    try:
        return pl.read_csv(path, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError):
        raise ValueError(f"{path.name} cannot be read") from None
