"""A release's label file and folder of images -> the table, one row per image in our common columns."""

from cxrbench.data.tables.archive import (
    Archive,
    LabelTable,
    describe_labels,
    present,
    read_archive,
    read_label_table,
    read_table,
    require_complete,
)
from cxrbench.data.tables.boxes import read_boxes
from cxrbench.data.tables.releases import NIH, TableFormat, choose_format, read_format

__all__ = [
    "NIH",
    "Archive",
    "LabelTable",
    "TableFormat",
    "choose_format",
    "describe_labels",
    "present",
    "read_archive",
    "read_boxes",
    "read_format",
    "read_label_table",
    "read_table",
    "require_complete",
]
