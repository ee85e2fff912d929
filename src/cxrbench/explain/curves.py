"""Figures of what is not the image: an answer over age, and what each kind of input is worth."""

from collections.abc import Sequence

import polars as pl

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.drawing import Drawing, Margins, drawing, room_for, sheet
from cxrbench.report.palette import FAINT, FAMILY_COLOURS, INK

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


ROW, TOP, WIDE = 24.0, 36.0, 760.0
MARKERS = {"non-image": ("s", FAMILY_COLOURS[4]), "image": ("o", FAMILY_COLOURS[0]), "both": ("D", FAMILY_COLOURS[1])}
"""Marker and colour per kind of input."""


def nonimage_figure(table: pl.DataFrame) -> Drawing:
    """AUC per finding of what each model was given: per kind the model of the best mean AUC, over splits and seeds.

    Args:
        table: As ``nonimage.csv``.
    """
    means = table.group_by("finding", "given", "model", maintain_order=True).agg(pl.col("auc").mean())
    ranked = means.filter(pl.col("finding") == MEAN).sort("auc", descending=True, nulls_last=True)
    chosen = ranked.group_by("given", maintain_order=True).first().select("given", "model")
    best = means.join(chosen, on=["given", "model"]).drop_nulls("auc").select("finding", "given", "model", "auc")
    names = dict(chosen.iter_rows())
    findings = table["finding"].unique(maintain_order=True).to_list()
    with sheet(WIDE, TOP + 50 + ROW * len(findings), Margins(left=room_for(findings), top=TOP)) as figure:
        axes = figure.subplots()
        for given, (marker, colour) in MARKERS.items():
            own = best.filter(pl.col("given") == given)
            places = [findings.index(finding) for finding in own["finding"]]
            axes.plot(
                own["auc"], places, marker, color=colour, label=f"{given}: {names[given]}" if given in names else None
            )
        axes.axvline(0.5, color=FAINT, linewidth=0.8)
        axes.set_yticks(range(len(findings)), findings)
        axes.set(ylim=(len(findings) - 0.5, -0.5), xlabel="AUC on test films")
        axes.legend(
            ncols=3, frameon=False, columnspacing=1.2, handletextpad=0.2, loc="lower left", bbox_to_anchor=(0, 1)
        )
        axes.grid(axis="x")
        listed = "; ".join(f"{finding}, {model}: {auc:.2f}" for finding, _, model, auc in best.iter_rows())
        return drawing(figure, "nonimage", alt=f"AUC of age, sex and view alone, of the image, of both. {listed}.")
