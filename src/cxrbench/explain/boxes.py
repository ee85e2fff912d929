"""Known boxes of a study's films, in the films' own pixels."""

from pathlib import Path

import polars as pl

from cxrbench.data.tables.boxes import SIDES, read_boxes
from cxrbench.errors import DataError
from cxrbench.evaluate.reading import readable
from cxrbench.explain.trained import OpenStudy

RELEASE_SIDE = 1024.0
"""Side of the square that the release's boxes are drawn on, pixels."""


def film_boxes(path: Path, study: OpenStudy) -> pl.DataFrame:
    """Boxes of the study's films: the release's BBox_List_2017.csv, or a generated archive's lesions.parquet.

    Returns:
        One row per box: ``image_id``, ``patient_id``, ``finding``, then ``x``, ``y``, ``width``, ``height`` in pixels
        of the film. Boxes on films that the study lacks are left out.

    Raises:
        DataError: Not a list of boxes, or no box on any film of the study.
    """
    shares = _shares(path)
    sizes = study.store.index.select("image_id", frame_height="height", frame_width="width")
    found = shares.join(sizes, on="image_id").join(study.table.select("image_id", "patient_id"), on="image_id")
    if not found.height:
        raise DataError(f"{path}: none of its {shares.height:,} boxes is on a film of {study.folder}")
    across, down = pl.col("frame_width"), pl.col("frame_height")
    return found.select(
        "image_id", "patient_id", "finding",
        pl.col("x") * across, pl.col("y") * down, pl.col("width") * across, pl.col("height") * down,
    ).sort("image_id", "finding", "x")  # fmt: skip


def _shares(path: Path) -> pl.DataFrame:
    """``image_id, finding`` and the box in fractions of the film's sides."""
    if path.suffix != ".parquet":
        return read_boxes(path).with_columns(pl.col(SIDES) / RELEASE_SIDE)
    with readable(path):
        return pl.read_parquet(path).select("image_id", "finding", pl.col(SIDES).cast(pl.Float64))
