"""Blocks that a section of the page shows in order; the template renders them."""

from collections.abc import Iterator
from dataclasses import dataclass

from cxrbench.report.drawing import Drawing
from cxrbench.report.table import Table


@dataclass(frozen=True)
class Figure:
    """A drawing and what it shows."""

    drawing: Drawing
    caption: str


@dataclass(frozen=True)
class Choice:
    """Figures of one finding, where a reader can choose a finding."""

    title: str
    drawings: tuple[Drawing, ...]
    """From top to bottom; none where there is nothing to draw."""
    caption: str = ""


@dataclass(frozen=True)
class Choices:
    """Drawings of the same thing for each finding; on paper and without script all of them, or the first."""

    choices: tuple[Choice, ...]
    of: str = "Finding"
    """Word for a choice."""


@dataclass(frozen=True)
class Shown:
    """A table; folded ones open on a click."""

    table: Table
    unfold: str = ""
    """Text of the closed table; empty for an open one."""


@dataclass(frozen=True)
class Photograph:
    """An image of pixels, which lies in the page itself."""

    address: str
    """``data:`` and all of it."""
    alt: str
    caption: str
    unfold: str
    """Text while it is folded."""


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Legend:
    """The approaches' colours and dashes."""


Block = Figure | Choices | Shown | Photograph | Note | Legend


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]

    def drawings(self) -> Iterator[Drawing]:
        """Every figure."""
        for block in self.blocks:
            if isinstance(block, Figure):
                yield block.drawing
            elif isinstance(block, Choices):
                yield from (drawing for choice in block.choices for drawing in choice.drawings)

    def tables(self) -> Iterator[Table]:
        """Every table."""
        yield from (block.table for block in self.blocks if isinstance(block, Shown))
