"""Recipes: the paper's simple one and those in phases, how they are scaled, and what is refused."""

import re
from pathlib import Path

import pytest
import yaml

from cxrbench import config
from cxrbench.config import Recipe, changed, parse_settings
from cxrbench.errors import ConfigError

HEAD = {"epochs": 3, "trained": "head", "optimiser": {"adamw": 0.001}}
ALL = {
    "epochs": 30,
    "optimiser": {"adamw": {"rate": 0.0001, "layer_decay": 0.75}},
    "schedule": {"cosine": {"warm_up_epochs": 2}},
}
PHASES = {"phases": [HEAD, ALL]}


def recipe(raw):
    return parse_settings(raw, Recipe, where="recipe")


def test_the_simple_recipe_is_one_phase_of_adam_whose_rate_is_halved():
    simple = recipe({"learning_rate": 0.01, "epochs": 5, "halve_after": 3, "trained": "head"})
    [phase] = simple.in_phases
    assert (phase.epochs, phase.trained, phase.stop_after) == (5, "head", 6)
    assert phase.model_dump(mode="json")["optimiser"]["adam"]["rate"] == 0.01
    assert phase.model_dump(mode="json")["schedule"] == {"plateau": {"after": 3, "factor": 0.5}}
    assert simple.trains_head_only
    assert simple.identity() == {
        "trained": "head",
        "learning_rate": 0.01,
        "batch_size": 16,
        "epochs": 5,
        "halve_after": 3,
        "stop_after": 6,
        "betas": [0.9, 0.999],
    }


def test_whatever_a_recipe_gained_counts_in_its_identity():
    simple = recipe({"learning_rate": 0.01})
    more = [
        {"loss": "focal"},
        {"sampler": "balanced"},
        {"average_weights": {"ema": 0.99}},
        {"choose_epoch_by": "validation mean AUC"},
        {"clip_norm": 1},
        {"dropout_from": "batch"},
    ]
    assert all(recipe({"learning_rate": 0.01} | each).identity() != simple.identity() for each in more)


def test_a_recipe_in_phases_is_read_back_as_it_was():
    found = recipe(PHASES | {"loss": "asymmetric", "average_weights": {"ema": 0.9999}})
    assert [phase.epochs for phase in found.in_phases] == [3, 30]
    assert found.trained_parts == "head, then all"
    assert not found.trains_head_only
    assert found.dropout_from == "batch"
    assert recipe(found.model_dump(mode="json")) == found
    assert changed(found, {"batch_size": 16}, where="x") == found


@pytest.mark.parametrize(
    ("total", "expected"), [(11, [1, 10]), (66, [6, 60]), (2, [1, 1]), (1, [1, 1]), (33, [3, 30]), (5, [1, 4])]
)
def test_epochs_scale_the_phases_in_proportion_each_at_least_one(total, expected):
    found = changed(recipe(PHASES), {"epochs": total}, where="x")
    assert [phase.epochs for phase in found.phases] == expected
    assert found.total_epochs == sum(expected)
    warm_up = found.phases[1].schedule.settings.warm_up_epochs
    assert warm_up == pytest.approx(2 * expected[1] / 30)
    assert found.epochs is None


def test_many_phases_scale_to_the_whole():
    phases = [{"epochs": 1, "optimiser": {"adam": 0.1}} for _ in range(5)] + [{"epochs": 6, "optimiser": {"adam": 1}}]
    for total in range(1, 30):
        found = recipe({"phases": phases, "epochs": total})
        assert found.total_epochs == max(total, 6)


def test_phases_made_in_python_are_scaled_too():
    made = Recipe(phases=recipe(PHASES).phases, epochs=11)
    assert made == recipe(PHASES | {"epochs": 11})


def test_a_value_of_a_phase_is_changed_by_its_path():
    found = changed(recipe(PHASES), {"phases.1.epochs": 7, "phases.0.optimiser.adamw.rate": 0.5}, where="x")
    assert found.total_epochs == 10
    assert found.phases[0].optimiser.settings.rate == 0.5


def test_phases_replace_the_simple_recipe_of_the_approach_that_is_extended(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "extends: ft\nname: own\nsummary: a\n"
        "recipe: {loss: focal, phases: [{epochs: 2, optimiser: {sgd: 0.1}}, {epochs: 3, optimiser: {adam: 0.1}}]}\n"
    )
    found = config.load_approach(str(path)).recipe
    assert (found.total_epochs, found.learning_rate, found.batch_size, found.loss.name) == (5, None, 16, "focal")
    other = tmp_path / "other.yaml"
    other.write_text("extends: own.yaml\nname: other\nsummary: b\nrecipe: {epochs: 10, loss: {weighted: 0.5}}\n")
    found = config.load_approach(str(other)).recipe
    assert ([phase.epochs for phase in found.phases], found.loss.name) == ([4, 6], "weighted")


@pytest.mark.parametrize("name", config.approach_names())
def test_packaged_recipes_keep_the_random_numbers_of_earlier_versions(name):
    found = config.load_approach(name).recipe
    assert found.phases or found.dropout_from == "epoch"


def test_the_documented_recipes_are_valid(tmp_path):
    page = (Path(__file__).parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
    simple, phased = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert recipe(yaml.safe_load(simple)["recipe"]).in_phases[0].stop_after == 6
    (tmp_path / "own.yaml").write_text(phased, encoding="utf-8")
    found = config.load_approach(str(tmp_path / "own.yaml")).recipe
    assert found.trained_parts == "head, then all"
    for registry in (config.OPTIMISERS, config.SCHEDULES, config.LOSSES, config.SAMPLERS):
        assert not [
            entry.name for entry in registry.own if f"`{entry.name}`" not in page and f"{{{entry.name}:" not in page
        ]
    assert all(f"`{name}`" in page for name in config.TIMM_OPTIMISERS)


PHASE = {"epochs": 3, "optimiser": {"adam": 0.1}}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "recipe: give learning_rate, or phases with an optimiser each"),
        ({"phases": []}, "give learning_rate, or phases"),
        ({"phases": [PHASE], "learning_rate": 0.1}, "learning_rate and phases exclude each other; each phase has"),
        ({"phases": [PHASE], "trained": "head"}, "trained and phases exclude each other"),
        ({"phases": [{"optimiser": {"adam": 0.1}}]}, r"key 'phases\.0\.epochs' is missing"),
        ({"phases": [PHASE | {"epochs": 0}]}, r"phases\.0\.epochs: .*greater than or equal to 1; got 0"),
        ({"phases": [PHASE | {"epochs": 0}], "epochs": 4}, r"phases\.0\.epochs: .*got 0"),
        ({"phases": [PHASE], "epochs": 0}, "epochs: .*greater than or equal to 1; got 0"),
        ({"phases": [PHASE], "epochs": "some"}, "epochs: .*integer.*got 'some'"),
        ({"phases": [PHASE | {"epochs": "3"}], "epochs": 9}, "phases cannot be scaled to epochs 9; write each phase's"),
        ({"phases": [{"epochs": 3}]}, r"key 'phases\.0\.optimiser' is missing"),
        ({"phases": [PHASE | {"optimiser": "adam"}]}, r"phases\.0\.optimiser: adam: key 'rate' is missing"),
        ({"phases": [PHASE | {"optimiser": {"adm": 1}}]}, "unknown optimiser 'adm'; did you mean adam"),
        ({"phases": [PHASE | {"optimiser": {"adam": 0}}]}, "adam: rate: .*greater than 0; got 0"),
        ({"phases": [PHASE | {"optimiser": {"sgd": {"rate": 1, "momentum": 1}}}]}, "sgd: momentum: .*less than 1"),
        (
            {"phases": [PHASE | {"optimiser": {"sgd": {"rate": 1, "momentum": 0, "nesterov": True}}}]},
            "sgd: nesterov needs a momentum above 0",
        ),
        (
            {"phases": [PHASE | {"optimiser": {"timm": {"name": "lyon", "rate": 1}}}]},
            "timm: unknown tested optimiser of timm 'lyon'; did you mean lion",
        ),
        ({"phases": [PHASE | {"schedule": "cosin"}]}, "unknown schedule 'cosin'; did you mean cosine"),
        ({"phases": [PHASE | {"schedule": {"one-cycle": {"rise": 1}}}]}, "one-cycle: rise: .*less than 1"),
        (
            {"phases": [PHASE | {"schedule": {"cosine": {"warm_up_epochs": 3}}}]},
            r"phases\.0: warm_up_epochs 3 must be fewer than the phase's epochs 3",
        ),
        ({"phases": [PHASE | {"epoch": 3}]}, r"unknown key 'phases\.0\.epoch'; valid keys here: epochs, optimiser"),
        ({"phases": 3}, "phases: .*tuple"),
        ({"learning_rate": 0.1, "loss": "focul"}, "unknown loss 'focul'; did you mean focal"),
        ({"learning_rate": 0.1, "loss": {"focal": -1}}, "focal: gamma: .*greater than or equal to 0; got -1"),
        ({"learning_rate": 0.1, "loss": {"asymmetric": {"clip": 1}}}, "asymmetric: clip: .*less than 1; got 1"),
        ({"learning_rate": 0.1, "loss": {"label-smoothing": 2}}, "label-smoothing: smoothing: .*less than 1; got 2"),
        ({"learning_rate": 0.1, "sampler": "balance"}, "unknown sampler 'balance'; did you mean balanced"),
        ({"learning_rate": 0.1, "average_weights": {"ema": 1}}, "ema: decay: .*less than 1; got 1"),
        ({"learning_rate": 0.1, "choose_epoch_by": "AUC"}, "choose_epoch_by: .*'validation mean AUC'; got 'AUC'"),
        ({"learning_rate": 0.1, "clip_norm": 0}, "clip_norm: .*greater than 0; got 0"),
        ({"learning_rate": 0.1, "betas": [0.9, 1.5]}, r"betas\.1: .*less than 1; got 1\.5"),
    ],
)
def test_what_is_wrong_is_one_line(raw, message):
    with pytest.raises(ConfigError, match=message) as caught:
        recipe(raw)
    assert "\n" not in str(caught.value)
