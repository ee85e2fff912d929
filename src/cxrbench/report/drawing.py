"""Figures as small SVG: text stays text, and marks carry names that a page can show, style and read aloud."""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, FAINT, RULE, PAPER = "#1b1f24", "#5b6470", "#d5d9de", "#ffffff"

ACCENT = "#0b5cad"

FAMILY_COLOURS = ("#0072b2", "#c8500a", "#00805a", "#a8327e", "#6b4c9a", "#8a6d00", "#3d7a8c", "#454b54", "#5f6b1f")
"""Hues after doi:10.1038/nmeth.1618 (Wong), darkened until each has a contrast of 4 to 1 or more with white."""

THEMED = {
    INK: "ink", FAINT: "faint", RULE: "rule", PAPER: "paper", ACCENT: "accent",
    **{colour: f"family-{number}" for number, colour in enumerate(FAMILY_COLOURS)},
}  # fmt: skip
"""Colours that the page's style sheet sets, for light and for dark screens."""

DASHES: Sequence[tuple[tuple[float, ...], tuple[float, ...]]] = (
    ((), (3.2, 1.6)),
    ((1.0, 1.2), (4.0, 1.2, 1.0, 1.2)),
    ((6.0, 1.6), (1.0, 2.6)),
)
"""Line and dashed line by round of colours, in line widths."""

META = "-meta"

PIXELS_PER_INCH = 72.0

FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cxrbench",
    "font.size": 12.0,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 13.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 12.0,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.6,
}


@dataclass(frozen=True)
class Look:
    """Colour and dashes of one approach, everywhere."""

    colour: str
    is_dashed: bool
    """Without non-image features, beside a twin that has them; its dots are hollow."""
    round: int = 0
    """How often the colours had been used up by others before."""

    @property
    def dashes(self) -> tuple[float, ...]:
        """Dash pattern in line widths; empty for a solid line."""
        return DASHES[self.round % len(DASHES)][self.is_dashed]

    @property
    def line(self) -> Any:
        """Style of a line, for Matplotlib."""
        return (0, self.dashes) if self.dashes else "solid"


def looks(approaches: Sequence[str]) -> dict[str, Look]:
    """Give each family a colour, and within it dashes to the twin without non-image features.

    An approach and its ``-meta`` twin share a colour, so that the eye can pair them. Where there are more families
    than colours, the others get dots.
    """
    families = {family: row for row, family in enumerate(dict.fromkeys(name.removesuffix(META) for name in approaches))}

    def look(name: str) -> Look:
        used, colour = divmod(families[name.removesuffix(META)], len(FAMILY_COLOURS))
        is_dashed = not name.endswith(META) and name + META in approaches
        return Look(FAMILY_COLOURS[colour], is_dashed, used)

    return {name: look(name) for name in approaches}


@dataclass(frozen=True)
class Mark:
    """Meaning of one drawn thing."""

    title: str
    """Shown when it is pointed at."""
    approach: str | None = None


@dataclass(frozen=True)
class Drawing:
    """A finished figure."""

    name: str
    """File name without its ending; also the prefix of every id inside."""
    svg: str
    """The ``<svg>`` element alone, fit for a page."""

    @property
    def document(self) -> str:
        """A file that stands alone."""
        return f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg}\n'


@dataclass(frozen=True)
class Margins:
    """Room around the axes, CSS pixels; fixed, since measuring every label is what makes drawing slow."""

    left: float = 50.0
    right: float = 12.0
    top: float = 12.0
    bottom: float = 50.0


def themed(svg: str) -> str:
    """Leave colours and font to the page, which has others on dark screens; files of figures keep their own."""
    svg = svg.replace(f"font-family: {FONT}; ", "")
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: _variable(found[0]), svg)


def _variable(colour: str) -> str:
    return f"var(--{THEMED[colour]})" if colour in THEMED else colour


def room_for(labels: Iterable[str]) -> float:
    """Width that the longest of some labels needs beside the axes, pixels."""
    return 12.0 + 6.6 * max(map(len, labels), default=0)


@contextmanager
def sheet(width: float, height: float, margins: Margins) -> Iterator[Figure]:
    """Yield an empty figure of ``width`` x ``height`` CSS pixels, drawn in the report's style."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
        FigureCanvasSVG(figure)
        figure.subplots_adjust(
            left=margins.left / width,
            right=1 - margins.right / width,
            top=1 - margins.top / height,
            bottom=margins.bottom / height,
        )
        yield figure


def drawing(figure: Figure, name: str, *, alt: str, marks: Mapping[str, Mark] | None = None) -> Drawing:
    """Turn a figure into reduced SVG; call it inside ``sheet``.

    Args:
        figure: Finished drawing; an artist's ``gid`` is a key of ``marks``.
        name: Unique on the page.
        alt: Description for those who cannot see the figure.
        marks: Meaning of each artist with a ``gid``.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = _own_ids(_reduced(buffer.getvalue()), name)
    for gid, mark in (marks or {}).items():
        svg = _explained(svg, f"{name}-{gid}", mark)
    return Drawing(name, svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1))


def _reduced(svg: str) -> str:
    """The ``<svg>`` element without metadata, with two decimals and the page's font."""
    svg = svg[svg.index("<svg ") :].strip()
    svg = re.sub(r'="([\d.]+)pt"', r'="\1"', svg, count=2)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: _reduced_tag(tag[0]), svg)
    return re.sub(r">\s+<", "><", svg)


def _reduced_tag(tag: str) -> str:
    """One tag, never the text between tags: a label keeps its digits."""
    tag = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r"'DejaVu Sans'[^;\"]*", FONT, tag)
    tag = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", tag)
    return re.sub(r"\s*\n\s*", " ", tag)


def _own_ids(svg: str, name: str) -> str:
    """Prefix every id, so that figures on one page do not refer to each other's clip paths."""
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')


def _explained(svg: str, identity: str, mark: Mark) -> str:
    """Give the group with this id a class, its approach and a title."""
    opening = f'<g id="{identity}">'
    if opening not in svg:
        raise ValueError(f"no drawn thing has the id {identity}")
    approach = f' data-approach="{escape(mark.approach)}"' if mark.approach else ""
    return svg.replace(opening, f'{opening[:-1]} class="mark"{approach}><title>{escape(mark.title)}</title>', 1)
