"""Boxes that radiologists drew around findings.

Source: the release's BBox_List_2017.csv, doi:10.1109/CVPR.2017.369.
"""

from pathlib import Path

import polars as pl

from cxrbench.config import Vocabulary, load_vocabulary
from cxrbench.data.tables.sheets import LINE, read_sheet
from cxrbench.errors import DataError

SIDES = ("x", "y", "width", "height")
COLUMNS = ("image_id", "finding", *SIDES)


def read_boxes(path: Path, *, vocabulary: Vocabulary | None = None) -> pl.DataFrame:
    """Read the release's box list.

    Its header ``Image Index,Finding Label,Bbox [x,y,w,h],,,`` splits at other places than its rows, so
    columns are taken by position.

    Args:
        path: Of the list.
        vocabulary: Findings that it may name; the paper's 15 unless given.

    Returns:
        One row per box: ``image_id``, ``finding``, then ``x``, ``y`` of the upper left corner, ``width`` and
        ``height`` (float64), in pixels of the 1024 x 1024 image.

    Raises:
        DataError: Not a box list, an unknown finding, or a side that is no number or not positive; with the line.
    """
    sheet = read_sheet(path)
    names = [name for name in sheet.columns if name != LINE][: len(COLUMNS)]
    if len(names) < len(COLUMNS) or names[0] != "Image Index":
        raise DataError(f"{path} is not the release's box list: expected image, finding, x, y, width, height")
    boxes = sheet.select(LINE, *(pl.col(theirs).alias(ours) for theirs, ours in zip(names, COLUMNS, strict=True)))
    vocabulary = vocabulary or load_vocabulary()
    ours = {name: vocabulary.canonical(name) for name in boxes["finding"].drop_nulls().unique()}
    read = boxes.with_columns(
        pl.col("finding").replace_strict(ours, default=None, return_dtype=pl.String),
        pl.col(SIDES).cast(pl.Float64, strict=False),
    )
    usable = pl.all_horizontal(pl.all().is_not_null(), pl.col("width", "height") > 0)
    if (bad := boxes.filter(~read.select(usable).to_series())).height:
        line, *cells = bad.row(0)
        raise DataError(
            f"{path}, line {line}: {cells} is not image, finding, x, y, width, height; "
            f"findings: {', '.join(vocabulary.pathologies)}"
        )
    return read.drop(LINE)
