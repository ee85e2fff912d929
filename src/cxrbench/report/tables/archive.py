"""What the archive holds: images per finding, by sex and view."""

from collections.abc import Mapping

import polars as pl

from cxrbench.evaluate.archive import ANY
from cxrbench.report.tables.table import Cell, Row, Table
from cxrbench.report.words import count, percent, title_of
from cxrbench.splits import ALL_IMAGES

SEXES = {"F": "Female", "M": "Male", "unknown": "Sex unknown"}


def archive_table(archive: pl.DataFrame) -> Table:
    """Images and patients per finding; below each count its share of the images in that column.

    Args:
        archive: ``archive.csv``.
    """
    counts = {(row["finding"], row["sex"], row["view"]): row for row in archive.iter_rows(named=True)}
    sexes = [sex for sex in SEXES if (ALL_IMAGES, sex, ANY) in counts]
    views = [view for view in archive["view"].unique().sort(descending=True) if view != ANY]
    groups = [(ANY, ANY), *((sex, ANY) for sex in sexes), *((ANY, view) for view in views)]
    findings = archive["finding"].unique(maintain_order=True).to_list()
    most = max(
        (counts[name, ANY, ANY]["images"] for name in findings if name != ALL_IMAGES and (name, ANY, ANY) in counts),
        default=1,
    )

    def row(finding: str) -> Row:
        total = counts.get((finding, ANY, ANY))
        cells = [_cell(counts, finding, group) for group in groups]
        images, patients = (0, 0) if total is None else (total["images"], total["patients"])
        bar = None if finding == ALL_IMAGES else images / most
        first = Cell(cells[0].text, cells[0].detail, share=bar)
        return Row(title_of(finding), (Cell(count(patients)), first, *cells[1:]), is_summary=finding == ALL_IMAGES)

    ordered = [name for name in findings if name != ALL_IMAGES] + [ALL_IMAGES]
    return Table(
        name="archive",
        caption="Images per finding, by sex and view position; below each count, its share of that column's images.",
        columns=("Finding", "Patients", "Images", *(SEXES[sex] for sex in sexes), *map(_view_title, views)),
        rows=tuple(map(row, ordered)),
    )


def left_out_table(reasons: Mapping[str, str]) -> Table:
    """Findings of the labels that no network answers, and what the training parts lack."""
    return Table(
        name="left-out",
        caption="Findings that the labels name and no network answers: a training part lacks patients with them, or "
        "without.",
        columns=("Finding", "Reason"),
        rows=tuple(Row(title_of(name), (Cell(reason),)) for name, reason in reasons.items()),
        is_text=True,
    )


def _cell(counts: "dict[tuple[str, str, str], dict[str, int]]", finding: str, group: tuple[str, str]) -> Cell:
    """A count and its share of the group's images."""
    images = counts.get((finding, *group), {"images": 0})["images"]
    of = counts[(ALL_IMAGES, *group)]["images"]
    return Cell(count(images), "" if finding == ALL_IMAGES else percent(images / of))


def _view_title(view: str) -> str:
    return "View unknown" if view == "unknown" else view
