"""Several rows of an image -> one: boxes and masks by union, the opinions of readers by vote."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cxrbench.config import Readers, TableFormat, Vocabulary
from cxrbench.data.tables.columns import shown_columns
from cxrbench.data.tables.labels import Coded
from cxrbench.data.tables.policy import ABSENT, PRESENT, UNCERTAIN, apply_policy
from cxrbench.data.tables.sheets import LINE
from cxrbench.data.tables.sources import FILE
from cxrbench.data.tables.wording import counted, first_of, images
from cxrbench.errors import DataError

READER = "#reader"


@dataclass(frozen=True)
class Merged:
    """One row per image.

    Attributes:
        cells: The common columns as text, with ``LINE`` and ``FILE`` of the first row.
        labels: Nullable int8 per finding.
        tally: Per finding, cells by what they say, before the policy.
        votes: Per image and finding, what the readers said; None without readers.
        notes: How rows were put together, and what the policy did.
    """

    cells: pl.DataFrame
    labels: pl.DataFrame
    tally: pl.DataFrame
    votes: pl.DataFrame | None
    notes: tuple[str, ...]


def merge_rows(
    cells: pl.DataFrame, coded: Coded, form: TableFormat, *, vocabulary: Vocabulary, sheet: pl.DataFrame, path: Path
) -> Merged:
    """Put the rows of each image together.

    Args:
        cells: The common columns as text.
        coded: What the cells of every row say of the findings.
        form: What a row is, and the label policy.
        vocabulary: The findings.
        sheet: The rows as the files have them, for messages.
        path: The file, for messages.

    Raises:
        DataError: An image in several rows where the format has one, or with two patients.
    """
    if not form.has_several_rows:
        _require_unique(cells, sheet, path)
        labels, notes = apply_policy(coded.codes, form.labels.policy, vocabulary=vocabulary, stated=coded.stated)
        return Merged(cells, labels, tally_of(coded.codes), None, notes)
    _require_one_patient(cells, path)
    first = cells.group_by("image_id", maintain_order=True).agg(pl.all().drop_nulls().first()).select(cells.columns)
    note = f"{counted(cells.height, 'row')} make {images(first.height)}"
    if form.readers is None:
        codes = _union(cells.select("image_id"), coded.codes).drop("image_id")
        labels, notes = apply_policy(codes, form.labels.policy, vocabulary=vocabulary, stated=coded.stated)
        return Merged(first, labels, tally_of(codes), None, (note, *notes))
    opinions = _union(cells.select("image_id", READER), coded.codes)
    codes = opinions.drop("image_id", READER)
    stated, notes = apply_policy(codes, form.labels.policy, vocabulary=vocabulary, stated=coded.stated)
    labels, votes = _vote(opinions.select("image_id", READER), stated, form.readers)
    return Merged(first, labels, tally_of(codes), votes, (note, *_note_readers(opinions, form.readers), *notes))


def _require_unique(cells: pl.DataFrame, sheet: pl.DataFrame, path: Path) -> None:
    """Refuse an image that is listed twice."""
    doubled = cells.filter(pl.col("image_id").is_duplicated())
    if doubled.is_empty():
        return
    twice = doubled.group_by("image_id", maintain_order=True).agg(LINE, pl.col(FILE).unique(maintain_order=True))
    shown = first_of([f"{name} ({_places(lines, files)})" for name, lines, files in twice.iter_rows()])
    first = sheet.filter(cells["image_id"] == twice["image_id"][0])
    differing = [name for name in shown_columns(first) if first[name].n_unique() > 1]
    differ = f" (they differ in {', '.join(map(repr, differing[:5]))})" if differing else ""
    raise DataError(
        f"{path} lists {images(twice.height)} more than once: {shown}{differ}; keep one line of each. If a row is a "
        "box, say rows: box in the table format; if it is a reader's opinion, readers: {column: ...}"
    )


def _places(lines: list[int], files: list[str]) -> str:
    """Where the rows of an image stand."""
    return f"lines {' and '.join(map(str, lines))}" if len(files) == 1 else f"in {' and '.join(files)}"


def _require_one_patient(cells: pl.DataFrame, path: Path) -> None:
    """Refuse an image whose rows name two patients."""
    patients = cells.group_by("image_id", maintain_order=True).agg(pl.col("patient_id").unique(), LINE)
    several = patients.filter(pl.col("patient_id").list.len() > 1)
    if several.height:
        name, ids, lines = several.row(0)
        raise DataError(
            f"{path}, lines {lines[0]} and {lines[-1]}: image {name} is of patients {' and '.join(map(str, ids[:2]))} "
            f"({counted(several.height, 'such image')}); the column of image_id or of patient_id is another"
        )


def _union(keys: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    """One row per key; of the codes of its rows the largest."""
    together = pl.concat([keys, codes], how="horizontal")
    return together.group_by(keys.columns, maintain_order=True).agg(pl.all().max())


def _vote(keys: pl.DataFrame, stated: pl.DataFrame, readers: Readers) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The findings by the readers' vote, and the votes; images in the order of their first row."""
    by_image = pl.concat([keys, stated], how="horizontal").group_by("image_id", maintain_order=True)
    present, said = by_image.agg(pl.col(stated.columns).sum()), by_image.agg(pl.col(stated.columns).count())
    labels = pl.DataFrame([_won(present[name], said[name], readers) for name in stated.columns])
    votes = present.select("image_id", pl.col(stated.columns).cast(pl.Int32)).unpivot(
        index="image_id", variable_name="finding", value_name="present"
    )
    stating = said.unpivot(index="image_id", variable_name="finding", value_name="readers")["readers"].cast(pl.Int32)
    return labels, votes.with_columns(stating)


def _won(present: pl.Series, said: pl.Series, readers: Readers) -> pl.Series:
    """1 where enough readers said present, 0 where not, null where none said anything."""
    if readers.vote == "majority":
        won = present.cast(pl.Int32) * 2 > said.cast(pl.Int32)
    else:
        won = present >= (1 if readers.vote == "any" else readers.vote)
    return won.cast(pl.Int8).set(said == 0, None).alias(present.name)


def _note_readers(opinions: pl.DataFrame, readers: Readers) -> tuple[str, ...]:
    """Say how many people read each image, and how many must agree."""
    each = opinions["image_id"].value_counts()["count"]
    least, most = int(each.to_numpy().min()), int(each.to_numpy().max())
    span = f"{least}" if least == most else f"{least} to {most}"
    needed = {"any": "one of them says so", "majority": "more than half of them say so"}
    how = needed.get(str(readers.vote), f"{readers.vote} of them say so")
    return (f"{opinions[READER].n_unique()} readers, {span} an image; a finding is present where {how}",)


def tally_of(codes: pl.DataFrame) -> pl.DataFrame:
    """Count what the cells say of each finding.

    Returns:
        One row per finding: ``finding``, ``present``, ``absent``, ``uncertain``, ``blank``.
    """
    counts = {"present": PRESENT, "absent": ABSENT, "uncertain": UNCERTAIN}
    said = {name: [int((codes[each] == code).sum()) for each in codes.columns] for name, code in counts.items()}
    return pl.DataFrame(
        {"finding": codes.columns, **said, "blank": [codes[each].null_count() for each in codes.columns]}
    )
