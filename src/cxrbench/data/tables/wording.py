"""How messages count and give examples."""

from collections.abc import Mapping, Sequence

EXAMPLES = 3


def counted(count: int, noun: str) -> str:
    """``1 row``, ``1,234 rows``."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def images(count: int) -> str:
    """``1 image``, ``1,234 images``."""
    return counted(count, "image")


def first_of(names: Sequence[str], *, separator: str = ", ") -> str:
    """The first few, with an ellipsis when there are more."""
    shown = separator.join(names[:EXAMPLES])
    return shown if len(names) <= EXAMPLES else f"{shown}{separator}..."


def commonest(counts: Mapping[str, int], *, shown: int = 8) -> str:
    """Names with their counts, the most frequent first: ``unchanged 1,223, exclude 109, and 12 more``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{name} {count:,}" for name, count in ordered[:shown])
    return text if len(ordered) <= shown else f"{text}, and {len(ordered) - shown:,} more"
