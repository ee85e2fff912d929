"""How messages count and give examples."""

from collections.abc import Sequence

EXAMPLES = 3


def images(count: int) -> str:
    """``1 image``, ``1,234 images``."""
    return "1 image" if count == 1 else f"{count:,} images"


def first_of(names: Sequence[str], *, separator: str = ", ") -> str:
    """The first few, with an ellipsis when there are more."""
    shown = separator.join(names[:EXAMPLES])
    return shown if len(names) <= EXAMPLES else f"{shown}{separator}..."
