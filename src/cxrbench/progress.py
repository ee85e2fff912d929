"""Progress of long work: the library calls a ``Track``, the command line shows it."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Wraps the items of long work; whoever passes one decides how progress is shown."""

    def __call__(self, items: Iterable[T], *, total: int, label: str) -> Iterator[T]:
        """Yield ``items`` unchanged; ``total`` is their number, ``label`` what is being done."""
        ...


def silent(items: Iterable[T], *, total: int, label: str) -> Iterator[T]:
    """Show nothing."""
    del total, label
    yield from items
