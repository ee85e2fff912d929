"""Groups of images whose results are shown apart: view position, sex, age."""

import numpy as np
import polars as pl

ALL = "all"
AGE_BANDS = ((0, 17), (18, 39), (40, 59), (60, 79), (80, 120))
"""Years, both ends included: children, three bands of adults, the very old."""


def group_rows(images: pl.DataFrame) -> dict[str, np.ndarray]:
    """Which rows belong to each group; an image whose value is unknown is in ``all`` alone.

    Args:
        images: Rows of the table: ``age_years``, ``sex``, ``view``.

    Returns:
        (N,) Boolean mask per name: ``all``, then ``view=PA``, ``sex=F``, ``age=0-17`` ... where any image is in it.
    """
    masks = {ALL: np.ones(images.height, bool)}
    for column in ("view", "sex"):
        values = images[column].drop_nulls().unique().sort(descending=column == "view")
        masks |= {f"{column}={value}": _is_true(images[column] == value) for value in values}
    years = images["age_years"].floor()
    bands = {f"age={low}-{high}": _is_true(years.is_between(low, high)) for low, high in AGE_BANDS}
    return masks | {name: mask for name, mask in bands.items() if mask.any()}


def _is_true(column: pl.Series) -> np.ndarray:
    """Boolean mask in which unknown counts as no."""
    return column.fill_null(value=False).to_numpy()
