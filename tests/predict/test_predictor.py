"""A bundle answers as its run did, film by film, whatever the file."""

from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.bundle.network import TorchNetwork
from cxrbench.data.images import Facts, Film, read_film
from cxrbench.data.store import open_store
from cxrbench.errors import ConfigError
from cxrbench.predict import Predictor, Request, backends, prepare_film
from cxrbench.runs import RunName


@pytest.fixture(scope="module")
def predictor(small_bundle):
    return Predictor(load_bundle(small_bundle))


def own_predictions(study, run):
    """The run's own test predictions, and a request for each of their films."""
    table = pl.read_parquet(study / "table.parquet").select("image_id", "path", "age_years", "sex", "view")
    own = pl.read_parquet(run.folder(study) / "predictions-test.parquet")
    rows = own.join(table, on="image_id", how="left", maintain_order="left")
    requests = [
        Request(path=study.parent / "films" / row["path"], age_years=row["age_years"], sex=row["sex"], view=row["view"])
        for row in rows.iter_rows(named=True)
    ]
    return own, requests


def test_the_reference_is_checked_on_opening(predictor):
    assert predictor.largest_difference < 1e-5


@pytest.mark.parametrize(
    "run", [RunName("1channel-meta", "resample-1", 0), RunName("large-meta", "resample-2", 0)], ids=str
)
def test_the_same_logits_as_the_runs_own_predictions(small_study, run, tmp_path):
    runs = choose_runs(small_study, approaches=[run.approach], splits=[run.split])
    predictor = Predictor(make_bundle(small_study, runs, tmp_path / "bundle"))
    own, requests = own_predictions(small_study, run)
    answers = [one.answer for one in predictor.predict_files(requests, batch_size=5)]
    logits = np.stack([answer.logits[0] for answer in answers])
    assert np.abs(logits - own.select(predictor.bundle.answered).to_numpy()).max() < 1e-5


def test_an_ensemble_is_the_mean_of_its_members(small_study, tmp_path):
    runs = (RunName("1channel", "resample-1", 0), RunName("large-meta", "resample-1", 0))
    bundle = make_bundle(small_study, runs, tmp_path / "bundle")
    own, requests = own_predictions(small_study, runs[0])
    answers = [one.answer for one in Predictor(bundle).predict_files(requests)]
    calibrations = [member.calibrations["Effusion"] for member in bundle.members]
    column = bundle.answered.index("Effusion")
    for answer in answers:
        each = [
            expit(c.intercept + c.slope * float(z)) for c, z in zip(calibrations, answer.logits[:, column], strict=True)
        ]
        assert answer.probabilities[column] == pytest.approx(np.mean(each))
    assert np.abs([a.logits[0, column] for a in answers] - own["Effusion"].to_numpy()).max() < 1e-5


def test_films_in_memory_have_the_answers_of_files(small_study, predictor):
    _, requests = own_predictions(small_study, RunName("1channel-meta", "resample-1", 0))
    films = [read_film(request.path) for request in requests[:3]]
    known = [
        Film(pixels=film.pixels, facts=request.over(film.facts)) for film, request in zip(films, requests, strict=False)
    ]
    in_memory = predictor.predict_films(known)
    from_files = [one.answer for one in predictor.predict_files(requests[:3])]
    for ours, theirs in zip(in_memory, from_files, strict=True):
        assert np.array_equal(ours.logits, theirs.logits)
        assert ours.warnings == theirs.warnings
    assert predictor.predict_films([]) == []


def test_the_mirror_is_the_mean_of_both_sides(small_bundle, small_study, predictor):
    _, requests = own_predictions(small_study, RunName("1channel-meta", "resample-1", 0))
    film = read_film(requests[0].path)
    turned = Film(pixels=np.ascontiguousarray(film.pixels[:, ::-1]))
    straight, mirrored = predictor.predict_films([film, turned])
    augmented = Predictor(load_bundle(small_bundle), has_mirror=True).predict_films([film])[0]
    assert augmented.logits == pytest.approx((straight.logits + mirrored.logits) / 2, abs=1e-5)
    assert not np.allclose(straight.logits, mirrored.logits, atol=1e-4)


def test_age_sex_and_view_move_the_answer(small_study, predictor):
    _, requests = own_predictions(small_study, RunName("1channel-meta", "resample-1", 0))
    pixels = read_film(requests[0].path).pixels
    young, old, unknown = predictor.predict_films(
        [Film(pixels=pixels, facts=Facts(age_years=age, sex="F", view="PA")) for age in (30, 60, None)]
    )
    assert not np.allclose(young.logits, old.logits, atol=1e-4)
    assert any("unknown age:" in warning for warning in unknown.warnings)
    assert not any("unknown" in warning for warning in young.warnings)


def test_warnings_beside_an_answer(small_study, predictor):
    _, requests = own_predictions(small_study, RunName("1channel-meta", "resample-1", 0))
    pixels = read_film(requests[0].path).pixels
    facts = Facts(age_years=3, sex="M", view="LL", warnings=("FOR PROCESSING: ...",))
    small = cv2.resize(255 - pixels, (40, 40))
    warnings = predictor.predict_films([Film(pixels=small, facts=facts)])[0].warnings
    for said in (
        "FOR PROCESSING",
        "a lateral film",
        "a child",
        "outside the training films",
        "40 x 40 pixels",
    ):
        assert any(said in warning for warning in warnings), said


def test_a_film_like_the_training_films_has_no_warning(small_study, predictor):
    _, requests = own_predictions(small_study, RunName("1channel-meta", "resample-1", 0))
    warned = [bool(one.answer.warnings) for one in predictor.predict_files(requests)]
    assert np.mean(warned) < 0.5


def test_a_bad_file_is_one_answer_among_others(small_study, predictor, tmp_path):
    _, requests = own_predictions(small_study, RunName("1channel-meta", "resample-1", 0))
    (tmp_path / "cut.png").write_bytes(requests[0].path.read_bytes()[:-50])
    mixed = [requests[0], Request(path=tmp_path / "cut.png"), Request(path=tmp_path / "none.dcm"), requests[1]]
    found = list(predictor.predict_files(mixed, batch_size=2))
    assert [one.path for one in found] == [str(request.path) for request in mixed]
    assert [one.error and one.error.split(":")[0] for one in found] == [
        None, "truncated PNG", "No such file or directory", None,
    ]  # fmt: skip
    assert found[1].answer is None
    assert found[3].answer.probabilities.shape == (len(predictor.bundle.answered),)


def test_another_backend_joins_by_its_name(small_bundle, monkeypatch, predictor):
    seen = []

    def opened(bundle, member):
        network = TorchNetwork(bundle.classifier(member))

        def call(films, features):
            seen.append((films.shape, films.dtype, features.shape))
            return network(films, features)

        return call

    monkeypatch.setitem(backends.BACKENDS, "other", opened)
    other = Predictor(load_bundle(small_bundle), backend="other")
    film = Film(pixels=np.zeros((90, 70), np.uint8))
    assert np.array_equal(other.predict_films([film])[0].logits, predictor.predict_films([film])[0].logits)
    assert seen[-1] == ((1, 1, 64, 64), np.float32, (1, 3))
    with pytest.raises(ConfigError, match=r"unknown backend 'tpu'; valid names: auto, torch, onnx"):
        Predictor(load_bundle(small_bundle), backend="tpu")


def test_a_prepared_film_is_the_stores(small_study):
    store = open_store(small_study / "store")
    table = pl.read_parquet(small_study / "table.parquet")
    path = small_study.parent / "films" / table["path"][0]
    prepared = prepare_film(read_film(Path(path)), store.sizes)
    for size in store.sizes:
        assert np.array_equal(prepared.squares[size], store.pixels(size)[store.rows([table["image_id"][0]])[0]])
