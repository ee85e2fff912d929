"""Published figures, beside ours only where split and labels match."""

from dataclasses import dataclass
from importlib import resources

import polars as pl
import yaml

from cxrbench.config import load_vocabulary
from cxrbench.report.selection import IS_MEAN, Results
from cxrbench.report.study import Study
from cxrbench.report.table import Cell, Row, Table, cells, marked
from cxrbench.report.words import SEEN_MARK, decimal, plus_minus

RELEASE_IMAGES, RELEASE_PATIENTS = 112_120, 30_805

SPLIT_OF_KIND = {"resample": "random", "fold": "random", "official": "official"}


@dataclass(frozen=True)
class Published:
    """One published mean AUC over the 14 pathologies."""

    name: str
    split: str
    auc: float
    source: str
    caution: str = ""


def read_published() -> list[Published]:
    """All published figures that come with the package."""
    text = (resources.files("cxrbench.report") / "published.yaml").read_text(encoding="utf-8")
    return [Published(**entry) for entry in yaml.safe_load(text)]


def published_beside(kind: str) -> list[Published]:
    """Those on the same kind of split, lowest first."""
    return sorted((one for one in read_published() if one.split == SPLIT_OF_KIND[kind]), key=lambda one: one.auc)


def why_not_comparable(study: Study) -> str | None:
    """Return why this study's numbers cannot stand beside published ones, or None when they can."""
    archive = study.record["archive"]
    if archive["is_phantom"]:
        return "these are generated radiographs"
    if not archive["form"].startswith("NIH"):
        return f"the archive is not NIH ChestX-ray14 but {archive['form']}"
    if (archive["images"], archive["patients"]) != (RELEASE_IMAGES, RELEASE_PATIENTS):
        return (
            f"the study has {archive['images']:,} images of {archive['patients']:,} patients, "
            f"the release {RELEASE_IMAGES:,} of {RELEASE_PATIENTS:,}"
        )
    if set(study.findings) != set(load_vocabulary().names):
        return "the study's findings are not those of the release"
    return None


def published_table(study: Study, results: Results) -> Table:
    """Tabulate published mean AUCs on the same kind of split, and the best approach of the study."""
    best = results.ranked[0]
    row = results.summary.filter(IS_MEAN & (pl.col("approach") == best)).row(0, named=True)
    own = Row(
        f"This study: {best}, profile {study.record['profile']['name']}",
        (Cell(plus_minus(row["mean"], row["sd"]), of=(best,)), Cell("this report")),
        is_summary=True,
    )
    where = "the official lists" if results.kind == "official" else "random splits by patient"
    table = Table(
        name=f"published-{results.kind}",
        caption=f"{results.title}: published figures on {where}, and the best approach of this study.",
        columns=("Method", "Mean AUC", "Source"),
        rows=(*map(_published_row, published_beside(results.kind)), own),
        is_text=True,
    )
    return marked(table, results.seen_approaches, mark=SEEN_MARK, note=results.seen_note)


def _published_row(one: Published) -> Row:
    name = f"{one.name} ({one.caution})" if one.caution else one.name
    return Row(name, cells([decimal(one.auc), one.source]))
