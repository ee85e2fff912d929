"""Approaches: what is packaged is the paper's, files extend each other, and what is wrong is named."""

import re
from pathlib import Path

import pytest

from cxrbench import config
from cxrbench.config.schema1 import map_approach, with_crop
from cxrbench.errors import ConfigError

DOCS = [Path(__file__).parents[2] / f"docs/{page}.md" for page in ("approaches", "augmentation")]


def test_the_papers_eight_approaches_come_first_then_other_depths_and_cached_features():
    names = config.approach_names()
    assert names[:8] == list(config.PAPER_APPROACHES)
    resnets = [config.load_approach(name) for name in names[8:] if name.startswith("resnet")]
    assert {each.network.backbone.settings.depth for each in resnets} == {38, 101}
    assert config.approach_names("ots*") == ["ots", "ots-meta", "ots-cached", "ots-cached-meta"]


def test_the_papers_study_has_its_sixteen_approaches():
    study = config.load_study("paper", {"data": "films", "out": "study"})
    assert len(study.approaches) == 16
    assert {"resnet38-large-meta", "resnet101-1channel", *config.PAPER_APPROACHES} <= set(study.approaches)
    assert study.splits.resamples == 5
    assert [config.load_approach(name).name for name in study.approaches] == list(study.approaches)


@pytest.mark.parametrize("name", config.approach_names())
def test_every_approach_is_named_as_its_file_and_differs_from_its_twin_in_features_alone(name):
    approach = config.load_approach(name)
    assert approach.name == name
    assert (approach.network.features == ("age", "sex", "view")) == name.endswith("-meta")
    if name.endswith("-meta"):
        twin = config.load_approach(name.removesuffix("-meta"))
        same = {"name": "same", "summary": "", "network.features": []}
        assert config.with_changes(approach, same) == config.with_changes(twin, same)


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
    assert approach.network.head.name == "linear"


def test_unknown_names_are_answered_with_near_ones():
    with pytest.raises(ConfigError, match=r"unknown approach 'larg'; did you mean large\? valid names: ots, .*large"):
        config.load_approach("larg")
    with pytest.raises(ConfigError, match=r"unknown profile 'smal'; did you mean small\? valid names: paper, small"):
        config.load_profile("smal")


def own(tmp_path, text, *, name="own"):
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_an_approach_of_ones_own_extends_a_packaged_one(tmp_path):
    text = "extends: large\nname: wide\nsummary: wider\nnetwork: {backbone: {resnet: {width: 96}}}\n"
    approach = config.load_approach(own(tmp_path, text))
    network = approach.network.backbone.settings
    assert (network.width, network.extra_pool, approach.name) == (96, True, "wide")


def test_an_approach_extends_one_of_ones_own_beside_it(tmp_path):
    own(tmp_path, "extends: ft\nname: first\nsummary: a\nrecipe: {epochs: 3}\n", name="first")
    second = own(tmp_path, "extends: first.yaml\nname: second\nsummary: b\nrecipe: {batch_size: 8}\n", name="second")
    recipe = config.load_approach(second).recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (3, 8, 0.001)


@pytest.mark.parametrize("weights", ["{file: w.pth}", "{file: {path: w.pth, licence: MIT}}", "{run: w.pth}"])
def test_paths_of_weights_start_at_the_approachs_file(tmp_path, weights):
    text = f"extends: ft\nname: own\nsummary: a\nnetwork: {{weights: {weights}}}\n"
    found = config.load_approach(own(tmp_path, text)).network.weights
    assert found.settings.path == tmp_path / "w.pth"


def test_paths_of_weights_in_profiles_start_there_too(tmp_path):
    folder = tmp_path / "nested"
    folder.mkdir()
    profiles = "profiles: {small: {network.weights: {file: small.pth}, network.backbone.timm.model: resnet18}}"
    text = f"extends: ft\nname: own\nsummary: a\nnetwork: {{backbone: {{timm: resnet50}}}}\n{profiles}\n"
    base = own(folder, text, name="base")
    expected = {
        "network.weights": {"file": {"path": str(folder / "small.pth")}},
        "network.backbone.timm.model": "resnet18",
    }
    assert config.load_approach(base).profiles["small"] == expected
    other = own(tmp_path, "extends: nested/base.yaml\nname: other\nsummary: b\n", name="other")
    assert config.load_approach(other).profiles["small"] == expected


def test_files_that_extend_each_other_are_refused(tmp_path):
    own(tmp_path, "extends: b.yaml\nname: a\nsummary: a\n", name="a")
    with pytest.raises(ConfigError, match=r"b\.yaml: extends itself"):
        config.load_approach(own(tmp_path, "extends: a.yaml\nname: b\nsummary: b\n", name="b"))


def test_another_backbone_replaces_that_of_the_base_and_its_small_sibling(tmp_path):
    base = (
        "extends: ft\nname: base\nsummary: a\nnetwork: {backbone: {timm: {model: convnext_tiny, drop_path: 0.1}}}\n"
        "profiles: {small: {network.backbone.timm.model: convnext_atto}}\n"
    )
    own(tmp_path, base, name="base")
    text = "extends: base.yaml\nname: other\nsummary: b\nnetwork: {backbone: {timm: resnet18}, head: csra}\n"
    approach = config.load_approach(own(tmp_path, text))
    assert approach.network.backbone.settings.model == "resnet18"
    assert (approach.network.head.name, approach.profiles) == ("csra", {})
    text = "extends: base.yaml\nname: other\nsummary: b\nnetwork: {backbone: resnet}\n"
    assert config.load_approach(own(tmp_path, text)).network.backbone.name == "resnet"


def test_the_spelling_of_version_0_1_is_still_read(tmp_path):
    text = "extends: large\nname: wide\nsummary: wider\nbackbone: {width: 96, depth: 38}\nfeatures: [age]\n"
    approach = config.load_approach(own(tmp_path, text))
    network = approach.network.backbone.settings
    assert (network.width, network.depth, network.extra_pool) == (96, 38, True)
    assert approach.network.features == ("age",)
    whole = {"name": "a", "summary": "", "backbone": {"start": "imagenet", "trained": "head"}, "recipe": {"epochs": 3}}
    assert map_approach(whole) == {
        "name": "a",
        "summary": "",
        "network": {"backbone": {"resnet": {}}, "weights": {"hub": {}}},
        "recipe": {"epochs": 3, "trained": "head"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe: {trained: head}", "recipe.trained: head needs network.weights"),
        (
            "input: {image_size: 100, store_size: 112}",
            "input.image_size 100 is no multiple of 32, which resnet needs; try 96",
        ),
        ("input: {mean: [0.1, 0.2]}", "mean and std need 1 values each"),
        ("input: {mean: null, std: null}", "input.mean and input.std are missing; without weights nothing else says"),
        ("input: {mean: null}", "mean and std go together"),
        ("input: {std: [0.0]}", "std must be above 0"),
        ("input: {store_size: 200}", "store_size 200 is smaller than image_size 224"),
        ("augmentation: {area: [0.9, 0.5]}", "area needs 0 < low <= high <= 1"),
        ("network: {features: [weight]}", "network.features.0: .*'age', 'sex' or 'view'; got 'weight'"),
        ("network: {backbone: {resnet: {depth: 34}}}", "network.backbone: resnet: depth: .*38, 50 or 101; got 34"),
        ("network: {backbone: densenet}", "network.backbone: unknown backbone 'densenet'; .*resnet, timm, module"),
        ("network: {head: {csra: {temprature: 1}}}", "network.head: csra: unknown key 'temprature'"),
        ("network: {weights: {hubb: x}}", "network.weights: unknown weights 'hubb'; did you mean hub"),
        ("cached_views: 1", "cached_views needs recipe.trained: head"),
        ("evaluation: 1", "unknown key 'evaluation'"),
    ],
)
def test_impossible_approaches_are_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config.load_approach(own(tmp_path, f"extends: 1channel\nname: own\n{text}\n"))
    assert "\n" not in str(caught.value)


def test_a_crop_that_leaves_most_of_the_film_out_must_be_written_out(tmp_path):
    small = "extends: 1channel\nname: own\ninput: {image_size: 224, store_size: 512%s}\n"
    with pytest.raises(ConfigError, match=r"looks at 19% of the film; .* evaluation_crop: 1\.0, .*crop: 0\.4375"):
        config.load_approach(own(tmp_path, small % ""))
    for written, crop in ((", evaluation_crop: 1.0", 1.0), (", evaluation_crop: 0.4375", 0.4375)):
        assert config.load_approach(own(tmp_path, small % written)).input.crop == crop
    assert config.load_approach("ft").input.crop == 224 / 256


def test_the_crop_that_is_advised_is_the_one_that_version_0_1_had(tmp_path):
    """A study of version 0.1 that follows the advice keeps its runs: 0.7467 would be another crop."""
    narrow = "extends: 1channel\nname: own\ninput: {image_size: 224, store_size: 300%s}\n"
    with pytest.raises(ConfigError) as caught:
        config.load_approach(own(tmp_path, narrow % ""))
    [advised] = re.findall(r"evaluation_crop: (0\.\d+)", str(caught.value))
    recorded = with_crop({"input": {"image_size": 224, "store_size": 300}})["input"]["evaluation_crop"]
    assert config.load_approach(own(tmp_path, narrow % f", evaluation_crop: {advised}")).input.crop == recorded


SNIPPETS = [text for page in DOCS for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]


@pytest.mark.parametrize("text", [text for text in SNIPPETS if "summary" in text])
def test_documented_approaches_are_valid(tmp_path, text):
    approach = config.load_approach(own(tmp_path, text))
    assert config.load_profile("paper").apply(approach).name in text
