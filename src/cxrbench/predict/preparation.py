"""One file -> what the networks need of it; what a decoding process does, so it imports little."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.geometry import Squares, shrink
from cxrbench.data.images.film import Film, load_film
from cxrbench.data.images.header import Facts
from cxrbench.data.images.pixels import Unreadable


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is known of a film beside its header, and counts more.

    Attributes:
        age_years: Age, or None.
        sex: ``F``, ``M`` or None.
        view: View position, or None.
        unknown: Of ``age_years``, ``sex`` and ``view`` those that count as unknown, whatever the header says.
    """

    age_years: float | None = None
    sex: str | None = None
    view: str | None = None
    unknown: frozenset[str] = frozenset()

    def over(self, facts: Facts) -> Facts:
        """The header's facts, with what is given here put in their place."""
        age_years = facts.age_years if self.age_years is None else self.age_years
        return replace(
            facts,
            age_years=None if "age_years" in self.unknown else age_years,
            sex=None if "sex" in self.unknown else self.sex or facts.sex,
            view=None if "view" in self.unknown else self.view or facts.view,
        )


@dataclass(frozen=True, kw_only=True)
class Request(Given):
    """One file to answer, and what is known of it beside its header.

    Attributes:
        path: Of the file.
    """

    path: Path


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A film shrunk to what the networks need.

    Attributes:
        squares: Store size -> (S, S) uint8.
        height: Of the original, pixels.
        width: Of the original, pixels.
        facts: Age, sex, view position and warnings.
    """

    squares: Squares
    height: int
    width: int
    facts: Facts

    @property
    def smallest(self) -> NDArray[np.uint8]:
        """The smallest square."""
        return self.squares[min(self.squares)]


def prepare_film(film: Film, sizes: tuple[int, ...]) -> Prepared:
    """Shrink a film as a study's store does."""
    height, width = film.pixels.shape
    return Prepared(squares=shrink(film.pixels, sizes), height=height, width=width, facts=film.facts)


def prepare_file(request: Request, sizes: tuple[int, ...]) -> Prepared | str:
    """Read and shrink one file; why it cannot be read, in words, where it cannot."""
    try:
        film = load_film(request.path)
    except Unreadable as problem:
        return str(problem)
    except MemoryError:
        return "reading it needs more memory than a film may take"
    return prepare_film(replace(film, facts=request.over(film.facts)), sizes)
