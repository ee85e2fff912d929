"""The results on one kind of split: what is drawn and tabulated of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import polars as pl

from cxrbench.evaluate.groups import ALL
from cxrbench.report.differences import Difference, by_ingredient, from_best
from cxrbench.report.drawing import Drawing
from cxrbench.report.figures.forest import forest_figure
from cxrbench.report.figures.mean_auc import mean_auc_figure
from cxrbench.report.figures.ranks import rank_figure
from cxrbench.report.figures.roc import roc_panel
from cxrbench.report.figures.subgroups import subgroup_figure
from cxrbench.report.headline import MEAN, Headline, headline, ranked_approaches
from cxrbench.report.palette import Look
from cxrbench.report.study import Study, Tables
from cxrbench.report.tables.auc import auc_table
from cxrbench.report.tables.differences import difference_table
from cxrbench.report.tables.subgroups import subgroup_table, without_thin
from cxrbench.report.tables.table import Table
from cxrbench.report.words import kind_title, slug

Choice = tuple[str, Drawing]
"""A finding, or ``mean``, and its figure."""


@dataclass(frozen=True)
class Chapter:
    """Results on one kind of split; absent where there is nothing to show."""

    kind: str
    headline: Headline | None
    overview: Drawing
    auc: Table
    best: Drawing | None
    best_table: Table | None
    ingredients: tuple[Choice, ...]
    ingredient_table: Table | None
    roc: tuple[Choice, ...]
    ranks: tuple[Choice, ...]
    subgroups: Drawing | None
    subgroup_table: Table | None

    @property
    def title(self) -> str:
        """As a heading."""
        return kind_title(self.kind)

    def drawings(self) -> Iterator[Drawing]:
        """Every figure of the chapter."""
        yield from (value for value in self._values() if isinstance(value, Drawing))
        for choices in (self.ingredients, self.roc, self.ranks):
            yield from (drawing for _, drawing in choices)

    def tables(self) -> Iterator[Table]:
        """Every table of the chapter."""
        yield from (value for value in self._values() if isinstance(value, Table))

    def _values(self) -> Iterator[object]:
        return (getattr(self, field.name) for field in fields(self))


def make_chapter(study: Study, kind: str, looks: Mapping[str, Look]) -> Chapter:
    """Draw and tabulate the results on one kind of split."""
    tables = _of_kind(study.tables, kind)
    everyone, summary = (frame.filter(pl.col("group") == ALL) for frame in (tables.auc, tables.auc_summary))
    is_mean = pl.col("finding") == MEAN
    compared = tables.comparison.filter(is_mean)
    best = _measured(from_best(compared, ranked_approaches(summary)))
    ingredients = _measured(by_ingredient(compared, study.approaches))
    groups = _groups(tables.auc)
    by_group = without_thin(tables.auc_summary.filter(is_mean))
    return Chapter(
        kind=kind,
        headline=headline(summary, compared),
        overview=mean_auc_figure(everyone.filter(is_mean), summary.filter(is_mean), looks, kind=kind),
        auc=auc_table(everyone, summary, study.approaches, kind=kind),
        best=forest_figure(best, f"best-{kind}", axis=f"AUC of {best[0].first} minus AUC of …") if best else None,
        best_table=_table(best, f"best-{kind}", kind, "Best approach against every other"),
        ingredients=_ingredient_choices(tables.comparison, study, kind) if ingredients else (),
        ingredient_table=_table(ingredients, f"ingredients-{kind}", kind, "What each ingredient changes"),
        roc=tuple(
            (finding, roc_panel(finding, tables.roc, summary, looks, kind=kind))
            for finding in study.findings
            if finding in set(tables.roc["finding"])
        ),
        ranks=_rank_choices(tables.rank_correlation, study, kind),
        subgroups=subgroup_figure(by_group, groups, looks, kind=kind) if groups else None,
        subgroup_table=subgroup_table(tables.auc.filter(is_mean), by_group, groups, study.approaches, kind=kind)
        if groups
        else None,
    )


def _of_kind(tables: Tables, kind: str) -> Tables:
    """Rows of this kind of split, in the tables that have kinds."""
    frames = {field.name: getattr(tables, field.name) for field in fields(tables)}
    return Tables(
        **{
            name: frame.filter(pl.col("kind") == kind) if "kind" in frame.columns else frame
            for name, frame in frames.items()
        }
    )


def _groups(auc: pl.DataFrame) -> list[str]:
    """Groups of images other than all."""
    return [group for group in auc["group"].unique(maintain_order=True) if group != ALL]


def _measured(differences: Sequence[Difference]) -> list[Difference]:
    return [one for one in differences if one.value is not None]


def _table(differences: Sequence[Difference], name: str, kind: str, about: str) -> Table | None:
    return difference_table(differences, name, kind=kind, about=about) if differences else None


def _ingredient_choices(comparison: pl.DataFrame, study: Study, kind: str) -> tuple[Choice, ...]:
    """A forest plot for the mean, then for each finding."""
    choices = []
    for finding in (MEAN, *study.findings):
        rows = _measured(by_ingredient(comparison.filter(pl.col("finding") == finding), study.approaches))
        if rows:
            name = f"ingredients-{kind}-{slug(finding)}"
            choices.append(
                (finding, forest_figure(rows, name, axis="Difference in AUC; to the right the ingredient helps"))
            )
    return tuple(choices)


def _rank_choices(ranks: pl.DataFrame, study: Study, kind: str) -> tuple[Choice, ...]:
    """A heat map for the mean, then for each finding."""
    if len(study.approaches) < 2:
        return ()
    return tuple(
        (finding, rank_figure(ranks.filter(pl.col("finding") == finding), study.approaches, finding=finding, kind=kind))
        for finding in (MEAN, *study.findings)
    )
