"""A split's parts in numbers."""

import polars as pl

from cxrbench.runs import PARTS, TABLE_COLUMNS
from cxrbench.splits.split import Split

ALL_IMAGES = "all images"


def describe_split(split: Split, table: pl.DataFrame) -> pl.DataFrame:
    """Count patients and images per part, in all and with each finding.

    Returns:
        One row per part and finding, a part's first row being ``all images``: ``part``, ``finding``, ``patients``
        and ``images`` (with the finding present), ``stated`` (images whose label is present or absent), and
        ``note``: why the finding cannot be scored on that part, or null.
    """
    findings = [name for name in table.columns if name not in TABLE_COLUMNS]
    parts = {part: table[split.rows(table, part)] for part in PARTS}
    rows = [_count(part, finding, images) for part, images in parts.items() for finding in (ALL_IMAGES, *findings)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


COLUMNS = {
    "part": pl.String,
    "finding": pl.String,
    "patients": pl.Int64,
    "images": pl.Int64,
    "stated": pl.Int64,
    "note": pl.String,
}


def _count(part: str, finding: str, images: pl.DataFrame) -> tuple[str, str, int, int, int, str | None]:
    """One row of the description."""
    if finding == ALL_IMAGES:
        return part, finding, images["patient_id"].n_unique(), images.height, images.height, None
    present = images.filter(pl.col(finding) == 1)
    stated = images[finding].count()
    return part, finding, present["patient_id"].n_unique(), present.height, stated, _note(present.height, stated)


def _note(present: int, stated: int) -> str | None:
    """Why a finding cannot be scored."""
    if stated == 0:
        return "not stated for any image"
    if present == 0:
        return "absent from every image"
    return "present in every image" if present == stated else None
