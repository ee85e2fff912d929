"""Held-out films that weights saw before are counted, and refused where their labels were learnt."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from cxrbench.config import ArchiveSeen, WeightsRecord, format_names, load_format
from cxrbench.errors import WeightsError
from cxrbench.models.weights.known import archive_key
from cxrbench.splits import resample_splits, write_split
from cxrbench.study.overlap import Films, as_records, describe_overlaps, find_overlaps, read_image_list
from pretrained import approach_from


@pytest.fixture
def films(tmp_path):
    """Forty patients of two films each, two re-samples."""
    patient = [str(number) for number in np.repeat(np.arange(40), 2)]
    images = [f"{number:03d}.png" for number in range(80)]
    table = pl.DataFrame({"image_id": images, "patient_id": patient})
    splits = resample_splits(table, count=2, seed=0)
    for split in splits:
        write_split(split, tmp_path / "study" / "splits")
    return Films(tmp_path / "study", "nih", table, tuple(splits))


def record(*saw, **facts):
    return WeightsRecord(**{"source": "hub", "digest": "ab", "name": "known", "saw": saw, **facts})


def overlaps(films, known, weights="hub"):
    return find_overlaps(films, [approach_from(weights)], {"own": known})


def held_out(films, number, part):
    split = films.splits[number]
    return films.table[split.rows(films.table, part)]["image_id"]


def test_other_archives_do_not_matter(films):
    assert overlaps(films, record(ArchiveSeen(archive="padchest", with_labels=True))) == []


def test_stand_ins_saw_nothing(films):
    seen = ArchiveSeen(archive="nih", with_labels=True)
    assert overlaps(films, record(seen, source="stand-in", is_stand_in=True)) == []


def test_without_a_list_every_test_film_may_have_been_seen(films):
    found = overlaps(films, record(ArchiveSeen(archive="nih")))
    assert [(one.split, one.basis, one.test_seen) for one in found] == [
        (split.name, "archive", len(held_out(films, number, "test"))) for number, split in enumerate(films.splits)
    ]
    assert not any(one.with_labels for one in found)
    assert as_records(found)[0]["approach"] == "own"


def test_films_of_the_same_archive_under_another_name_count(films):
    assert overlaps(films, record(ArchiveSeen(archive="rsna")))


def test_labels_that_were_learnt_are_refused_unless_allowed_by_name(films):
    seen = record(ArchiveSeen(archive="nih", with_labels=True))
    number = len(held_out(films, 0, "test"))
    with pytest.raises(
        WeightsError,
        match=rf"approach own: .*learnt labels of nih, and {number} of {number} test films of resample-1 .*may be "
        r"among them; .*\{hub: \{allow_overlap: \[nih\]\}\}",
    ):
        overlaps(films, seen)
    allowed = overlaps(films, seen, {"hub": {"allow_overlap": ["nih"]}})
    assert allowed[0].with_labels
    assert allowed[0].test_seen == number


def test_a_list_of_images_counts_exactly(films, tmp_path):
    test = held_out(films, 0, "test")
    listed = tmp_path / "seen.csv"
    listed.write_text("dataset,path\n" + "\n".join(f"nih,images_001/{image}" for image in test[:3]))
    weights = {"hub": {"image_list": str(listed)}}
    found = overlaps(films, record(ArchiveSeen(archive="nih")), weights)
    assert found[0].basis == "image list"
    assert found[0].test_seen == 3
    expected = len(set(test[:3]) & set(held_out(films, 1, "test")))
    assert found[1].test_seen == expected
    with pytest.raises(WeightsError, match=r"and 3 of \d+ test films of resample-1 .*are among them"):
        overlaps(films, record(ArchiveSeen(archive="nih", with_labels=True)), weights)


def test_a_list_without_held_out_films_is_no_leak(films, tmp_path):
    (tmp_path / "seen.txt").write_text("other_001.png\nother_002.png\n")
    seen = record(ArchiveSeen(archive="nih", with_labels=True))
    found = overlaps(films, seen, {"hub": {"image_list": str(tmp_path / "seen.txt")}})
    assert [one.test_seen + one.val_seen for one in found] == [0, 0]


def test_a_list_that_names_no_film_is_warned_about(films, tmp_path):
    (tmp_path / "seen.txt").write_text("other_001.png\nother_002.png\n")
    found = overlaps(films, record(ArchiveSeen(archive="nih")), {"hub": {"image_list": str(tmp_path / "seen.txt")}})
    assert {one.basis for one in found} == {"image list without a film"}
    (note,) = describe_overlaps(found)
    assert note.startswith("warning: own: its weights saw nih, but their image_list names no film of this study; ")


def test_an_absent_list_is_named(films):
    with pytest.raises(WeightsError, match=r"absent\.csv: no list of images"):
        overlaps(films, record(ArchiveSeen(archive="nih")), {"hub": {"image_list": "absent.csv"}})


def test_images_are_found_with_and_without_folder_and_suffix(tmp_path):
    (tmp_path / "seen.txt").write_text('"a/b/001.png"\n002\n"C:\\films\\003.jpg",x\n')
    assert read_image_list(tmp_path / "seen.txt", ["001.png", "002.png", "003.png", "004.png"]) == {
        "001.png",
        "002.png",
        "003.png",
    }


def test_dots_of_a_uid_are_part_of_an_images_name(tmp_path):
    (tmp_path / "seen.txt").write_text("1.2.840.1.png\n1.2.840.3\n1.9.9.png\n")
    ids = [f"1.2.840.{number}.png" for number in (1, 2, 3)]
    assert read_image_list(tmp_path / "seen.txt", ids) == {ids[0], ids[2]}


def test_weights_that_saw_the_official_list_are_counted_by_it(films):
    official = frozenset(held_out(films, 0, "test")[:5])
    known = Films(films.study, films.archive, films.table, films.splits, official)
    found = overlaps(known, record(ArchiveSeen(archive="nih", split="official train/val list")))
    assert (found[0].basis, found[0].test_seen) == ("official list", 5)


# --- runs and bundles of ours ---


def of_ours(films, number, **facts):
    split = films.splits[number]
    seen = ArchiveSeen(archive="nih", with_labels=True)
    own = {"source": "run", "name": "a / resample / seed 0", "split": split.name, "split_digest": split.digest}
    return record(seen, **{**own, **facts})


def test_a_run_is_compared_by_patient_with_every_split(films):
    run = {"run": str(films.study / "runs" / "a" / "resample-1" / "seed-0")}
    trained = {*films.splits[0].patients["train"], *films.splits[0].patients["val"]}
    tested = films.table.filter(pl.col("patient_id").is_in(films.splits[1].patients["test"]))
    number = tested.filter(pl.col("patient_id").is_in(list(trained))).height
    assert number
    with pytest.raises(WeightsError, match=rf"{number} of {tested.height} test films of resample-2 .*are among them"):
        find_overlaps(
            Films(films.study, "nih", films.table, films.splits[1:]), [approach_from(run)], {"own": of_ours(films, 0)}
        )


@pytest.mark.parametrize("name", format_names())
def test_films_have_the_key_that_a_run_on_them_is_recorded_by(films, name):
    """Also by records of earlier versions, which have the format's name alone."""
    archive = SimpleNamespace(form=load_format(name), official=None)
    own = Films.of(films.study, archive, is_phantom=False, table=films.table, splits=films.splits)
    assert own.archive == archive_key(load_format(name).name)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("RSNA pneumonia challenge", "nih"), ("our reading of ChestX-ray14", "nih"), ("hospital", "hospital, 2026")],
)
def test_a_run_cannot_start_another_split_of_its_patients_unchecked(films, theirs, ours):
    films.table.write_parquet(films.study / "table.parquet")
    known = of_ours(films, 0, saw=(ArchiveSeen(archive=theirs, with_labels=True),))
    run = {"run": str(films.study / "runs" / "a" / "resample-1" / "seed-0")}
    with pytest.raises(WeightsError, match=r"test films of resample-\d and \d+ validation films are among them"):
        overlaps(replace(films, archive=ours), known, run)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("nih", "chexpert"), ("generated radiographs", "hospital"), ("nih", "hospital")],
)
def test_equal_numbers_of_patients_of_other_archives_are_chance(films, theirs, ours):
    films.table.write_parquet(films.study / "table.parquet")
    known = of_ours(films, 0, saw=(ArchiveSeen(archive=theirs, with_labels=True),))
    run = {"run": str(films.study / "runs" / "a" / "resample-1" / "seed-0")}
    table = films.table.with_columns(image_id=pl.concat_str(pl.lit("other-"), "image_id"))
    assert overlaps(replace(films, archive=ours, table=table), known, run) == []


def test_its_own_split_holds_out_what_it_did_not_learn_from(films):
    run = {"run": {"path": str(films.study / "runs" / "a" / "resample-1" / "seed-0"), "allow_overlap": ["nih"]}}
    found = overlaps(films, of_ours(films, 0), run)
    assert (found[0].basis, found[0].test_seen) == ("patients", 0)
    assert found[0].val_seen == len(held_out(films, 0, "val"))


def test_a_bundle_that_does_not_say_its_patients_is_refused_unless_its_study_is_named(films, tmp_path):
    elsewhere = Films(tmp_path / "new", films.archive, films.table, films.splits)
    known = of_ours(films, 0, source="bundle")
    with pytest.raises(
        WeightsError, match=r"nothing says which patients bundle a / .*study: \.\.\..*allow_overlap: \[nih\]"
    ):
        overlaps(elsewhere, known, {"bundle": "some/bundle"})
    with pytest.raises(WeightsError, match=r"learnt labels of nih"):
        overlaps(elsewhere, known, {"bundle": {"path": "some/bundle", "study": str(films.study)}})
    allowed = overlaps(elsewhere, known, {"bundle": {"path": "some/bundle", "allow_overlap": ["nih"]}})
    assert {one.basis for one in allowed} == {"archive"}


def test_a_split_file_of_another_draw_says_nothing(films):
    path = films.study / "splits" / "resample-1.json"
    assert json.loads(path.read_text())
    with pytest.raises(WeightsError, match=r"nothing says which patients run"):
        overlaps(films, of_ours(films, 0, split_digest="00" * 32), {"run": "elsewhere/runs/a/resample-1/seed-0"})
