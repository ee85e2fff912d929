"""Studies in settings: files, packaged ones, and what is refused."""

import re
from pathlib import Path

import pytest

from cxrbench import config
from cxrbench.errors import ConfigError


def study_yaml(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_file_is_read_and_overridden(tmp_path):
    path = study_yaml(tmp_path, "data: films\nout: out\nprofile: small\nsplits: {resamples: 2, official: true}\n")
    settings = config.load_study(path, {"profile": "paper", "splits": {"resamples": 3}})
    assert settings.data == tmp_path / "films"
    assert settings.profile == "paper"
    assert (settings.splits.resamples, settings.splits.official) == (3, True)
    assert settings.approaches == config.PAPER_APPROACHES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: a\nout: b\nprofil: small", "unknown key 'profil'; valid keys here: .*profile"),
        ("data: a\nout: b\nsplits: {resample: 2}", "unknown key 'splits.resample'; valid keys here: .*resamples"),
        ("out: b", "key 'data' is missing"),
        ("dat: a\nout: b", "unknown key 'dat'; valid keys here: .*data"),
        ("data: a\nout: b\nseeds: [one]", "seeds.0: .*integer.*got 'one'"),
        ("data: a\nout: b\nsplits: {resamples: 0}", "splits: no split asked for"),
        ("data: a\nout: b\nsplits: {folds: 1}", "splits: one fold leaves nothing to train on"),
        ("data: a\nout: b\nsplits: {fractions: [0.8, 0.1, 0.2]}", "splits: fractions .* add up to 1"),
        ("data: a\nout: b\nseeds: [-1]", "seeds.0: .*greater than or equal to 0; got -1"),
        ("data: a\nout: b\napproaches: [ft, ots, ft]", "approaches names one twice"),
        ("data: a\nout: s3://bucket/b", r"out: not a URL: .*cluster\.storage; got "),
        (
            "data: a\nout: b\nworkers: 3\ncompute: {devices: 2}",
            "devices: 2, workers: 3: runs at a time have one device",
        ),
        (
            "data: a\nout: b\ncluster: {address: auto, gpus: 1}\ncompute: {devices: 2}",
            "devices: 2, but each run gets cluster.gpus: 1; make them equal",
        ),
        ("- data", "expected keys and values, got list"),
        ("data: [1\n", r"study\.yaml, line 2, column 1: broken YAML"),
        ("data: a\nout: b\nrecipe: 3", "recipe: expected keys and values, such as epochs: 3"),
        ("data: a\nout: b\nmin_patients: 0", "min_patients: .*greater than or equal to 1; got 0"),
    ],
)
def test_a_wrong_study_file_is_one_line_with_file_key_and_remedy(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config.load_study(study_yaml(tmp_path, text), {})
    assert "study.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_or_binary_study_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        config.load_study(tmp_path / "nowhere.yaml", {})
    (tmp_path / "film.yaml").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ConfigError, match=r"film\.yaml: not a text file"):
        config.load_study(tmp_path / "film.yaml", {})


def test_paths_in_a_study_file_start_at_the_file(tmp_path):
    text = "data: films\nout: out\nweights: w.pth\napproaches: [own.yaml, ft]\n"
    settings = config.load_study(study_yaml(tmp_path, text), {})
    assert settings.weights == str(tmp_path / "w.pth")
    assert settings.approaches == (str(tmp_path / "own.yaml"), "ft")


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("network.weights: {file: w.pth}", "network.weights"),
        ("network.weights: {file: {path: w.pth, licence: MIT}}", "network.weights"),
        ("network.weights.file: w.pth", "network.weights.file"),
        ("network.weights.file.path: w.pth", "network.weights.file.path"),
        ("network.weights: {bundle: {path: w.pth, study: /elsewhere}}", "network.weights"),
    ],
)
def test_paths_in_overrides_start_at_the_file_too(tmp_path, override, path):
    text = f"data: films\nout: out\noverrides: {{{override}, recipe.epochs: 3}}\n"
    found = config.load_study(study_yaml(tmp_path, text), {}).overrides
    assert found["recipe.epochs"] == 3
    assert f"'{tmp_path / 'w.pth'}'" in repr(found[path])
    assert "'/elsewhere'" in repr(found[path]) or "elsewhere" not in override


def test_what_an_override_names_beside_paths_stays(tmp_path):
    text = "data: a\nout: b\noverrides: {network.weights: {hub: resnet50.a1_in1k}, network.weights.hub.id: own/name}\n"
    assert config.load_study(study_yaml(tmp_path, text), {}).overrides == {
        "network.weights": {"hub": "resnet50.a1_in1k"},
        "network.weights.hub.id": "own/name",
    }


def test_recipe_is_short_for_overrides_and_what_is_null_keeps_the_approachs_own(tmp_path):
    text = "data: a\nout: b\nrecipe: {epochs: 3, batch_size: null}\noverrides: {augmentation.flip: false}\n"
    settings = config.load_study(study_yaml(tmp_path, text), {"overrides": {"recipe.epochs": 5}})
    assert settings.overrides == {"recipe.epochs": 5, "augmentation.flip": False}


def test_an_unknown_packaged_study_is_answered_with_the_names():
    with pytest.raises(ConfigError, match=r"unknown study 'papr'; did you mean paper"):
        config.load_study("papr", {})


SNIPPETS = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[2] / "docs/approaches.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("text", [text for text in SNIPPETS if "summary" not in text])
def test_documented_studies_are_valid(tmp_path, text):
    assert config.load_study(study_yaml(tmp_path, text), {}).splits.official
