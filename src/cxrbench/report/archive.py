"""The archive: images by finding, sex and view, ages, findings left out, and splits."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from cxrbench.evaluate.inventory import ANY
from cxrbench.report.drawing import FAINT, Drawing, Margins, drawing, sheet
from cxrbench.report.study import Study
from cxrbench.report.table import Cell, Row, Table, cells
from cxrbench.report.words import count, percent, title_of
from cxrbench.splits import ALL_IMAGES

SEX_TITLES = {"F": "Female", "M": "Male", "unknown": "Sex unknown"}

BIN_YEARS, WIDTH, HEIGHT = 5, 620.0, 270.0

SEX_LOOKS = {"F": ("Women and girls", "#a8327e"), "M": ("Men and boys", "#0072b2"), None: ("Sex unknown", FAINT)}


def archive_table(archive: pl.DataFrame) -> Table:
    """Images and patients per finding; below each count its share of the images in that column.

    Args:
        archive: ``archive.csv``.
    """
    counts = {(row["finding"], row["sex"], row["view"]): row for row in archive.iter_rows(named=True)}
    sexes = [sex for sex in SEX_TITLES if (ALL_IMAGES, sex, ANY) in counts]
    views = [view for view in archive["view"].unique().sort(descending=True) if view != ANY]
    groups = [(ANY, ANY), *((sex, ANY) for sex in sexes), *((ANY, view) for view in views)]
    findings = archive["finding"].unique(maintain_order=True).to_list()
    most = max(
        (counts[name, ANY, ANY]["images"] for name in findings if name != ALL_IMAGES and (name, ANY, ANY) in counts),
        default=1,
    )

    def row(finding: str) -> Row:
        total = counts.get((finding, ANY, ANY))
        cells = [_count_cell(counts, finding, group) for group in groups]
        images, patients = (0, 0) if total is None else (total["images"], total["patients"])
        bar = None if finding == ALL_IMAGES else images / most
        first = Cell(cells[0].text, cells[0].detail, share=bar)
        return Row(title_of(finding), (Cell(count(patients)), first, *cells[1:]), is_summary=finding == ALL_IMAGES)

    ordered = [name for name in findings if name != ALL_IMAGES] + [ALL_IMAGES]
    return Table(
        name="archive",
        caption="Images per finding, by sex and view position; below each count, its share of that column's images.",
        columns=("Finding", "Patients", "Images", *(SEX_TITLES[sex] for sex in sexes), *map(_view_title, views)),
        rows=tuple(map(row, ordered)),
    )


def left_out_table(reasons: Mapping[str, str]) -> Table:
    """Findings of the labels that no network answers, and what the training parts lack."""
    return Table(
        name="left-out",
        caption="Findings of the labels that no network answers, because a training part lacks patients with them or "
        "without them.",
        columns=("Finding", "Reason"),
        rows=tuple(Row(title_of(name), (Cell(reason),)) for name, reason in reasons.items()),
        is_text=True,
    )


def _count_cell(counts: "dict[tuple[str, str, str], dict[str, int]]", finding: str, group: tuple[str, str]) -> Cell:
    """A count and its share of the group's images."""
    images = counts.get((finding, *group), {"images": 0})["images"]
    of = counts[(ALL_IMAGES, *group)]["images"]
    return Cell(count(images), "" if finding == ALL_IMAGES else percent(images / of))


def _view_title(view: str) -> str:
    return "View unknown" if view == "unknown" else view


def age_figure(ages: pl.DataFrame) -> Drawing | None:
    """Images per five years of age, a stepped line per sex; None where no age is known."""
    known = ages.drop_nulls("age_years")
    if known.is_empty():
        return None
    oldest = int(known["age_years"].to_numpy().max(initial=0))
    edges = np.arange(0, oldest + 2 * BIN_YEARS, BIN_YEARS)
    with sheet(WIDTH, HEIGHT, Margins(left=64)) as figure:
        axes = figure.subplots()
        for sex, (label, colour) in SEX_LOOKS.items():
            own = known.filter(pl.col("sex").eq_missing(sex))
            if own.height:
                images, _ = np.histogram(own["age_years"], bins=edges, weights=own["images"])
                axes.stairs(images, edges, color=colour, linewidth=1.6, fill=False, label=label)
        axes.set(xlabel="Age at imaging, years", ylabel="Images", xlim=(0, edges[-1]), ylim=(0, None))
        axes.grid(axis="y")
        axes.legend(frameon=False, loc="upper left", borderaxespad=0.1)
        return drawing(figure, "ages", alt=_age_alt(known))


def _age_alt(known: pl.DataFrame) -> str:
    images = int(known["images"].sum())
    years = np.repeat(known["age_years"].to_numpy(), known["images"].to_numpy())
    return f"Histogram of ages of {count(images)} images, median {np.median(years):.0f} years."


def split_table(study: Study) -> Table:
    """Patients and images of every part of every split."""
    whole = study.tables.splits.filter(pl.col("finding") == "all images")
    rows = []
    for (name,), parts in whole.group_by("split", maintain_order=True):
        said = [f"{count(part['patients'])} / {count(part['images'])}" for part in parts.iter_rows(named=True)]
        rows.append(Row(str(name), cells(said)))
    return Table(
        name="splits",
        caption="Patients / images per part. No patient is in two parts; this was checked when the results were made.",
        columns=("Split", "Training", "Validation", "Test"),
        rows=tuple(rows),
        note=_absences(study.tables.splits),
        is_text=True,
    )


def _absences(splits: pl.DataFrame) -> str:
    """Findings that some part lacks."""
    noted = splits.drop_nulls("note")
    if not noted.height:
        return ""
    said = [f"{row['finding']} {row['note']} ({row['split']}, {row['part']})" for row in noted.iter_rows(named=True)]
    return "Not everything is in every part: " + "; ".join(said) + "."
