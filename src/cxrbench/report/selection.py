"""The results on one kind of split, as the sections of a chapter need them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import polars as pl

from cxrbench.config import Vocabulary
from cxrbench.evaluate.calibration import PLATT
from cxrbench.evaluate.columns import ALL, MEAN
from cxrbench.report.blocks import Legend
from cxrbench.report.drawing import Look
from cxrbench.report.pretraining import seen_before, seen_said
from cxrbench.report.study import Study, Tables
from cxrbench.report.words import SEEN_MARK, kind_title

IS_ALL, IS_MEAN = pl.col("group") == ALL, pl.col("finding") == MEAN


@dataclass(frozen=True)
class Results:
    """Result tables of one kind of split."""

    kind: str
    tables: Tables
    approaches: tuple[str, ...]
    vocabulary: Vocabulary
    looks: Mapping[str, Look]
    calibration: str = PLATT
    """Way of calibration whose probabilities are drawn."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings that were measured."""
        return self.vocabulary.names

    @property
    def title(self) -> str:
        """As a heading."""
        return kind_title(self.kind)

    @cached_property
    def seen(self) -> pl.DataFrame:
        """Rows of ``pretraining.csv``: splits with test films that pre-trained weights saw before."""
        return seen_before(self.tables)

    @cached_property
    def seen_approaches(self) -> frozenset[str]:
        """Approaches whose pre-trained weights saw test films; their numbers are marked."""
        return frozenset(self.seen["approach"]) if self.seen.height else frozenset()

    @property
    def seen_note(self) -> str:
        """Explanation of the mark; empty where nothing is marked."""
        if not self.seen_approaches:
            return ""
        return (
            f"{SEEN_MARK} Pre-trained weights saw test films before: {seen_said(self.seen)}. "
            "Numbers with this mark are too good by an unknown amount."
        )

    def label(self, approach: str) -> str:
        """Return an approach's name, with the mark where its pre-trained weights saw test films."""
        return f"{approach} {SEEN_MARK}" if approach in self.seen_approaches else approach

    @cached_property
    def splits(self) -> int:
        """Number of splits of this kind."""
        return self.tables.auc["split"].n_unique()

    @cached_property
    def auc(self) -> pl.DataFrame:
        """``auc.csv``, all images; on one test set with several seeds, the means over these."""
        table = self.tables.auc_seeds if self.tables.auc_seeds.height else self.tables.auc
        return table.filter(IS_ALL)

    @cached_property
    def gaps(self) -> pl.DataFrame:
        """``gaps.csv``, mean over the pathologies; on one test set with several seeds, the means over these."""
        table = self.tables.gaps_seeds if self.tables.gaps_seeds.height else self.tables.gaps
        return table.filter(IS_MEAN)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """``auc_summary.csv``, all images."""
        return self.tables.auc_summary.filter(IS_ALL)

    @cached_property
    def compared(self) -> pl.DataFrame:
        """``comparison.csv``, mean over the pathologies."""
        return self.tables.comparison.filter(IS_MEAN)

    @cached_property
    def ranked(self) -> list[str]:
        """Approaches by mean AUC, best first."""
        means = self.summary.filter(IS_MEAN).drop_nulls("mean")
        return means.sort("mean", descending=True, maintain_order=True)["approach"].to_list()

    @cached_property
    def enough(self) -> int:
        """Half of the pathologies: a mean over fewer tells of those, not of a group of images."""
        return -(-len(self.vocabulary.pathologies) // 2)

    @cached_property
    def question(self) -> str | None:
        """Question that the intervals of differences answer; None when there are none."""
        asked = self.compared.drop_nulls("lower")["question"].unique()
        return asked[0] if asked.len() else None

    @cached_property
    def why_no_interval(self) -> str:
        """Reason why differences of the mean AUC have no interval."""
        reasons = self.compared["reason"].drop_nulls().unique().sort()
        return ", ".join(reasons)

    @cached_property
    def has_intervals(self) -> bool:
        """All AUCs are of one test set, so each has one interval."""
        return self.splits == 1

    @cached_property
    def runs(self) -> int:
        """Runs of an approach, at most; seeds on one test set count once."""
        per_approach = self.auc.group_by("approach").agg(pl.struct("split", "seed").n_unique())
        return int(per_approach["split"].to_numpy().max())

    @cached_property
    def seeds(self) -> int:
        """Seeds of an approach on a split, at most."""
        per_run = self.tables.auc.group_by("approach", "split").agg(pl.col("seed").n_unique())
        return int(per_run["seed"].to_numpy().max())


def legend(results: Results) -> tuple[Legend, ...]:
    """The approaches' colours and dashes, where there is more than one."""
    return (Legend(),) if len(results.approaches) > 1 else ()


def results_of(study: Study, kind: str, looks: Mapping[str, Look]) -> Results:
    """The rows of one kind, in the tables that have kinds."""
    frames = {field.name: getattr(study.tables, field.name) for field in fields(study.tables)}
    own = {
        name: frame.filter(pl.col("kind") == kind) if "kind" in frame.columns else frame
        for name, frame in frames.items()
    }
    there = set(own["auc"]["approach"])
    return Results(
        kind=kind,
        tables=Tables(**own),
        approaches=tuple(name for name in study.approaches if name in there),
        vocabulary=study.vocabulary,
        looks={name: look for name, look in looks.items() if name in there},
    )
