"""An export answers as torch does, and says what it must be given; another, or an altered one, is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from cxrbench.bundle import load_bundle
from cxrbench.data.images import Facts, Film
from cxrbench.errors import BundleError, ConfigError
from cxrbench.export import Exporting, export_bundle, exporting
from cxrbench.export.own_films import read_own_films
from cxrbench.export.parity import parity_samples
from cxrbench.export.quantising import CALIBRATION_FILMS, calibration_inputs
from cxrbench.export.writing import OPSET, write_openvino
from cxrbench.files import digest_json
from cxrbench.predict import Predictor, exported
from cxrbench.predict.backends import open_backends
from cxrbench.predict.exported import as_form, export_folder, export_notes, load_export
from cxrbench.predict.runtimes import OnnxNetwork, OpenVinoNetwork
from sealing import reseal

OF_0_1 = Path(__file__).parents[1] / "fixtures/study-0.1/bundle"
"""A bundle of version 0.1: some of its outputs were never learnt, and are withheld."""


@pytest.fixture
def copy(exported_bundle, tmp_path):
    return shutil.copytree(exported_bundle, tmp_path / "bundle")


def random_films(count):
    rng = np.random.default_rng(5)
    known = [Facts(age_years=float(age), sex="FM"[i % 2], view="PA") for i, age in enumerate(range(20, 20 + count))]
    facts = [*known[1:], Facts()]
    return [Film(pixels=rng.integers(0, 256, (100, 80), dtype=np.uint8), facts=each) for each in facts]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({}, "onnx, not to openvino"), ({"form": "openvino", "has_preprocessing": True}, "openvino with preprocessing")],
)
def test_an_export_under_the_name_of_another_is_refused(copy, monkeypatch, changes, said):
    bundle = load_bundle(copy)
    shutil.rmtree(export_folder(bundle, "openvino"))
    export_folder(bundle, "onnx").rename(export_folder(bundle, "openvino"))
    record = load_export(export_folder(bundle, "openvino"), bundle).model_copy(update=changes)
    monkeypatch.setattr(exported, "load_export", lambda folder, bundle: record)
    with pytest.raises(BundleError, match=f"openvino holds an export to {said}.*; was it renamed"):
        exported.exported_network(bundle, bundle.members[0], "openvino")


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("count", [1, 5])
def test_the_same_logits_as_torch(exported_bundle, backend, count):
    bundle, films = load_bundle(exported_bundle), random_films(count)
    predictor = Predictor(bundle, backend=backend)
    assert predictor.largest_difference < 1e-4
    expected = np.stack([answer.logits for answer in Predictor(bundle, backend="torch").predict_films(films)])
    found = np.stack([answer.logits for answer in predictor.predict_films(films)])
    assert np.abs(found - expected).max() < 1e-4
    assert found.dtype == np.float32


def test_squares_and_facts_in_logits_out(ensemble, exported_ensemble):
    folder, record = exported_ensemble
    assert [member.files[0].file for member in record.members] == ["members/1.onnx", "members/2.onnx"]
    for member, theirs, network in zip(ensemble.members, record.members, open_backends("torch", ensemble), strict=True):
        samples = parity_samples(member.approach.input.store_size, seed=1)
        given = samples.for_export(member, has_preprocessing=True)
        expected = network(*samples.for_torch(member))
        path = folder / theirs.files[0].file
        assert OnnxNetwork(path)(*given) == pytest.approx(expected, abs=1e-4)
        converted, _ = write_openvino(path, path.with_suffix(".xml"))
        assert OpenVinoNetwork(converted)(*given) == pytest.approx(expected, abs=1e-4)


def test_the_file_alone_says_what_it_takes(ensemble, exported_ensemble):
    import onnx  # noqa: PLC0415 - skipped where it is absent

    folder, record = exported_ensemble
    raw = (folder / "members" / "2.onnx").read_bytes()
    model = onnx.load_from_string(raw)
    about = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    assert about["bundle"] == record.bundle == ensemble.digest
    assert tuple(about["findings"]) == ensemble.findings
    assert "Research use only; not a medical device." in about["notices"]
    size = ensemble.members[1].approach.input.store_size
    film, features = about["inputs"]
    assert (film["name"], film["type"], film["shape"]) == ("film", "uint8", ["batch", size, size])
    assert features["meaning"] == "age in years; sex, F 0 and M 1; view position, PA 0 and AP 1; NaN where unknown"
    assert [each.name for each in model.graph.input] == ["film", "features"]
    assert [each.name for each in record.members[0].inputs] == ["film"]
    for machine in (b"site-packages", b'File "', b"graph.py", str(folder.parent).encode()):
        assert machine not in raw


def test_auc_beside_logits(exported_ensemble):
    _, record = exported_ensemble
    for member in record.members:
        assert member.largest_difference < 1e-4
        assert member.films_checked == 8
        assert member.auc
        assert all(one.torch == pytest.approx(one.exported, abs=1e-3 + one.near_ties) for one in member.auc)


def test_another_runs_study_is_refused(ensemble, small_study, tmp_path):
    study = shutil.copytree(small_study, tmp_path / "study")
    path = study / "runs" / "1channel" / "resample-1" / "seed-0" / "config.json"
    path.write_text(path.read_text().replace(ensemble.members[0].run.hash, "0" * 64))
    reseal(path.parent)
    said = "study does not have the run 1channel / resample-1 / seed 0 that the bundle was made from"
    with pytest.raises(BundleError, match=said):
        read_own_films(study, ensemble.members[0])
    shutil.rmtree(path.parent)
    with pytest.raises(BundleError, match=said):
        read_own_films(study, ensemble.members[0])


class Worse(nn.Module):
    """A network whose logits are a little off."""

    def __init__(self, whole):
        super().__init__()
        self.whole = whole

    def forward(self, film, features):
        return self.whole(film, features) + 0.001


def test_other_answers_than_torch_are_not_exported(small_bundle, tmp_path, monkeypatch):
    made = exporting.exported_module
    monkeypatch.setattr(exporting, "exported_module", lambda *args, **kw: Worse(made(*args, **kw)).eval())
    with pytest.raises(BundleError, match=r"of film \d has logit .* expected .* more than 0.0001 apart: not exported"):
        export_bundle(load_bundle(small_bundle), Exporting(form="onnx"), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_one_flipped_bit_is_refused(copy):
    for backend, name in (("onnx", "model.onnx"), ("openvino", "model.bin")):
        path = copy / "exports" / backend / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(BundleError, match=rf"{name}: altered since it was written"):
            Predictor(load_bundle(copy), backend=backend)


def test_a_file_that_is_gone(copy):
    (copy / "exports" / "onnx" / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"onnx lacks model\.onnx; delete .* and export again"):
        Predictor(load_bundle(copy), backend="onnx")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "absent, truncated or damaged"),
        ("[]", "expected keys and values, got list"),
        ('{"opset": 17}', "altered since it was written"),
    ],
    ids=["cut", "list", "altered"],
)
def test_a_description_that_was_changed(copy, text, said):
    (copy / "exports" / "onnx" / "export.json").write_text(text)
    with pytest.raises(BundleError, match=rf"export\.json: {said}"):
        Predictor(load_bundle(copy), backend="onnx")


@pytest.mark.parametrize("change", [{"members": []}, {"findings": ["Mass"]}], ids=["members", "findings"])
def test_a_description_of_other_networks_is_refused(copy, change):
    path = copy / "exports" / "onnx" / "export.json"
    raw = {key: value for key, value in (json.loads(path.read_text()) | change).items() if key != "digest"}
    path.write_text(json.dumps(raw | {"digest": digest_json(raw)}))
    with pytest.raises(BundleError, match=r"export\.json: its networks or findings are not those of the bundle"):
        Predictor(load_bundle(copy), backend="onnx")


def test_the_export_of_another_bundle_is_refused(exported_bundle, ensemble):
    with pytest.raises(BundleError, match=f"was made from bundle .*, not {ensemble.digest[:12]}"):
        load_export(exported_bundle / "exports" / "onnx", ensemble)


def test_without_an_export_the_command_is_named(small_bundle):
    with pytest.raises(ConfigError, match="has no export for openvino; make it: cxrbench export --to openvino"):
        Predictor(load_bundle(small_bundle), backend="openvino")


def test_an_export_is_never_overwritten(exported_bundle):
    with pytest.raises(BundleError, match="onnx exists already; choose another --out, or delete it"):
        export_bundle(load_bundle(exported_bundle), Exporting(form="onnx"))


def test_an_unknown_form_names_the_valid_ones():
    with pytest.raises(ConfigError, match="unknown form 'tflite'; valid names: onnx, openvino, openvino-int8"):
        as_form("tflite")


def test_auto_takes_openvino_and_answers_as_the_run_did(exported_bundle):
    bundle, films = load_bundle(exported_bundle), random_films(4)
    fastest = Predictor(bundle)
    assert (fastest.backend, fastest.passed_over) == ("openvino", {})
    expected = [answer.logits for answer in Predictor(bundle, backend="torch").predict_films(films)]
    assert np.stack([answer.logits for answer in fastest.predict_films(films)]) == pytest.approx(
        np.stack(expected), abs=1e-5
    )


@pytest.fixture(scope="module")
def int8(small_bundle, small_study, tmp_path_factory):
    """The small bundle with its export in int8, whose loss is bounded by nothing: bundle, record."""
    bundle = load_bundle(shutil.copytree(small_bundle, tmp_path_factory.mktemp("int8") / "bundle"))
    return bundle, export_bundle(bundle, Exporting(form="openvino-int8", study=small_study, max_auc_loss=1.0))[1]


def test_int8_says_what_it_costs(int8):
    _, record = int8
    (member,) = record.members
    assert member.auc_loss.upper is None  # six test patients show nothing
    assert any(one.torch != one.exported for one in member.auc)
    assert member.largest_difference > 1e-4  # it is int8 indeed
    assert "nncf" in record.made_with


def test_int8_answers_about_as_torch_does(int8):
    bundle, record = int8
    films = random_films(4)
    told = [
        np.stack([answer.logits for answer in Predictor(bundle, backend=backend).predict_films(films)])
        for backend in ("torch", "openvino-int8")
    ]
    assert 0 < np.abs(told[1] - told[0]).max() < 20 * record.members[0].largest_difference
    assert Predictor(bundle).backend == "torch"  # auto never takes it


def test_int8_that_may_cost_too_much_is_not_exported(small_bundle, small_study, tmp_path):
    how = Exporting(form="openvino-int8", study=small_study, max_auc_loss=0.01)
    with pytest.raises(BundleError, match="no finding has the test patients to show what int8 costs: not exported"):
        export_bundle(load_bundle(small_bundle), how, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_int8_without_a_study_is_refused():
    with pytest.raises(ConfigError, match="openvino-int8 needs --study"):
        Exporting(form="openvino-int8")


def test_int8_is_calibrated_on_validation_films_only(ensemble, small_study):
    own = read_own_films(small_study, ensemble.members[1])
    given = list(calibration_inputs(own, has_preprocessing=True))
    validation = own.told.validation.images
    rows = own.store.rows(validation["image_id"])
    assert len(given) == validation.height < CALIBRATION_FILMS
    squares = np.concatenate([one["film"] for one in given])
    assert np.array_equal(squares, own.store.pixels(ensemble.members[1].approach.input.store_size)[rows])
    assert not set(validation["patient_id"]) & set(own.told.test.images["patient_id"])


@pytest.fixture(scope="module")
def export_of_0_1(tmp_path_factory):
    folder = shutil.copytree(OF_0_1, tmp_path_factory.mktemp("old") / "bundle")
    export_bundle(load_bundle(folder), Exporting(form="onnx"))
    return folder


def redescribed(folder, **changes):
    """Exchange fields of an export's description, under a digest that fits; null removes one."""
    path = export_folder(load_bundle(folder), "onnx") / "export.json"
    raw = json.loads(path.read_text()) | changes
    raw = {key: value for key, value in raw.items() if value is not None and key != "digest"}
    path.write_text(json.dumps(raw | {"digest": digest_json(raw)}))


def test_an_export_names_what_must_not_be_answered(export_of_0_1):
    import onnx  # noqa: PLC0415 - skipped where it is absent

    bundle = load_bundle(export_of_0_1)
    assert bundle.record.withheld
    folder = export_folder(bundle, "onnx")
    record = load_export(folder, bundle)
    assert record.withheld == bundle.record.withheld
    (output,) = record.members[0].outputs
    assert output.meaning.endswith(f"could not learn them: {', '.join(bundle.record.withheld)}")
    about = {each.key: json.loads(each.value) for each in onnx.load(folder / "model.onnx").metadata_props}
    assert about["withheld"] == bundle.record.withheld
    assert about["outputs"] == [output.model_dump(mode="json")]
    assert export_notes(bundle) == []


def test_whoever_runs_it_does_not_answer_them(export_of_0_1):
    bundle = load_bundle(export_of_0_1)
    (answer,) = Predictor(bundle, backend="onnx").predict_films(random_films(1))
    assert len(answer.probabilities) == len(bundle.findings) - len(bundle.record.withheld)


def test_an_export_that_does_not_name_them_is_kept_back_by_the_bundle(export_of_0_1, tmp_path):
    folder = shutil.copytree(export_of_0_1, tmp_path / "bundle")
    redescribed(folder, withheld=None)
    bundle = load_bundle(folder)
    (answer,) = Predictor(bundle, backend="onnx").predict_films(random_films(1))
    assert len(answer.probabilities) == len(bundle.answered)
    (note,) = export_notes(bundle)
    assert f"must not answer ({', '.join(bundle.record.withheld)})" in note


def test_an_export_that_withholds_others_is_refused(export_of_0_1, tmp_path):
    folder = shutil.copytree(export_of_0_1, tmp_path / "bundle")
    redescribed(folder, withheld={})
    with pytest.raises(BundleError, match="the findings it withholds are not those of the bundle; delete"):
        Predictor(load_bundle(folder), backend="onnx")
