"""Maps against boxes: whose films count, what the tables say, and that the maps hang on what was learnt."""

import numpy as np
import polars as pl
import pytest

from cxrbench.config import load_approach, with_changes
from cxrbench.errors import ConfigError, DataError
from cxrbench.explain.boxes import film_boxes
from cxrbench.explain.localisations import localisation_table
from cxrbench.explain.localising import SCORES_SCHEMA, boxed_findings, centre_map, mapped, score_rows
from cxrbench.explain.maps import Asked, heat_maps
from cxrbench.explain.sanity import cascade, randomised, rank_correlation, sanity_rows
from cxrbench.explain.scoring import Localising, localise_study
from cxrbench.models.classifier import Classifier

CASCADE = ("head", *(f"backbone.layer{stage}" for stage in (4, 3, 2, 1)), "backbone.bn1", "backbone.conv1")
"""Of a ResNet."""


@pytest.fixture(scope="module")
def box_list(opened, tmp_path_factory):
    """A box over the lower half of every film with Effusion, over the upper third with Mass."""
    rows = [
        f"{row['image_id']},{finding},{box},,,"
        for row in opened.table.iter_rows(named=True)
        for finding, box in (("Effusion", "0,512,1024,512"), ("Mass", "0,0,1024,341"))
        if row[finding]
    ]
    path = tmp_path_factory.mktemp("boxes") / "BBox_List_2017.csv"
    path.write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def asked(opened, image_run, box_list):
    return boxed_findings(opened, image_run, film_boxes(box_list, opened))


def test_only_test_films_are_asked(opened, image_run, asked):
    test = image_run.test_rows(opened.table)
    expected = {
        (row["image_id"], name) for row in test.iter_rows(named=True) for name in ("Effusion", "Mass") if row[name]
    }
    assert {(one.image_id, one.finding) for one in asked} == expected


def test_answers_come_in_the_order_asked_with_each_films_own_map(opened, image_run, asked):
    answers = list(mapped(opened, image_run, asked, ["cam"]))
    assert [answer.boxed for answer in answers] == asked
    last = asked[-1]
    part = image_run.part(opened, opened.rows([last.image_id]))
    film, features, _ = part.batch(np.zeros(1, int), np.array([[[1, 0, 4], [0, 1, 4.0]]]))
    alone = heat_maps(image_run.classifier, Asked(film, features, image_run.findings.index(last.finding)), "cam")[0]
    assert answers[-1].cells["cam"] == pytest.approx(alone, abs=1e-4)


def test_the_centre_map_is_a_cone(asked):
    cone = centre_map(asked[0].frame)
    assert np.unravel_index(cone.argmax(), cone.shape) in {(39, 39), (39, 40), (40, 39), (40, 40)}
    assert (cone >= 0.5).sum() == pytest.approx(np.pi * 20**2, rel=0.02)


def scores(hits):
    """One finding on films of as many patients, a method that hits so and a centre that always hits."""
    rows = [
        {"approach": "a", "split": "s", "seed": 0, "image_id": str(n), "patient_id": str(n), "finding": "Mass",
         "boxes": 1, "logit": 0.0, "method": method, "is_hit": hit, "iou_at_0.25": 0.15 * hit,
         "iou_at_0.5": 0.35 * hit, "iou_at_0.75": 0.0, "energy": 0.5}
        for n, own in enumerate(hits)
        for method, hit in (("cam", own), ("centre", True))
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCORES_SCHEMA)


def test_the_table_is_the_mean_of_the_films():
    table = localisation_table(scores([True] * 6 + [False] * 4))
    of_mass = table.filter(method="cam", finding="Mass")
    cam = {(row["measure"], row["level"]): row for row in of_mass.iter_rows(named=True)}
    pointing = cam["pointing", None]
    assert pointing["estimate"] == pytest.approx(0.6)
    assert pointing["over_centre"] == pytest.approx(-0.4)
    assert pointing["lower"] < 0.6 < pointing["upper"]
    assert cam["energy", None]["estimate"] == 0.5
    assert table.filter(method="cam", finding="all")["estimate"].to_list() == of_mass["estimate"].to_list()


def test_overlap_is_counted_at_each_level_of_the_map():
    table = localisation_table(scores([True] * 6 + [False] * 4)).filter(method="cam", finding="Mass")
    cam = {(row["measure"], row["level"]): row["estimate"] for row in table.iter_rows(named=True)}
    assert [cam["iou", level] for level in (0.25, 0.5, 0.75)] == pytest.approx([0.6 * 0.15, 0.6 * 0.35, 0])
    assert [cam["iou>0.1", level] for level in (0.25, 0.5, 0.75)] == pytest.approx([0.6, 0.6, 0])
    assert [cam["iou>0.3", level] for level in (0.25, 0.5, 0.75)] == pytest.approx([0, 0.6, 0])
    assert cam["iou>0.4", 0.5] == 0


def test_films_that_all_score_the_same_say_nothing_of_how_sure_a_mean_is():
    table = localisation_table(scores([True] * 6 + [False] * 4)).filter(method="cam", finding="Mass")
    same, differ = (
        table.filter(measure=name, level=level).row(0, named=True) for name, level in (("iou", 0.75), ("iou", 0.5))
    )
    assert (same["estimate"], same["lower"], same["reason"]) == (0, None, "all films score the same")
    assert differ["lower"] < differ["estimate"] < differ["upper"]
    assert -1 <= differ["over_centre_lower"] < differ["over_centre"]


def test_few_patients_have_no_interval():
    row = localisation_table(scores([True, False])).row(0, named=True)
    assert (row["lower"], row["reason"]) == (None, "2 patients; an interval needs 5")


def test_random_maps_come_from_the_seed(opened, image_run, asked):
    answers = list(mapped(opened, image_run, asked[:3], ["cam"]))
    energies = [
        [row["energy"] for row in score_rows(image_run, answers, seed=seed) if row["method"] == "random"]
        for seed in (0, 0, 1)
    ]
    assert energies[0] == energies[1] != energies[2]


def test_the_cascade_ends_in_a_network_that_learnt_nothing(image_run):
    learnt = {name: value.clone() for name, value in image_run.classifier.state_dict().items()}
    steps = []
    for step, network in randomised(image_run.classifier, image_run.config.approach, seed=1):
        steps.append(step)
        changed = {
            name.rsplit(".", 1)[0] for name, value in network.state_dict().items() if not value.equal(learnt[name])
        }
        assert all(name.startswith(tuple(steps)) for name in changed)
    assert tuple(steps) == CASCADE
    # Nothing is left out: every weight belongs to a step.
    assert all(name.startswith(CASCADE) for name in learnt)
    assert all(value.equal(learnt[name]) for name, value in image_run.classifier.state_dict().items())


@pytest.mark.parametrize(
    ("model", "first", "last"),
    [
        ("test_vit", ["head", "norm", "blocks.5", "blocks.4"], ["patch_embed", "pos_embed", "cls_token"]),
        ("test_efficientnet", ["head", "bn2", "conv_head", "blocks.4"], ["blocks.0", "bn1", "conv_stem"]),
    ],
)
def test_other_networks_are_made_random_block_by_block(model, first, last):
    backbone = {"timm": {"model": model}}
    changes = {"network.backbone": backbone, "input.image_size": 64, "input.store_size": 72}
    approach = with_changes(load_approach("1channel"), changes)
    classifier = Classifier(approach, findings=2)
    parts = cascade(classifier)
    names = [part.removeprefix("backbone.network.") for part in parts]
    assert names[: len(first)] == first
    assert names[-len(last) :] == last
    for _, network in randomised(classifier, approach, seed=1):
        ended = network.state_dict()
    fresh = {name for name, value in classifier.state_dict().items() if not value.equal(ended[name])}
    drawn = {name for name, value in classifier.named_parameters() if value.std() > 0}
    assert drawn <= fresh  # nothing that is drawn keeps its value


def test_rank_correlation_of_a_flat_map_is_none():
    ramp = np.arange(9.0).reshape(3, 3)
    assert rank_correlation(ramp, ramp**3) == pytest.approx(1)
    assert rank_correlation(ramp, np.zeros((3, 3))) == 0


def test_random_weights_destroy_the_maps(opened, image_run, asked):
    rows = list(sanity_rows(opened, image_run, asked, ["layer-cam"], stage=2, seed=1))
    assert [row["randomised"] for row in rows] == list(CASCADE)
    assert rows[-1]["correlation"] < 0.5
    assert rows[-1]["cells"] == 64


def test_a_whole_study_leaves_tables_and_pictures(opened, image_run, box_list, tmp_path):
    how = Localising(methods=("cam", "layer-cam"), sanity_films=5)
    result = localise_study(opened.folder, box_list, tmp_path / "out", names=[image_run.name], how=how)
    assert result.left_out == ()
    assert set(result.table["method"]) == {"cam", "layer-cam", "centre", "random"}
    assert set(result.table["finding"]) == {"Effusion", "Mass", "all"}
    assert pl.read_csv(tmp_path / "out" / "localisation.csv").height == result.table.height
    for file in ("localisation.csv", "sanity.csv"):
        assert set(pl.read_csv(tmp_path / "out" / file)["test_films_seen_by_weights"]) == {0}
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == {
        "1channel-resample-1-seed-0-cam.png",
        "1channel-resample-1-seed-0-layer-cam.png",
    }
    again = localise_study(opened.folder, box_list, tmp_path / "out", names=[image_run.name], how=how)
    assert again.table.equals(result.table)


def test_a_stage_that_a_run_has_not_is_named_with_the_run(opened, image_run, box_list, tmp_path):
    how = Localising(stage=7)
    with pytest.raises(ConfigError, match="no stage 7: the network has stages 1 to 4"):
        localise_study(opened.folder, box_list, tmp_path / "out", names=[image_run.name], how=how)


def test_boxes_on_training_films_alone_are_refused(opened, image_run, tmp_path):
    row = opened.table[image_run.split.rows(opened.table, "train")].row(0, named=True)
    path = tmp_path / "boxes.csv"
    path.write_text(f"Image Index,Finding Label,Bbox [x,y,w,h],,,\n{row['image_id']},Mass,1,1,5,5,,,\n")
    with pytest.raises(DataError, match="none of its boxes is on a test film"):
        localise_study(opened.folder, path, tmp_path / "out", names=[image_run.name], how=Localising())
    assert not (tmp_path / "out").exists()
