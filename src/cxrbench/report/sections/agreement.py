"""Do the approaches order the images alike?"""

import polars as pl

from cxrbench.evaluate.discrimination import MEAN
from cxrbench.report.blocks import Choice, Choices, Section, Shown
from cxrbench.report.figures.ranks import rank_figure
from cxrbench.report.results import Results
from cxrbench.report.tables.agreement import agreement_table
from cxrbench.report.words import title_of

CAPTION = "Spearman’s rank correlation between the outputs on the same test images"
CEILING = " On the diagonal: the same approach from another seed, as alike as two models can be expected to be."


def agreement_section(results: Results) -> Section | None:
    """A heat map for the mean, then for each finding."""
    ranks = results.tables.rank_correlation
    if not ranks.height:
        return None
    averaged = ", averaged over the splits." if results.splits > 1 else "."
    ceiling = CEILING if (ranks["approach_a"] == ranks["approach_b"]).any() else ""
    choices = tuple(
        Choice(
            title_of(finding),
            (
                rank_figure(
                    ranks.filter(pl.col("finding") == finding), results.approaches, finding=finding, kind=results.kind
                ),
            ),
            f"{title_of(finding)}. {CAPTION}{averaged}{ceiling}",
        )
        for finding in (MEAN, *results.findings)
    )
    numbers = Shown(agreement_table(results), unfold="Rank correlations in numbers, with intervals")
    return Section("Do the approaches agree?", (Choices(choices), numbers))
