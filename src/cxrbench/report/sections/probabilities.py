"""Can the probabilities be taken at their word, and what is acting on them worth?"""

import polars as pl

from cxrbench.report.blocks import Block, Choice, Choices, Legend, Note, Section, Shown
from cxrbench.report.figures.calibration import calibration_panel
from cxrbench.report.figures.decision import decision_panel
from cxrbench.report.results import Results
from cxrbench.report.tables.operation import RULES, operation_table
from cxrbench.report.tables.probabilities import WAYS, probability_table
from cxrbench.report.words import title_of

CAPTION = (
    "Left: calibration; on the dotted line as many images have the finding as the probabilities say. Right: net "
    "benefit, which counts true positives, less false ones at the odds of the probability at which one acts; dotted is "
    "acting on everybody, zero on nobody; the band is the 95 % interval of "
)


ENOUGH = 20
"""Positive test images that a calibration curve of ten points needs, as a mean over the splits."""


def probability_section(results: Results) -> Section | None:
    """Calibration curves, decision curves, and their numbers for the best approach."""
    is_drawn = pl.col("calibration") == results.calibration
    reliability = results.tables.reliability.filter(is_drawn)
    benefit = results.tables.net_benefit.filter(is_drawn)
    findings = _findings(results)
    if not findings or not results.ranked:
        return None
    choices = tuple(
        Choice(
            title_of(name),
            (calibration_panel(name, reliability, results), decision_panel(name, benefit, results)),
            f"{title_of(name)}. {CAPTION}{results.ranked[0]}.",
        )
        for name in findings
    )
    blocks: tuple[Block, ...] = (Legend(), Choices(choices))
    if results.splits > 1:
        blocks += (Note("Curves are means over the splits."),)
    numbers = tuple(
        Shown(probability_table(results, way), unfold=f"Probabilities of {results.ranked[0]}, {said}, in numbers")
        for way, said in WAYS.items()
        if way in set(results.tables.probability_summary["calibration"])
    )
    points = tuple(
        Shown(operation_table(results, rule), unfold=f"Operating points of {results.ranked[0]} at {named}")
        for rule, (named, _) in RULES.items()
        if results.tables.operation.height  # files of predictions have no validation images to choose thresholds on
    )
    return Section("What the probabilities are worth", (*blocks, *numbers, *points))


def _findings(results: Results) -> list[str]:
    """Findings that are common enough for curves, the commonest pathology first."""
    positives = results.auc.unique(["split", "finding"]).group_by("finding").agg(pl.col("positives").mean())
    enough = positives.filter(pl.col("positives") >= ENOUGH).sort("positives", "finding", descending=[True, False])
    none = results.vocabulary.none_present
    drawn = set(results.tables.reliability["finding"])
    return sorted((name for name in enough["finding"] if name in drawn), key=lambda name: name == none)
