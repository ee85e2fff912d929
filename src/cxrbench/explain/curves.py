"""Figures of what is not the image: an answer over age, and what each kind of input is worth."""

from collections.abc import Sequence

import polars as pl

from cxrbench.evaluate.columns import MEAN
from cxrbench.report.drawing import FAINT, FAMILY_COLOURS, INK, Drawing, Margins, drawing, room_for, sheet
from cxrbench.report.nonimage import input_figure

WIDTH, HEIGHT = 640.0, 320.0


def age_figure(ages: pl.DataFrame, findings: Sequence[str], *, age_years: float | None) -> Drawing:
    """One curve per finding of the probability over age, and where the film stands.

    Args:
        ages: As ``age_response`` gives it.
        findings: To draw.
        age_years: Of the film; None where unknown.
    """
    with sheet(WIDTH, HEIGHT, Margins(right=room_for(findings) + 12)) as figure:
        axes = figure.subplots()
        for place, finding in enumerate(findings):
            own = ages.filter(pl.col("finding") == finding)
            colour = FAMILY_COLOURS[place % len(FAMILY_COLOURS)]
            axes.plot(own["age_years"], own["probability"], color=colour)
            last = (own["age_years"][-1], own["probability"][-1])
            axes.annotate(finding, last, xytext=(6, 0), textcoords="offset points", va="center", color=colour)
        if age_years is not None:
            axes.axvline(age_years, color=FAINT, linewidth=0.8)
            axes.annotate("this film", (age_years, 1), xycoords=("data", "axes fraction"), color=INK, ha="center")
        axes.set(xlabel="Age, years", ylabel="Probability (not calibrated)", ylim=(0, 1))
        return drawing(
            figure, "ages", alt=f"Probability of {', '.join(findings)} over age, film and the rest as they are"
        )


def nonimage_figure(table: pl.DataFrame) -> Drawing:
    """AUC per finding of what each model was given: per kind the model of the best mean AUC over splits and seeds.

    Args:
        table: As ``nonimage.csv``.
    """
    means = table.filter(finding=MEAN).group_by("given", "model", maintain_order=True).agg(pl.col("auc").mean())
    ranked = means.sort("auc", descending=True, nulls_last=True, maintain_order=True)
    chosen = ranked.group_by("given", maintain_order=True).first().select("given", "model")
    return input_figure(table, dict(chosen.iter_rows()), "nonimage")
