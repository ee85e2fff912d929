"""Augmentation's settings: how operations are spelled, what is refused, and what stays of earlier runs' identity."""

from pathlib import Path

import pytest

from cxrbench import config
from cxrbench.config.base import parse_settings
from cxrbench.errors import ConfigError

FT = config.load_approach("ft")


def parsed(**values):
    return parse_settings(values, config.Augmentation, where="x")


def test_operations_are_spelled_like_every_part_and_read_back():
    augmentation = parsed(operations=["erasing", {"brightness": 0.1}, {"mixup": {"alpha": 0.4, "probability": 0.5}}])
    assert [part.name for part in augmentation.operations] == ["erasing", "brightness", "mixup"]
    assert augmentation.operations[1].settings.strength == 0.1
    assert augmentation.mixing == ("mixup",)
    assert config.Augmentation.model_validate_json(augmentation.model_dump_json()) == augmentation
    path = {"augmentation.operations": augmentation.model_dump(mode="json")["operations"]}
    own = config.with_changes(FT, path)
    changed = config.with_changes(own, {"augmentation.operations.1.brightness.strength": 0.3})
    assert changed.augmentation.operations[1].settings.strength == 0.3


def test_without_operations_and_views_the_identity_is_that_of_earlier_runs():
    assert set(FT.augmentation.identity()) == {"area", "aspect", "rotation_degrees", "flip"}
    assert "test_time" not in FT.identity()
    other = config.with_changes(FT, {"augmentation.operations": ["noise"], "test_time.flip": True})
    assert other.identity()["augmentation"]["operations"] == [{"noise": {"probability": 1.0, "strength": 0.05}}]
    assert other.identity()["test_time"] == {"flip": True, "crops": 1}


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("brightnes", "operations.0: unknown augmentation 'brightnes'; did you mean brightness"),
        ({"brightness": 1.5}, "brightness: strength: .*less than or equal to 1; got 1.5"),
        ({"contrast": {"range": 0.1}}, "contrast: unknown key 'range'; valid keys here: probability, strength"),
        ({"noise": {"probability": 2}}, "noise: probability: .*less than or equal to 1; got 2"),
        ({"gamma": -1}, "gamma: strength: .*greater than or equal to 0; got -1"),
        ({"erasing": {"area": [0.4, 0.1]}}, r"erasing: area: low comes before high; got \(0.4, 0.1\)"),
        ({"erasing": {"aspect": [0, 1]}}, "erasing: aspect.0: .*greater than 0; got 0"),
        ({"mixup": -0.1}, "mixup: alpha: .*greater than or equal to 0; got -0.1"),
    ],
)
def test_what_makes_no_sense_is_one_line(operation, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parsed(operations=[operation])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("operation", ["mixup", "erasing"])
def test_cached_features_take_neither_operations_nor_views(operation):
    cached = config.load_approach("ots-cached")
    with pytest.raises(ConfigError, match=f"augmentation.operations: {operation} needs films; with cached_views"):
        config.with_changes(cached, {"augmentation.operations": [operation]})
    with pytest.raises(ConfigError, match="test_time needs films; with cached_views"):
        config.with_changes(cached, {"test_time.flip": True})


def test_five_crops_of_the_whole_film_are_refused():
    whole = {"test_time.crops": 5, "input.evaluation_crop": 1.0}
    with pytest.raises(ConfigError, match=r"test_time\.crops: 5 needs a crop smaller than the film"):
        config.with_changes(FT, whole)
    with pytest.raises(ConfigError, match=r"test_time\.crops: .*1 or 5; got 3"):
        config.with_changes(FT, {"test_time.crops": 3})
    assert config.with_changes(FT, {"test_time": {"flip": True, "crops": 5}}).test_time.count == 10


def test_the_small_profile_changes_the_map_and_keeps_the_operations():
    own = config.with_changes(FT, {"augmentation.operations": ["gamma"]})
    small = config.load_profile("small").apply(own)
    assert (small.augmentation.area, small.augmentation.operations) == ((0.8, 1.0), own.augmentation.operations)


def test_the_docs_list_every_operation_with_its_default():
    page = (Path(__file__).parents[2] / "docs/augmentation.md").read_text(encoding="utf-8")
    for entry in config.AUGMENTATIONS.own:
        default = entry.settings.model_fields[entry.main].default
        shown = "" if entry.name == "module" else f" {default}"
        assert f"| `{entry.name}` | `{entry.main}`{shown} |" in page


def test_mixed_films_need_a_loss_that_takes_their_labels():
    hard = {"recipe.loss": {"module": {"function": "mine:loss"}}, "augmentation.operations": ["gamma", "cutmix"]}
    with pytest.raises(ConfigError, match=r"operations: cutmix gives labels between 0 and 1, which the loss does not"):
        config.with_changes(FT, hard)
    soft = {**hard, "recipe.loss": {"module": {"function": "mine:loss", "soft_targets": True}}}
    assert config.with_changes(FT, soft).augmentation.mixing == ("cutmix",)
