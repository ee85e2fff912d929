"""Colours and line styles: one per approach, told apart without colour vision and on paper."""

from collections.abc import Sequence
from dataclasses import dataclass

INK, FAINT, RULE, PAPER = "#1b1f24", "#5b6470", "#d5d9de", "#ffffff"
ACCENT = "#0b5cad"

FAMILY_COLOURS = ("#0072b2", "#c8500a", "#00805a", "#a8327e", "#6b4c9a", "#8a6d00", "#3d7a8c", "#454b54", "#5f6b1f")
"""Hues after doi:10.1038/nmeth.1618 (Wong), darkened until each has a contrast of 4 to 1 or more with white."""

META = "-meta"


@dataclass(frozen=True)
class Look:
    """How one approach is drawn everywhere."""

    colour: str
    is_dashed: bool

    @property
    def dashes(self) -> tuple[float, ...]:
        """Dash pattern in line widths; empty for a solid line."""
        return (3.2, 1.6) if self.is_dashed else ()


def looks(approaches: Sequence[str]) -> dict[str, Look]:
    """A colour per family, and within it dashes for the twin without non-image features.

    An approach and its ``-meta`` twin share a colour, so that the eye can pair them.
    """
    families = list(dict.fromkeys(name.removesuffix(META) for name in approaches))
    colours = {family: FAMILY_COLOURS[row % len(FAMILY_COLOURS)] for row, family in enumerate(families)}
    return {
        name: Look(colours[name.removesuffix(META)], is_dashed=not name.endswith(META) and name + META in approaches)
        for name in approaches
    }
