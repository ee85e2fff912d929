"""What is known of published weights is found by id and by the name of a file, and archives by their names."""

import pytest

from cxrbench.config import WeightsRecord
from cxrbench.errors import WeightsError
from cxrbench.models.weights.known import (
    archive_key,
    as_mean_and_std,
    find_known,
    known_by_file,
    known_by_id,
    stated,
    timm_facts,
)


def test_weights_trained_on_all_archives_of_torchxrayvision_learnt_nihs_labels():
    file = "nih-pc-chex-mimic_ch-google-openi-kaggle-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt"
    key, entry = known_by_file(file)
    assert key == "torchxrayvision/densenet121-res224-all"
    assert {seen.archive for seen in entry.saw if seen.with_labels} >= {"nih", "rsna", "padchest", "mimic"}


@pytest.mark.parametrize(
    ("file", "with_labels"),
    [("eva_x_small_patch16_merged520k_mim.pt", False), ("eva_x_small_patch16_merged520k_mim_cxr14_ft.pth", True)],
)
def test_eva_x_saw_nihs_official_list(file, with_labels):
    _, entry = known_by_file(file)
    [nih] = [seen for seen in entry.saw if seen.archive == "nih"]
    assert (nih.with_labels, nih.split) == (with_labels, "official train/val list")


def test_a_name_that_tells_nothing():
    assert known_by_file("weights.pth") is None
    assert known_by_id("someone/network") is None
    assert stated(None) == {}


def test_an_unknown_record_is_answered_with_near_ones():
    with pytest.raises(
        WeightsError, match=r"unknown record of weights 'microsoft/rad-din'; did you mean microsoft/rad-dino"
    ):
        find_known("microsoft/rad-din")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NIH ChestX-ray14", "nih"),
        ("nih", "nih"),
        ("RSNA pneumonia", "nih"),
        ("siim", "nih"),
        ("CheXpert", "chexpert"),
        ("SIIM-ACR pneumothorax challenge", "nih"),
        ("VinBigData challenge", "vindr"),
        ("kermany", "kermany"),
        ("our hospital", "our hospital"),
    ],
)
def test_archives_that_share_films_are_one(name, key):
    assert archive_key(name) == key


def test_a_range_is_a_mean_and_a_spread():
    facts = as_mean_and_std((-1024, 1024))
    [mean], [std] = facts["mean"], facts["std"]
    assert [(grey - mean) / std for grey in (0, 0.5, 1)] == pytest.approx([-1024, 0, 1024])


@pytest.mark.parametrize(
    ("tag", "dataset"),
    [
        ("tv_in1k", "ImageNet-1k"),
        ("fcmae_ft_in22k_in1k_384", "ImageNet-22k, then ImageNet-1k"),
        ("lvd142m", "LVD-142M"),
        ("untold", "unknown"),
    ],
)
def test_timms_tags_say_what_the_weights_learnt_from(tag, dataset):
    assert timm_facts({"tag": tag})["dataset"] == dataset


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("cc-by-nc-4.0", True),
        ("fair-noncommercial-research-license", True),
        ("Non-commercial use only", True),
        ("apache-2.0", False),
        ("mit", False),
        ("unknown", False),
    ],
)
def test_licences_that_forbid_commerce(licence, forbids):
    assert WeightsRecord(source="file", digest="", licence=licence).is_non_commercial == forbids
