"""Bundles whose networks need code of other packages: what is recorded, what is refused, and what runs without."""

import importlib
import json
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cxrbench import cli
from cxrbench.bundle import choose_runs, load_bundle
from cxrbench.bundle.making import make_bundle
from cxrbench.bundle.packages import code_notes, modules_of, obstacle_of, packages_of, with_absent_parts
from cxrbench.config import BACKBONES, Approach, SplitPlan, StudySettings, load_approach
from cxrbench.errors import BundleError
from cxrbench.files import digest_json
from cxrbench.predict import Predictor
from cxrbench.predict.exported import with_export
from cxrbench.study import carry_out, make_plan, prepare_study
from dicom_film import write_film

NETS = '''
"""A network of two layers; leaves a mark when it is imported."""

from pathlib import Path

from torch import nn

from cxrbench.config import Settings
from cxrbench.config.registry import Entry

(Path(__file__).parent / "imported").touch()


class Small(Settings):
    width: int = 4


def build(settings=None, *, channels, image_size):
    width = settings.width if settings else 4
    return nn.Sequential(nn.Conv2d(channels, width, 8, stride=8), nn.ReLU())


def build_part(settings, *, channels, image_size):

    size = {"channels": channels, "image_size": image_size}
    return build(settings, **size)


entry = Entry("throwaway", Small, "throwaway_nets.nets:build_part", "for a test", main="width")
'''
APPROACH = """
name: {name}
summary: a network of another package
network: {{backbone: {backbone}, weights: none, features: [age, sex]}}
input: {{image_size: 64, store_size: 64, channels: 1, mean: [0.5], std: [0.25]}}
recipe: {{learning_rate: 0.01, epochs: 1, batch_size: 16}}
"""
BY_MODULE, BY_ENTRY = "{module: throwaway_nets.nets:build}", "{throwaway: 4}"


class Package:
    """A throwaway package on ``sys.path``, which can be taken away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = folder / "throwaway_nets" / "imported"
        (folder / "throwaway_nets").mkdir(parents=True)
        (folder / "throwaway_nets/__init__.py").write_text("")
        (folder / "throwaway_nets/nets.py").write_text(NETS)
        described = folder / "throwaway_nets-1.5.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: throwaway-nets\nVersion: 1.5\n")
        (described / "top_level.txt").write_text("throwaway_nets\n")
        (described / "entry_points.txt").write_text("[cxrbench.backbones]\nthrowaway = throwaway_nets.nets:entry\n")

    def put(self) -> None:
        sys.path.insert(0, str(self.folder))
        self.forget()

    def take(self) -> None:
        sys.path.remove(str(self.folder))
        self.forget()

    def forget(self) -> None:
        """Let Python look anew, as a process that has just started would."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "throwaway_nets"]:
            del sys.modules[name]
        self.mark.unlink(missing_ok=True)
        importlib.invalidate_caches()
        vars(BACKBONES).pop("_foreign", None)
        BACKBONES._cache.clear()

    @property
    def is_imported(self) -> bool:
        return self.mark.exists()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    made = Package(tmp_path_factory.mktemp("site"))
    made.put()
    yield made
    if str(made.folder) in sys.path:
        made.take()


@pytest.fixture(scope="module")
def study(package, make_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    approaches = {"by-module": BY_MODULE, "by-entry": BY_ENTRY}
    for name, backbone in approaches.items():
        (folder / f"{name}.yaml").write_text(APPROACH.format(name=name, backbone=backbone))
    settings = StudySettings(
        data=make_archive(folder / "archive", side=64),
        out=folder / "study",
        approaches=tuple(str(folder / f"{name}.yaml") for name in approaches),
        splits=SplitPlan(resamples=1),
    )
    outcomes = list(carry_out(make_plan(prepare_study(settings))))
    assert not [outcome.failure for outcome in outcomes if outcome.failure]
    return folder / "study"


@pytest.fixture(scope="module")
def bundles(study):
    return {
        name: make_bundle(study, choose_runs(study, approaches=[name]), study.parent / name).folder
        for name in ("by-module", "by-entry")
    }


@pytest.fixture
def film(study):
    return str(min((study.parent / "archive/images").iterdir()))


@pytest.fixture
def absent(package, bundles):
    """The package is not installed."""
    package.take()
    yield package
    package.put()


@pytest.fixture
def unseen(package, bundles):
    """The package is installed, and nothing of it was imported yet."""
    package.forget()
    return package


def main(arguments) -> int:
    """Run the command line in this process; gives its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cxrbench", *arguments])
        patch.setattr(os, "environ", dict(os.environ))
        try:
            cli.main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def answer(folder, film, out, *options):
    """Exit code of ``cxrbench predict``."""
    return main(["predict", str(folder), film, "--out", str(out), "--workers", "0", "--backend", "torch", *options])


@pytest.mark.parametrize("name", ["by-module", "by-entry"])
def test_package_version_and_sources_are_recorded(bundles, name):
    (member,) = load_bundle(bundles[name]).members
    (record,) = member.packages
    assert (record.kind, record.module) == ("backbone", "throwaway_nets.nets")
    assert (record.package, record.version) == ("throwaway-nets", "1.5")
    assert len(record.sha256) == 64
    assert "| throwaway_nets.nets | throwaway-nets | 1.5 |" in load_bundle(bundles[name]).card


def test_networks_of_our_own_need_no_record(small_bundle):
    (member,) = load_bundle(small_bundle).members
    assert packages_of(member.approach.network) == member.packages == ()
    assert obstacle_of(member.approach.network, (), allowed=()) is None


def test_an_installed_entry_point_needs_no_permission(bundles, unseen, film, tmp_path):
    assert answer(bundles["by-entry"], film, tmp_path / "p.csv") == 0
    assert unseen.is_imported


@pytest.mark.parametrize("command", ["predict", "check", "explain", "dicom", "serve", "export"])
def test_a_module_that_only_a_bundle_names_is_not_imported(bundles, unseen, film, tmp_path, capsys, command):
    bundle, out = str(bundles["by-module"]), str(tmp_path / "out.csv")
    said = {
        "predict": ["predict", bundle, film, "--out", out],
        "check": ["check", bundle],
        "explain": ["explain", bundle, film, "--out", str(tmp_path / "maps")],
        "dicom": ["dicom", bundle, film, "--out", str(tmp_path / "results")],
        "serve": ["serve", bundle, "--port", "0"],
        "export": ["export", bundle, "--to", "onnx"],
    }[command]
    assert main(said) == 2
    error = capsys.readouterr().err
    assert "its network is built by module throwaway_nets.nets, which only the bundle names" in error
    assert "--allow-module throwaway_nets.nets" in error
    assert error.count("\n") == 1
    assert not unseen.is_imported


@pytest.mark.parametrize("allowed", ["throwaway_nets.nets", "throwaway_nets"])
def test_it_is_imported_where_it_is_allowed(bundles, unseen, film, tmp_path, allowed):
    assert answer(bundles["by-module"], film, tmp_path / "p.csv", "--allow-module", allowed) == 0
    assert pl.read_csv(tmp_path / "p.csv")["Effusion"].is_between(0, 1).all()
    assert unseen.is_imported


@pytest.mark.parametrize("allowed", ["throwaway", "nets", "throwaway_nets.ne"])
def test_a_part_of_a_name_allows_nothing(bundles, unseen, film, tmp_path, allowed):
    assert answer(bundles["by-module"], film, tmp_path / "p.csv", "--allow-module", allowed) == 2
    assert not unseen.is_imported


def test_parts_are_made_by_processes_that_may_import_it_too(bundles, film, tmp_path):
    code = main(["predict", str(bundles["by-module"]), film, "--parts", str(tmp_path / "parts"), "--workers", "0",
                 "--backend", "torch", "--allow-module", "throwaway_nets"])  # fmt: skip
    assert code == 0


@pytest.mark.parametrize("name", ["by-module", "by-entry"])
def test_without_the_package_it_is_one_line(bundles, absent, film, tmp_path, capsys, name):
    assert answer(bundles[name], film, tmp_path / "p.csv", "--allow-module", "throwaway_nets") == 2
    error = capsys.readouterr().err
    assert "is not installed here; install it, or use an export" in error
    assert "throwaway" in error
    assert error.count("\n") == 1


def test_the_line_names_package_and_version(bundles, absent):
    bundle = load_bundle(bundles["by-entry"])
    assert bundle.code_obstacle() == (
        "backbone throwaway is built by throwaway_nets.nets of package throwaway-nets 1.5, which is not installed "
        "here; install it"
    )


def test_an_entry_that_nobody_recorded_is_unknown(bundles, absent, tmp_path):
    folder = shutil.copytree(bundles["by-entry"], tmp_path / "bundle")
    raw = json.loads((folder / "bundle.json").read_text())
    raw.pop("digest")
    raw["members"][0]["packages"] = []
    (folder / "bundle.json").write_text(json.dumps(raw | {"digest": digest_json(raw)}))
    with pytest.raises(BundleError, match=r"unknown backbone 'throwaway'"):
        load_bundle(folder)


@pytest.fixture(scope="module")
def exported(bundles, package, tmp_path_factory):
    """By name: a bundle without exports, and an export of it in another folder."""
    for needed in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(needed, reason="needs the extra `export`")
    folder, made = tmp_path_factory.mktemp("exported"), {}
    for name, bundle in bundles.items():
        own = shutil.copytree(bundle, folder / name, ignore=shutil.ignore_patterns("exports"))
        out = folder / f"{name}-onnx"
        said = ["export", str(own), "--to", "onnx", "--out", str(out), "--allow-module", "throwaway_nets"]
        assert main(said) == 0
        made[name] = (own, out)
    return made


@pytest.fixture
def alone(exported, absent):
    """The exports, where the package is not installed."""
    return exported


@pytest.mark.parametrize("name", ["by-module", "by-entry"])
def test_an_export_answers_without_the_package(exported, package, film, tmp_path, capsys, name):
    folder, export = exported[name]
    expected = answered(load_bundle(folder, allowed_modules=["throwaway_nets"]), "torch", film)
    inside = shutil.copytree(folder, tmp_path / "bundle")
    shutil.copytree(export, inside / "exports/onnx")
    package.take()
    try:
        for opened in (load_bundle(inside), with_export(load_bundle(folder), export)):
            assert np.abs(answered(opened, "auto", film) - expected).max() < 1e-4
        assert main(["check", str(folder), "--export", str(export)]) == 0
        assert "torch is not used: " in capsys.readouterr().out
    finally:
        package.put()


def test_parts_are_made_by_a_given_export(alone, film, tmp_path):
    folder, export = alone["by-entry"]
    said = ["predict", str(folder), film, "--parts", str(tmp_path / "parts"), "--workers", "0"]
    assert main([*said, "--export", str(export)]) == 0


def test_the_export_of_another_bundle_is_refused(alone, film, tmp_path, capsys):
    said = ["predict", str(alone["by-entry"][0]), film, "--out", str(tmp_path / "p.csv")]
    assert main([*said, "--export", str(alone["by-module"][1])]) == 2
    assert "was made from bundle" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["by-module", "by-entry"])
def test_dicom_results_come_without_heat_maps(alone, tmp_path, capsys, name):
    pytest.importorskip("highdicom", reason="needs the extra `dicom`")
    folder, export = alone[name]
    write_film(tmp_path / "film.dcm", np.random.default_rng(0).integers(0, 4096, (96, 96), dtype=np.uint16))
    out = str(tmp_path / "results")
    assert main(["dicom", str(folder), str(tmp_path / "film.dcm"), "--out", out, "--export", str(export)]) == 0
    said = capsys.readouterr()
    assert "report, 0 heat maps" in said.out
    assert "note: no heat maps and no boxes: " in said.err
    assert "not installed here; install it" in said.err
    assert [one.name for one in (tmp_path / "results/film").iterdir()] == ["report.dcm"]


def test_a_listener_starts_without_the_package(alone, tmp_path, capsys, monkeypatch):
    pytest.importorskip("highdicom", reason="needs the extra `dicom`")
    monkeypatch.setattr("cxrbench.pacs.listener.Listener.run", lambda self, stop: None)
    monkeypatch.setattr("cxrbench.cli.pacs._stop_on_signals", lambda: None)
    monkeypatch.setattr("cxrbench.cli.pacs._log_to_stderr", lambda: None)
    folder, export = alone["by-entry"]
    said = ["listen", str(folder), "--spool", str(tmp_path / "spool"), "--out", str(tmp_path / "out"), "--port", "0"]
    assert main([*said, "--export", str(export)]) == 0
    assert "note: no heat maps and no boxes: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["by-module", "by-entry"])
def test_a_server_answers_without_heat_maps(alone, film, name):
    testclient = pytest.importorskip("starlette.testclient", reason="needs the extra `serve`")
    from cxrbench.serve import ServeSettings, create_app  # noqa: PLC0415

    folder, export = alone[name]
    app = create_app({"own": with_export(load_bundle(folder), export)}, ServeSettings(workers=1, time_limit_s=300))
    with testclient.TestClient(app, base_url="http://127.0.0.1:8000") as client:
        (served,) = client.get("/v1/bundles").json()["bundles"]
        assert served["methods"] == []
        assert "not installed here; install it" in served["no_heat_maps"]
        answer = client.post("/v1/predict", files={"film": Path(film).read_bytes()})
        assert answer.status_code == 200
        assert set(answer.json()["findings"][0]["moved_by"]) <= {"age", "sex", "view"}
        refused = client.post(
            "/v1/explain", files={"film": Path(film).read_bytes()}, data={"finding": served["findings"][0]}
        )
    assert refused.status_code == 422
    assert refused.json()["error"] == {
        "what": "bundle 'own' has no heat maps here", "remedy": served["no_heat_maps"],
    }  # fmt: skip


def test_explaining_needs_the_network_itself(alone, film, tmp_path, capsys):
    folder, _ = alone["by-entry"]
    assert main(["explain", str(folder), film, "--out", str(tmp_path / "maps")]) == 2
    error = capsys.readouterr().err
    assert "heat maps need the network itself; backbone throwaway is built by throwaway_nets.nets" in error
    assert "use an export" not in error
    assert error.count("\n") == 1


def answered(bundle, backend, film):
    """Probabilities of one film."""
    from cxrbench.predict import gather  # noqa: PLC0415

    (prediction,) = Predictor(bundle, backend=backend).predict_files(gather([film]))
    return prediction.answer.probabilities


def test_other_code_than_the_bundle_was_made_with_is_noted(bundles, package):
    (member,) = load_bundle(bundles["by-module"]).members
    assert code_notes(member.packages) == ()
    assert modules_of(member.approach.network) == ("throwaway_nets.nets",)
    source = package.folder / "throwaway_nets/nets.py"
    source.write_text(NETS + "\n# changed\n")
    try:
        (note,) = code_notes(member.packages)
        assert note.endswith("of package throwaway-nets 1.5, whose sources have changed since")
    finally:
        source.write_text(NETS)


def test_the_package_is_what_python_says_it_is(package):
    assert metadata.version("throwaway-nets") == "1.5"


def test_an_operation_of_a_package_that_is_not_installed_stops_no_prediction():
    approach = load_approach("1channel").model_dump(mode="json")
    approach["augmentation"]["operations"] = [{"sparkle": {"much": 1}}, {"noise": {}}]
    read = with_absent_parts({"packages": [], "approach": approach})
    kept = Approach.model_validate(read["approach"])
    assert kept.model_dump(mode="json")["augmentation"]["operations"][0] == {"sparkle": {"much": 1}}
    assert kept.augmentation.operations[1].settings.strength == 0.05


FOREIGN = {
    "simple": {"learning_rate": 0.1, "loss": {"sparkle": {"much": 1}}, "sampler": {"glitter": {}}},
    "in phases": {
        "loss": {"sparkle": {"much": 1}},
        "phases": [
            {"epochs": 1, "trained": "all", "optimiser": {"gleam": {"rate": 0.1}}, "schedule": {"fade": {}}},
            {"epochs": 2, "trained": "all", "optimiser": {"adamw": {"rate": 0.1}}, "schedule": {"cosine": {}}},
        ],
    },
}


@pytest.mark.parametrize("recipe", FOREIGN.values(), ids=FOREIGN)
def test_a_recipe_of_a_package_that_is_not_installed_stops_no_prediction(recipe):
    approach = load_approach("1channel").model_dump(mode="json") | {"recipe": recipe}
    approach["augmentation"]["operations"] = [{"mixup": {}}]  # whether the loss takes its labels is not known here
    kept = Approach.model_validate(with_absent_parts({"packages": [], "approach": approach})["approach"]).recipe
    said = kept.model_dump(mode="json")
    assert said["loss"] == recipe["loss"]
    assert said["sampler"] == recipe.get("sampler", {"shuffled": {}})
    for phase, given in zip(said["phases"], recipe.get("phases", ()), strict=True):
        assert next(iter(phase["optimiser"])) == next(iter(given["optimiser"]))
        assert next(iter(phase["schedule"])) == next(iter(given["schedule"]))
