"""What the archive holds, and what went into each part of each split: counts, as tables."""

from collections.abc import Sequence

import polars as pl

from cxrbench.evaluate.reading import findings_of
from cxrbench.splits import ALL_IMAGES, Split, describe_split

ANY, UNKNOWN = "any", "unknown"


def archive_table(table: pl.DataFrame) -> pl.DataFrame:
    """Images and patients per finding, sex and view, with margins.

    Margins are rows of their own (``any``), since a patient may have images of both views.
    """
    known = table.with_columns(pl.col("sex", "view").fill_null(UNKNOWN))
    margins = [
        known.with_columns(pl.lit(ANY).alias(name) for name in together)
        for together in (("sex", "view"), ("view",), ("sex",), ())
    ]
    return pl.concat([_positives(margin) for margin in margins])


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


def _positives(table: pl.DataFrame) -> pl.DataFrame:
    """Images and patients of each finding, per sex and view."""
    counts = (pl.len().cast(pl.Int64).alias("images"), pl.col("patient_id").n_unique().cast(pl.Int64).alias("patients"))
    named = [(ALL_IMAGES, table), *((finding, table.filter(pl.col(finding) == 1)) for finding in findings_of(table))]
    return pl.concat(
        rows.group_by("sex", "view").agg(*counts).sort("sex", "view").select(pl.lit(name).alias("finding"), pl.all())
        for name, rows in named
    )
