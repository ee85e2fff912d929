"""The release's own files: facts of the data that every reader must reproduce."""

import polars as pl
import pytest

from cxrbench.config import load_vocabulary
from cxrbench.data.tables import present, read_archive, read_table, require_complete
from cxrbench.errors import DataError
from cxrbench.splits import describe_split, official_split

LABELS = "Data_Entry_2017_v2020.csv"
IMAGES = {
    "Infiltration": 19_894,
    "Effusion": 13_317,
    "Atelectasis": 11_559,
    "Nodule": 6_331,
    "Mass": 5_782,
    "Pneumothorax": 5_302,
    "Consolidation": 4_667,
    "Pleural_Thickening": 3_385,
    "Cardiomegaly": 2_776,
    "Emphysema": 2_516,
    "Edema": 2_303,
    "Fibrosis": 1_686,
    "Pneumonia": 1_431,
    "Hernia": 227,
    "No Finding": 60_361,
}


@pytest.fixture(scope="module")
def folder(shared):
    return shared("nih-sample")


@pytest.fixture(scope="module")
def table(folder):
    return read_table(folder / LABELS)


@pytest.fixture(scope="module")
def split(folder, table):
    return official_split(table, folder / "train_val_list.txt", folder / "test_list.txt")


def test_images_and_patients(table):
    assert (table.height, table["patient_id"].n_unique()) == (112_120, 30_805)


def test_images_per_finding(table):
    counts = table.select(pl.col(load_vocabulary().names).cast(pl.Int64).sum()).row(0, named=True)
    assert counts == IMAGES


def test_sexes_views_and_ages(table):
    assert dict(table["sex"].value_counts().iter_rows()) == {"M": 63_340, "F": 48_780}
    assert dict(table["view"].value_counts().iter_rows()) == {"PA": 67_310, "AP": 44_810}
    assert (table["age_years"].min(), table["age_years"].max(), table["age_years"].null_count()) == (0, 95, 0)


def test_no_finding_is_never_beside_a_finding(table):
    assert (
        table.filter(pl.col("No Finding") == 1).select(pl.max_horizontal(load_vocabulary().pathologies).max()).item()
        == 0
    )


def test_the_suffix_of_a_name_is_not_the_follow_up_number(table):
    suffix = table["image_id"].str.extract(r"_(\d+)\.png").cast(pl.Int32)
    assert (suffix != table["follow_up"]).sum() == 24_106
    assert table.select((pl.col("follow_up").diff().over("patient_id") < 0).any()).item() is False


def test_edema_is_commoner_on_ap_films(table):
    share = table.group_by("view").agg(pl.col("Edema").mean())
    assert dict(share.iter_rows()) == pytest.approx({"PA": 0.004, "AP": 0.045}, abs=5e-4)


def test_the_official_split(split, table):
    counts = describe_split(split, table).filter(pl.col("finding") == "all images")
    train, val, test = counts.select("patients", "images").rows()
    assert test == (2_797, 25_596)
    assert (train[0] + val[0], train[1] + val[1]) == (28_008, 86_524)
    assert val[0] == round(0.125 * 28_008)
    assert split.source is not None
    assert split.source.endswith("the official lists of NIH ChestX-ray14")


def test_findings_are_commoner_in_the_official_test_part(split, table):
    counts = describe_split(split, table)
    images = {part: split.rows(table, part).size for part in ("train", "val", "test")}
    pneumothorax = dict(counts.filter(pl.col("finding") == "Pneumothorax").select("part", "images").iter_rows())
    train_val = (pneumothorax["train"] + pneumothorax["val"]) / (images["train"] + images["val"])
    assert (train_val, pneumothorax["test"] / images["test"]) == pytest.approx((0.031, 0.104), abs=1e-3)
    hernia = counts.filter(finding="Hernia", part="test")
    assert hernia.select("patients", "images").row(0) == (32, 86)


def test_lists_that_divide_the_release_otherwise_are_refused(table, tmp_path):
    names = table["image_id"].to_list()
    (tmp_path / "train.txt").write_text("\n".join(names[22_433:]))
    (tmp_path / "test.txt").write_text("\n".join(names[:22_433]))
    with pytest.raises(DataError, match=r"not the official lists .* 89,687 and 22,433 images, not 86,524 and 25,596"):
        official_split(table, tmp_path / "train.txt", tmp_path / "test.txt")


def test_the_sample_reports_what_it_lacks(folder):
    archive = read_archive(folder)
    assert (present(archive).height, len(archive.missing), archive.unlisted) == (303, 111_817, 0)
    assert archive.official == (folder / "train_val_list.txt", folder / "test_list.txt")
    with pytest.raises(DataError, match="111,817 of the 112,120 images"):
        require_complete(archive, allow_missing=False)


def test_thumbnails_are_described_by_the_labels_of_the_sample(folder, shared):
    archive = read_archive(shared("nih-thumbs"), labels=folder / LABELS)
    images = present(archive)
    assert (images.height, images["patient_id"].n_unique()) == (1_000, 264)
    assert archive.official is not None


def test_re_read_labels_are_read_like_any_csv(folder):
    table = read_table(folder / "google2019_nih-chest-xray-labels.csv")
    assert table.height == 4_376
