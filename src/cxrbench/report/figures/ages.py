"""Ages of the imaged patients by sex."""

import numpy as np
import polars as pl

from cxrbench.report.drawing import Drawing, Margins, drawing, sheet
from cxrbench.report.palette import FAINT
from cxrbench.report.words import count

BIN_YEARS, WIDTH, HEIGHT = 5, 620.0, 270.0
SEXES = {"F": ("Women and girls", "#a8327e"), "M": ("Men and boys", "#0072b2"), None: ("Sex unknown", FAINT)}


def age_figure(ages: pl.DataFrame) -> Drawing | None:
    """Images per five years of age, a stepped line per sex; None where no age is known."""
    known = ages.drop_nulls("age_years")
    if known.is_empty():
        return None
    oldest = int(known["age_years"].to_numpy().max(initial=0))
    edges = np.arange(0, oldest + 2 * BIN_YEARS, BIN_YEARS)
    with sheet(WIDTH, HEIGHT, Margins(left=64)) as figure:
        axes = figure.subplots()
        for sex, (label, colour) in SEXES.items():
            own = known.filter(pl.col("sex").eq_missing(sex))
            if own.height:
                images, _ = np.histogram(own["age_years"], bins=edges, weights=own["images"])
                axes.stairs(images, edges, color=colour, linewidth=1.6, fill=False, label=label)
        axes.set(xlabel="Age at imaging, years", ylabel="Images", xlim=(0, edges[-1]), ylim=(0, None))
        axes.grid(axis="y")
        axes.legend(frameon=False, loc="upper left", borderaxespad=0.1)
        return drawing(figure, "ages", alt=_alt(known))


def _alt(known: pl.DataFrame) -> str:
    images = int(known["images"].sum())
    years = np.repeat(known["age_years"].to_numpy(), known["images"].to_numpy())
    return f"Histogram of ages of {count(images)} images, median {np.median(years):.0f} years."
