"""How often a film gets a warning of being unlike the training films: films as they are, and damaged ones.

    python benchmarks/unlike_films.py ../shared/nih-sample/images ../shared/nih-thumbs/images

Learns from each folder as a bundle does from its training films, and looks at the films of the other one. Writes
``unlike_films.csv`` to ``benchmarks/results``: per damage the share of films with a warning of their look
(``bundle/pixel_statistics``), of their grey (``bundle/grey_levels``), and of either.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxrbench.bundle.pixel_statistics import PixelStatistics, miniature
from cxrbench.data.geometry import shrink
from cxrbench.data.images import read_grey
from cxrbench.data.images.pixels import stretch

RESULTS = Path(__file__).parent / "results" / "unlike_films.csv"
SIDE = 64
"""Pixels; the smallest store. Larger ones give the same miniatures to a grey level."""

Pixels = NDArray[np.uint8]
DAMAGES: dict[str, Callable[[Pixels], NDArray[Any]]] = {
    "none": lambda film: film,
    "half its brightness": lambda film: film * 0.5,
    "30 % of its brightness": lambda film: film * 0.3,
    "10 % of its brightness": lambda film: film * 0.1,
    "12 bits in 16": lambda film: film / 16.0,
    "brighter by 100 grey levels": lambda film: film + 100.0,
    "30 % of its contrast": lambda film: 90 + film * 0.3,
    "8 % of its contrast": lambda film: 118 + film * 0.08,
    "a window a quarter as wide": lambda film: stretch(film.astype(float), low=96, high=160),
    "black and white": lambda film: np.where(film > 128, 255.0, 0.0),
    "gamma 3": lambda film: 255 * (film / 255.0) ** 3,
    "inverted": lambda film: 255.0 - film,
    "a quarter turn": np.rot90,
    "upside down": np.flipud,
}


def miniatures_of(films: Sequence[Pixels], damage: Callable[[Pixels], NDArray[Any]]) -> Pixels:
    """(N, 16, 16) miniatures of damaged films."""
    damaged = (np.clip(np.rint(damage(film)), 0, 255).astype(np.uint8) for film in films)
    return np.stack([miniature(shrink(film, [SIDE])[SIDE]) for film in damaged])


def warned(statistics: PixelStatistics, miniatures: Pixels) -> dict[str, float]:
    """Shares of films that get a warning."""
    by_grey = np.array([bool(statistics.grey.warnings_of(film)) for film in miniatures])
    either = np.array([bool(statistics.warnings_of(film)) for film in miniatures])
    alone = [len(statistics.warnings_of(film)) > len(statistics.grey.warnings_of(film)) for film in miniatures]
    uniform = np.array([film.std() < 1 for film in miniatures])
    by_look = np.array(alone) | uniform
    return {"by_look": by_look.mean(), "by_grey": by_grey.mean(), "by_either": either.mean()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    films = {folder: [read_grey(path) for path in sorted(folder.rglob("*.png"))] for folder in given.folders}
    rows = []
    for learnt, looked_at in (given.folders, given.folders[::-1]):
        statistics = PixelStatistics.fit(miniatures_of(films[learnt], DAMAGES["none"]))
        for name, damage in DAMAGES.items():
            shares = warned(statistics, miniatures_of(films[looked_at], damage))
            rows.append(
                {"learnt_from": learnt.parent.name, "films_learnt_from": len(films[learnt])}
                | {"looked_at": looked_at.parent.name, "films": len(films[looked_at]), "damage": name}
                | {what: round(float(share), 4) for what, share in shares.items()}
            )
    pl.DataFrame(rows).write_csv(given.out)
    with pl.Config(tbl_rows=-1):
        print(pl.DataFrame(rows))


if __name__ == "__main__":
    main()
