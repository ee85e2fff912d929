"""What the archive holds, and what went into each part of each split: counts, as tables."""

from collections.abc import Sequence

import polars as pl

from cxrbench.evaluate.reading import findings_of
from cxrbench.splits import ALL_IMAGES, Split, describe_split


def archive_table(table: pl.DataFrame) -> pl.DataFrame:
    """Images and patients per finding, sex and view; unknown sex or view is null."""
    return _positives(table, ["sex", "view"])


def age_table(table: pl.DataFrame) -> pl.DataFrame:
    """Images per whole year of age and sex; unknown is null."""
    years = pl.col("age_years").floor().cast(pl.Int32)
    return table.group_by(years, "sex").agg(pl.len().cast(pl.Int64).alias("images")).sort("age_years", "sex")


def split_table(table: pl.DataFrame, parts: Sequence[Split]) -> pl.DataFrame:
    """Patients and images per split, part and finding; see ``splits.describe_split``."""
    described = [
        describe_split(split, table).select(
            pl.lit(split.name).alias("split"), pl.lit(split.kind).alias("kind"), pl.all()
        )
        for split in parts
    ]
    return pl.concat(described)


def _positives(table: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Rows per finding and group: its images and patients, then those of all images."""
    counts = (pl.len().cast(pl.Int64).alias("images"), pl.col("patient_id").n_unique().cast(pl.Int64).alias("patients"))
    named = [(ALL_IMAGES, table), *((finding, table.filter(pl.col(finding) == 1)) for finding in findings_of(table))]
    parts = [
        (rows.group_by(by).agg(*counts).sort(by) if by else rows.select(*counts)).select(
            pl.lit(finding).alias("finding"), pl.all()
        )
        for finding, rows in named
    ]
    return pl.concat(parts)
