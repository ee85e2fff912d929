"""Test films that pre-trained weights saw before: counted per split, and refused where their labels were learnt."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxrbench.config import Approach, ArchiveSeen, WeightsRecord
from cxrbench.data.tables import Archive
from cxrbench.errors import DataError, WeightsError
from cxrbench.models.weights.known import GENERATED, archive_key, films_key, is_public
from cxrbench.runs import SPLITS_FOLDER, TABLE_FILE
from cxrbench.splits import Split, read_split

OFFICIAL_LIST = "official train/val list"
"""Of which part of an archive a record says so."""

ENDING = re.compile(r"\.(png|jpe?g|tiff?|dcm|dicom)$", re.IGNORECASE)

TRAINED = ("run", "bundle")
UNKNOWN = "unknown"

NO_FILM = "image list without a film"
"""Basis of a count of nought that may be a wrong list: it names no film of the study."""


@dataclass(frozen=True)
class Overlap:
    """How many held-out films of one split the weights of one approach saw.

    Attributes:
        approach: Name of the approach.
        split: Name of the split.
        archive: Key of the archive that both have.
        with_labels: The weights learnt its labels too.
        basis: How it is known: ``image list``, ``official list``, ``patients``; ``archive``, which is at most; or
            ``NO_FILM``.
        test_images: Test films of the split.
        test_seen: Those of them that the weights saw.
        val_seen: Likewise of the validation films.
    """

    approach: str
    split: str
    archive: str
    with_labels: bool
    basis: str
    test_images: int
    test_seen: int
    val_seen: int


@dataclass(frozen=True)
class Films:
    """What a study holds out, and where its films are from.

    Attributes:
        study: Its folder.
        archive: Key of its archive.
        table: Its table.
        splits: Its splits.
        official: Ids of the archive's official train/val list; None where it is not at hand.
    """

    study: Path
    archive: str
    table: pl.DataFrame
    splits: Sequence[Split]
    official: frozenset[str] | None = None

    @classmethod
    def of(
        cls, study: Path, archive: Archive, *, is_phantom: bool, table: pl.DataFrame, splits: Sequence[Split]
    ) -> "Films":
        """Return those of a study that is being prepared."""
        key = films_key(archive.form.name, archive.form.archive, is_phantom=is_phantom)
        official = None
        if archive.official is not None:
            official = frozenset(archive.official[0].read_text(encoding="utf-8").split())
        return cls(study, key, table, splits, official)


def find_overlaps(films: Films, approaches: Sequence[Approach], records: Mapping[str, WeightsRecord]) -> list[Overlap]:
    """Count the held-out films that the weights of each approach saw.

    Args:
        films: What the study holds out.
        approaches: Those of the study.
        records: By the name of each approach that starts from weights.

    Raises:
        WeightsError: The weights learnt labels of held-out films, or may have, and the approach does not allow it.
    """
    found = []
    for approach in approaches:
        record = records.get(approach.name)
        if record is not None and not record.is_stand_in:
            found += _overlaps_of(films, approach, record)
    return found


def _overlaps_of(films: Films, approach: Approach, record: WeightsRecord) -> list[Overlap]:
    found: list[Overlap] = []
    own = record.saw[:1] if record.source in TRAINED else ()
    for seen in own:
        found += _of_our_own(films, approach, record, archive_key(seen.archive))
    for seen in record.saw[len(own) :]:
        if archive_key(seen.archive) == films.archive:
            found += _counted(films, approach, seen)
    allowed = _allowed(approach)
    for overlap in found:
        if overlap.with_labels and overlap.test_seen + overlap.val_seen and overlap.archive not in allowed:
            raise WeightsError(_refusal(approach, record, overlap))
    return found


def _settings(approach: Approach) -> dict[str, Any]:
    return approach.network.weights.settings.model_dump()


def _allowed(approach: Approach) -> set[str]:
    return {archive_key(each) for each in _settings(approach).get("allow_overlap", ())}


def _refusal(approach: Approach, record: WeightsRecord, overlap: Overlap) -> str:
    seen, of = overlap.test_seen, overlap.test_images
    number = f"{seen:,} of {of:,} test films of {overlap.split}" + (
        f" and {overlap.val_seen:,} validation films" if overlap.val_seen else ""
    )
    may = "may be" if overlap.basis == "archive" else "are"
    kind = approach.network.weights.name
    return (
        f"approach {approach.name}: its weights ({record.title}) learnt labels of {overlap.archive}, and {number} "
        f"{may} among them; choose other weights, or allow it by name: network.weights: "
        f"{{{kind}: {{allow_overlap: [{overlap.archive}]}}}}"
    )


def _of_our_own(films: Films, approach: Approach, record: WeightsRecord, archive: str) -> list[Overlap]:
    """Compare patients: those that a run or bundle of ours learnt from, and those held out."""
    learnt_from = _learnt_from(films.study, _settings(approach), record)
    is_same = archive in {films.archive, UNKNOWN}
    if not is_same and (learnt_from is None or not _may_be_same(films, archive, *learnt_from)):
        return []
    unknown = ArchiveSeen(archive=films.archive, with_labels=True)
    if learnt_from is None:
        if films.archive not in _allowed(approach):
            raise WeightsError(
                f"approach {approach.name}: nothing says which patients {record.source} {record.name} was trained on; "
                f"name its study's folder, network.weights: {{{record.source}: {{path: ..., study: ...}}}}, "
                f"or allow it: allow_overlap: [{films.archive}]"
            )
        return _counted(films, approach, unknown)
    images = frozenset(films.table.filter(pl.col("patient_id").is_in(list(learnt_from[1])))["image_id"])
    return _rows(films, approach, unknown, images, basis="patients")


def _may_be_same(films: Films, archive: str, study: Path, patients: frozenset[str]) -> bool:
    """Say if films of another name may be of the same patients: a format of one's own may read those of any archive.

    Numbers of patients often agree by chance, so a public archive's films must also have names in common with them.
    """
    public = [is_public(archive), is_public(films.archive)]
    if all(public) or GENERATED in {archive, films.archive}:
        return False
    if frozenset(films.table["patient_id"]).isdisjoint(patients):
        return False
    path = study / TABLE_FILE
    if not any(public) or not path.exists():
        return True
    names = {_bare(image) for image in pl.read_parquet(path, columns=["image_id"])["image_id"]}
    return not names.isdisjoint(_bare(image) for image in films.table["image_id"])


def _learnt_from(study: Path, settings: Mapping[str, Any], record: WeightsRecord) -> tuple[Path, frozenset[str]] | None:
    """Return the study and the patients that weights of ours learnt from, or were chosen by; None: no file says so."""
    folders = [study, *([settings["study"]] if settings.get("study") else [])]
    if record.source == "run":
        folders += Path(settings["path"]).absolute().parents[3:4]
    for folder in folders:
        path = Path(folder) / SPLITS_FOLDER / f"{record.split}.json"
        try:
            split = read_split(path)
        except DataError:
            continue
        if split.digest == record.split_digest:
            return Path(folder), frozenset((*split.patients["train"], *split.patients["val"]))
    return None


def _counted(films: Films, approach: Approach, seen: ArchiveSeen) -> list[Overlap]:
    """Count the held-out films among those that published weights saw, by the best that is known of them."""
    listed = _settings(approach).get("image_list")
    if listed is not None:
        ids = read_image_list(Path(listed), films.table["image_id"])
        return _rows(films, approach, seen, ids, basis="image list" if ids else NO_FILM)
    if seen.split == OFFICIAL_LIST and films.official is not None:
        return _rows(films, approach, seen, films.official, basis="official list")
    return _rows(films, approach, seen, frozenset(films.table["image_id"]), basis="archive")


def _rows(films: Films, approach: Approach, seen: ArchiveSeen, images: Iterable[str], *, basis: str) -> list[Overlap]:
    ids = films.table["image_id"]
    is_seen = ids.is_in(list(images))
    found = []
    for split in films.splits:
        test, val = split.rows(films.table, "test"), split.rows(films.table, "val")
        row = Overlap(
            approach=approach.name,
            split=split.name,
            archive=films.archive,
            with_labels=seen.with_labels,
            basis=basis,
            test_images=len(test),
            test_seen=int(is_seen[test].sum()),
            val_seen=int(is_seen[val].sum()),
        )
        found.append(row)
    return found


def read_image_list(path: Path, known: Iterable[str]) -> frozenset[str]:
    """Return the images of a study that a list names: one a line, or in the cells of a CSV, with or without folders.

    Raises:
        WeightsError: No such file, or it is no text.
    """
    ids = {_bare(image): image for image in known}
    found = set()
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                for cell in line.strip().split(","):
                    name = _bare(cell.strip().strip('"'))
                    if name in ids:
                        found.add(ids[name])
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: no list of images ({error})") from None
    return frozenset(found)


def _bare(name: str) -> str:
    """Return an image's name without folders and without the ending of a picture; dots of a UID stay."""
    return ENDING.sub("", name.replace("\\", "/").rpartition("/")[2])


def as_records(overlaps: Sequence[Overlap]) -> list[dict[str, Any]]:
    """Return what ``study.json`` holds of them."""
    return [asdict(overlap) for overlap in overlaps]


def describe_overlaps(overlaps: Sequence[Overlap]) -> list[str]:
    """Return the overlaps with test films in words, and image lists that may be wrong."""
    empty = {(overlap.approach, overlap.archive): None for overlap in overlaps if overlap.basis == NO_FILM}
    return [
        *(_sentence(overlap) for overlap in overlaps if overlap.test_seen),
        *(
            f"warning: {approach}: its weights saw {archive}, but their image_list names no film of this study; "
            "see that it is the list of these weights, with names as in the archive"
            for approach, archive in empty
        ),
    ]


def _sentence(overlap: Overlap) -> str:
    most = "at most " if overlap.basis == "archive" else ""
    labels = "with" if overlap.with_labels else "without"
    return (
        f"{overlap.approach}: its weights saw {most}{overlap.test_seen:,} of {overlap.test_images:,} test films of "
        f"{overlap.split} before ({overlap.archive}, {labels} labels)"
    )
