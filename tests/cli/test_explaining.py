"""The commands that look into networks, from the outside."""

import numpy as np
import polars as pl
import pytest

from cxrbench.config import StudySettings
from cxrbench.study import carry_out, make_plan, prepare_study
from mutated_films import SIDE, radiograph, written


@pytest.fixture(scope="module")
def study(make_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explaining")
    settings = StudySettings(
        data=make_archive(folder / "films", patients=20),
        out=folder / "study",
        approaches=("1channel-meta",),
        profile="small",
        splits={"resamples": 1},
        recipe={"epochs": 1, "batch_size": 16},
        workers=1,
    )
    list(carry_out(make_plan(prepare_study(settings))))
    return folder / "study"


def test_explain_writes_maps_and_what_the_features_moved(cxrbench, study, tmp_path):
    image = pl.read_parquet(study / "table.parquet")["image_id"][0]
    code, out, err = cxrbench("explain", study, image, "--finding", "effusion", "--method", "cam", "--out", tmp_path)
    assert code == 0, err
    folder = tmp_path / "1channel-meta" / image.removesuffix(".png")
    names = {"Effusion-cam.png", "Effusion-cam.npy", "answers.csv", "features.csv", "ages.csv", "ages.svg"}
    assert {path.name for path in folder.iterdir()} == names
    heat = np.load(folder / "Effusion-cam.npy")
    assert (heat.shape, heat.dtype) == ((80, 80), np.float32)
    assert np.isnan(heat[0]).all()
    assert np.isfinite(heat[40, 40])
    assert str(folder) in out


def test_explain_takes_any_file_and_what_is_known_of_it(cxrbench, study, tmp_path):
    film = next((study.parent / "films" / "images").iterdir())
    film.with_name("mine.png").write_bytes(film.read_bytes())
    given = ("--age", "61", "--sex", "F", "--view", "AP", "--out", tmp_path)
    code, _, err = cxrbench("explain", study, film.with_name("mine.png"), *given)
    assert code == 0, err
    effects = pl.read_csv(tmp_path / "1channel-meta" / "mine" / "features.csv")
    assert effects.select("feature", "value").unique(maintain_order=True).rows() == [
        ("age", "61.0"),
        ("sex", "F"),
        ("view", "AP"),
        ("together", None),
    ]


def test_explain_says_when_a_film_was_trained_on(cxrbench, study, tmp_path):
    split = pl.read_json(study / "splits" / "resample-1.json")
    patient = split["patients"][0]["train"][0]
    image = pl.read_parquet(study / "table.parquet").filter(patient_id=patient)["image_id"][0]
    _, out, _ = cxrbench("explain", study, image, "--method", "cam", "--out", tmp_path)
    assert "(train part): its answer is no test of it" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.png",), "'nothing.png' is neither an image of"),
        (("{image}", "--finding", "Flu"), "unknown finding 'Flu'; valid names: Effusion"),
        (("{image}", "--method", "gradcam"), "unknown method 'gradcam'; valid names: cam"),
        (("{image}", "--sex", "X"), "sex 'X' is neither F nor M"),
    ],
)
def test_explain_refuses_what_it_does_not_know(cxrbench, study, tmp_path, arguments, said):
    image = pl.read_parquet(study / "table.parquet")["image_id"][0]
    code, _, err = cxrbench("explain", study, *(part.format(image=image) for part in arguments), "--out", tmp_path)
    assert code == 2
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_localise_and_nonimage_print_where_they_wrote(cxrbench, study, tmp_path):
    rows = [f"{name},Mass,0,0,512,512,,," for name in pl.read_parquet(study / "table.parquet")["image_id"]]
    (tmp_path / "boxes.csv").write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "\n".join(rows) + "\n")
    options = ("--boxes", tmp_path / "boxes.csv", "--method", "cam", "--sanity-films", "2", "--out", tmp_path / "maps")
    code, out, err = cxrbench("localise", study, *options)
    assert code == 0, err
    assert f"localisation: {tmp_path / 'maps'}" in out
    assert "cxrbench report" not in out  # it looks in the study, not there
    code, out, err = cxrbench("nonimage", study, "--probe-films", "30", "--out", tmp_path / "features")
    assert code == 0, err
    assert f"non-image features: {tmp_path / 'features'}" in out


def test_a_bundle_explains_a_film_by_itself(cxrbench, small_bundle, tmp_path):
    (tmp_path / "film.dcm").write_bytes(written(radiograph()))
    out = tmp_path / "why"
    code, told, err = cxrbench("explain", small_bundle, tmp_path / "film.dcm", "--finding", "effusion", "--out", out)
    assert code == 0, err
    names = {path.name for path in (out / "film").iterdir()}
    maps = {f"Effusion-{method}.{kind}" for method in ("cam", "layer-cam") for kind in ("png", "npy")}
    assert names == {*maps, "answers.csv", "features.csv"}
    heat = np.load(out / "film" / "Effusion-cam.npy")
    assert (heat.shape, heat.dtype) == ((SIDE, SIDE), np.float32)
    effects = pl.read_csv(out / "film" / "features.csv")
    assert effects.select("feature", "value").unique(maintain_order=True).rows() == [
        ("age", "62.0"), ("sex", "F"), ("view", "PA"),
    ]  # fmt: skip
    answers = pl.read_csv(out / "film" / "answers.csv")
    assert answers.columns == ["finding", "probability", "is_calibrated", "is_present", "percentile"]
    answered = tmp_path / "answers.csv"
    cxrbench("predict", small_bundle, tmp_path / "film.dcm", "--out", answered, "--workers", "0")
    effusion = answers.filter(finding="Effusion")["probability"][0]
    assert effusion == pytest.approx(pl.read_csv(answered)["Effusion"][0], abs=1e-9)
    assert "warning: " in told  # it is no chest
    assert "note: Research use only; not a medical device." in told


def test_a_bundle_is_asked_nothing_that_is_a_studys(cxrbench, small_bundle, tmp_path):
    for arguments, said in (
        (("--split", "official"), "--split is for a study's runs"),
        (("--finding", "Flu"), "unknown finding 'Flu'; valid names: Atelectasis"),
    ):
        (tmp_path / "film.dcm").write_bytes(written(radiograph()))
        code, _, err = cxrbench("explain", small_bundle, tmp_path / "film.dcm", *arguments, "--out", tmp_path / "why")
        assert code == 2
        assert said in err
    assert not (tmp_path / "why").exists()
