"""Settings: what is packaged is valid, what is wrong is named."""

import re
from pathlib import Path

import pytest

from cxrbench import config
from cxrbench.errors import ConfigError


def test_the_papers_eight_approaches_come_first_then_other_depths_and_cached_features():
    names = config.approach_names()
    assert names[:8] == list(config.PAPER_APPROACHES)
    others = [config.load_approach(name) for name in names[8:]]
    assert {each.backbone.depth for each in others if each.cached_views is None} == {38, 101}
    assert [each.name for each in others if each.cached_views] == ["ots-cached", "ots-cached-meta"]
    assert len(names) == 18


@pytest.mark.parametrize("name", config.approach_names())
def test_every_approach_is_named_as_its_file_and_differs_from_its_twin_in_features_alone(name):
    approach = config.load_approach(name)
    assert approach.name == name
    assert (approach.features == ("age", "sex", "view")) == name.endswith("-meta")
    if name.endswith("-meta"):
        twin = config.load_approach(name.removesuffix("-meta"))
        assert approach.model_copy(update={"name": "", "summary": "", "features": ()}) == twin.model_copy(
            update={"name": "", "summary": ""}
        )


@pytest.mark.parametrize(
    ("name", "rate", "batch", "size", "store", "channels"),
    [
        ("ots", 0.001, 16, 224, 256, 3),
        ("ft", 0.001, 16, 224, 256, 3),
        ("1channel", 0.01, 16, 224, 256, 1),
        ("large", 0.01, 8, 448, 480, 1),
        ("resnet101-large-meta", 0.01, 8, 448, 480, 1),
    ],
)
def test_recipes_are_those_of_the_paper(name, rate, batch, size, store, channels):
    approach = config.load_approach(name)
    assert (approach.recipe.learning_rate, approach.recipe.batch_size) == (rate, batch)
    assert (approach.input.image_size, approach.input.store_size, approach.input.channels) == (size, store, channels)
    assert approach.recipe.betas == (0.9, 0.999)
    assert approach.augmentation == config.Augmentation(aspect=(0.75, 1.3333333333))


def test_the_small_profile_keeps_what_makes_an_approach():
    small = config.load_profile("small")
    for name in config.approach_names():
        full, reduced = config.load_approach(name), small.apply(config.load_approach(name))
        assert reduced.input.image_size == {224: 64, 448: 128}[full.input.image_size]
        assert reduced.backbone.width == 16
        assert (reduced.features, reduced.backbone.start, reduced.backbone.extra_pool) == (
            full.features,
            full.backbone.start,
            full.backbone.extra_pool,
        )


def test_the_paper_profile_resolves_blocks_and_changes_nothing_else():
    approach = config.load_approach("large")
    resolved = config.load_profile("paper").apply(approach)
    assert resolved.backbone.blocks == (3, 4, 6, 3)
    assert resolved.model_copy(update={"backbone": approach.backbone}) == approach


def test_equal_settings_have_equal_hashes_and_any_change_another():
    approach = config.load_approach("ft")
    assert config.settings_hash(approach) == config.settings_hash(config.load_approach("ft"))
    changed = approach.model_copy(update={"recipe": approach.recipe.model_copy(update={"learning_rate": 0.002})})
    assert config.settings_hash(changed) != config.settings_hash(approach)


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
        ("data: a\nout: b\nrecipe: {epochs: 0}", "recipe.epochs: .*greater than or equal to 1; got 0"),
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


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(ConfigError, match=r"unknown approach 'larg'; valid names: ots, .*large-meta"):
        config.load_approach("larg")
    with pytest.raises(ConfigError, match=r"unknown profile 'tiny'; valid names: paper, small"):
        config.load_profile("tiny")


def test_an_approach_of_ones_own_extends_a_packaged_one(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text("extends: large\nname: wide\nsummary: wider\nbackbone: {width: 96}\n", encoding="utf-8")
    approach = config.load_approach(str(path))
    assert (approach.backbone.width, approach.backbone.extra_pool, approach.name) == (96, True, "wide")
    assert config.load_profile("paper").apply(approach).backbone.width == 96
    assert config.load_profile("small").apply(approach).backbone.width == 24


def test_a_size_that_a_profile_does_not_know_is_refused(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("extends: large\nname: own\nsummary: larger\ninput: {store_size: 512}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"approach own: profile small has no store_size for 512; it has 224, 256"):
        config.load_profile("small").apply(config.load_approach(str(path)))


def test_paths_in_a_study_file_start_at_the_file(tmp_path):
    text = "data: films\nout: out\nweights: w.pth\napproaches: [own.yaml, ft]\n"
    settings = config.load_study(study_yaml(tmp_path, text), {})
    assert settings.weights == str(tmp_path / "w.pth")
    assert settings.approaches == (str(tmp_path / "own.yaml"), "ft")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backbone: {trained: head}", "trained: head needs start: imagenet"),
        ("input: {image_size: 100}", "input.image_size: .*multiple of 32; got 100"),
        ("input: {mean: [0.1, 0.2]}", "mean and std need 1 values each"),
        ("input: {store_size: 200}", "store_size 200 is smaller than image_size 224"),
        ("augmentation: {area: [0.9, 0.5]}", "area needs 0 < low <= high <= 1"),
        ("features: [weight]", "features.0: .*'age', 'sex' or 'view'; got 'weight'"),
    ],
)
def test_impossible_approaches_are_refused(tmp_path, text, message):
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: 1channel\nname: own\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        config.load_approach(str(path))


SNIPPETS = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[1] / "docs/approaches.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("text", [text for text in SNIPPETS if "extends" in text])
def test_documented_approaches_are_valid(tmp_path, text):
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    approach = config.load_approach(str(tmp_path / "own.yaml"))
    assert config.load_profile("paper").apply(approach).name in text


@pytest.mark.parametrize("text", [text for text in SNIPPETS if "extends" not in text])
def test_documented_studies_are_valid(tmp_path, text):
    assert config.load_study(study_yaml(tmp_path, text), {}).splits.official
