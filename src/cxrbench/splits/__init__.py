"""Train, validation and test by patient: re-samples, folds, and a release's official lists.

No patient is ever on two sides. Patients are drawn from their sorted ids, so a split does not depend on the order
of the table's rows or on the machine.
"""

from cxrbench.splits.describing import ALL_IMAGES, describe_split
from cxrbench.splits.drawing import fold_splits, resample_splits
from cxrbench.splits.official import official_split, parts_split
from cxrbench.splits.split import Split, check_covers, check_disjoint, read_split, write_split

__all__ = [
    "ALL_IMAGES",
    "Split",
    "check_covers",
    "check_disjoint",
    "describe_split",
    "fold_splits",
    "official_split",
    "parts_split",
    "read_split",
    "resample_splits",
    "write_split",
]
