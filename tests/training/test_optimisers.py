"""Optimisers against torch's, and which rate and weight decay each parameter has, against timm's own grouping."""

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay

from cxrbench.config import OPTIMISERS
from cxrbench.errors import ConfigError
from cxrbench.models.classifier import build_classifier
from cxrbench.training.optimisers import build_optimiser, parameter_groups
from small_fit import make_approach
from tiny_networks import FAMILIES, tiny_approach


def tiny_classifier(backbone="resnet", **options):
    return build_classifier(tiny_approach(backbone, **options), findings=2, seed=0, weights=None)


def settings_of(spelling):
    return OPTIMISERS.parse(spelling).settings


def by_name(classifier, spelling):
    """Rate and weight decay of each parameter, by its name."""
    names = {id(value): name for name, value in classifier.named_parameters()}
    groups = parameter_groups(classifier, settings_of(spelling))
    return {names[id(value)]: (group["lr"], group["weight_decay"]) for group in groups for value in group["params"]}


def test_without_any_setting_there_is_one_group_in_the_networks_order():
    classifier = tiny_classifier()
    [group] = parameter_groups(classifier, settings_of({"adam": 0.01}))
    assert all(one is other for one, other in zip(group["params"], classifier.parameters(), strict=True))
    assert (group["lr"], group["weight_decay"]) == (0.01, 0)


def test_what_is_not_trained_is_in_no_group():
    classifier = tiny_classifier()
    classifier.train_parts("head")
    assert set(by_name(classifier, {"adam": 0.01})) == {"head.weight", "head.bias"}
    classifier.train_parts("all")
    assert len(by_name(classifier, {"adam": 0.01})) == len(list(classifier.parameters()))


def test_norms_and_biases_have_no_weight_decay_unless_it_is_asked_for():
    classifier = tiny_classifier()
    spared = by_name(classifier, {"sgd": {"rate": 0.1, "weight_decay": 0.5}})
    decays = {name: value.ndim > 1 for name, value in classifier.named_parameters()}
    assert {name: decay == 0.5 for name, (_, decay) in spared.items()} == decays
    asked = by_name(classifier, {"sgd": {"rate": 0.1, "weight_decay": 0.5, "decay_all": True}})
    assert {decay for _, decay in asked.values()} == {0.5}


def test_positions_and_class_tokens_have_no_weight_decay():
    found = by_name(tiny_classifier("vit"), {"adamw": {"rate": 0.1, "weight_decay": 0.5}})
    assert {found[f"backbone.network.{name}"][1] for name in ("pos_embed", "cls_token")} == {0}
    assert found["backbone.network.patch_embed.proj.weight"][1] == 0.5


def test_the_head_has_a_rate_of_its_own():
    found = by_name(tiny_classifier(), {"adam": {"rate": 0.1, "head_rate": 1.0}})
    assert {name for name, (rate, _) in found.items() if rate == 1.0} == {"head.weight", "head.bias"}
    assert {rate for rate, _ in found.values()} == {0.1, 1.0}


@pytest.mark.parametrize("family", [name for name, (backbone, _) in FAMILIES.items() if "timm" in backbone])
def test_layers_decay_as_in_timm(family):
    backbone, size = FAMILIES[family]
    settings, classifier = backbone["timm"], tiny_classifier(family)
    options = settings.get("options", {}) | ({"img_size": size} if family in ("vit", "dinov2", "eva02") else {})
    network = timm.create_model(settings["model"], num_classes=2, in_chans=1, **options)
    names = {id(value): name for name, value in network.named_parameters()}
    spared = network.no_weight_decay() if hasattr(network, "no_weight_decay") else ()
    groups = param_groups_layer_decay(network, weight_decay=0.5, no_weight_decay_list=spared, layer_decay=0.7)
    theirs = {
        f"backbone.network.{names[id(value)]}": (group["lr_scale"], group["weight_decay"])
        for group in groups
        for value in group["params"]
    }
    ours = by_name(classifier, {"adamw": {"rate": 1.0, "weight_decay": 0.5, "layer_decay": 0.7}})
    shared = ours.keys() & theirs.keys()
    assert {name: ours[name] for name in shared} == {name: pytest.approx(theirs[name]) for name in shared}
    assert {ours[name][0] for name in ours.keys() - theirs.keys()} == {1.0}  # the head
    assert len(shared) >= len(theirs) - 2  # all but timm's own last layer
    assert len({rate for rate, _ in ours.values()}) > 3


def test_blocks_of_the_papers_resnet_decay_one_by_one():
    found = by_name(tiny_classifier("resnet"), {"adam": {"rate": 1.0, "layer_decay": 0.5}})
    rates = {name: rate for name, (rate, _) in found.items()}
    assert rates["head.weight"] == 1.0
    assert rates["backbone.layer4.0.conv1.weight"] == rates["backbone.layer4.0.bn3.bias"] == 0.5
    assert [rates[f"backbone.layer{stage}.0.conv2.weight"] for stage in (3, 2, 1)] == [0.25, 0.125, 0.0625]
    assert rates["backbone.conv1.weight"] == rates["backbone.bn1.weight"] == 0.5**5


def test_layers_of_ones_own_network_decay_by_its_numbers():
    classifier = build_classifier(make_approach({"learning_rate": 1}), findings=2, seed=0, weights=None)
    found = by_name(classifier, {"adam": {"rate": 1.0, "layer_decay": 0.5}})
    assert [found[f"backbone.network.{number}.weight"][0] for number in (4, 1, 0)] == [0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ("spelling", "theirs"),
    [
        ({"adam": {"rate": 0.1, "betas": [0.5, 0.9]}}, lambda values: torch.optim.Adam(values, 0.1, (0.5, 0.9))),
        ({"adamw": 0.1}, lambda values: torch.optim.AdamW(values, 0.1, weight_decay=0.01)),
        ({"sgd": 0.1}, lambda values: torch.optim.SGD(values, 0.1, momentum=0.9)),
        (
            {"sgd": {"rate": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.3, "decay_all": True}},
            lambda values: torch.optim.SGD(values, 0.1, momentum=0.5, nesterov=True, weight_decay=0.3),
        ),
        (
            {"timm": {"name": "lion", "rate": 0.1, "options": {"betas": [0.9, 0.95]}}},
            lambda values: timm.optim.Lion(values, 0.1, betas=(0.9, 0.95)),
        ),
    ],
    ids=["adam", "adamw", "sgd", "nesterov", "lion"],
)
def test_steps_are_the_librarys(spelling, theirs):
    ours, expected = tiny_classifier(), tiny_classifier()
    if "adamw" in spelling:
        spelling = {"adamw": {"rate": 0.1, "decay_all": True}}
    for classifier, optimiser in (
        (ours, build_optimiser(OPTIMISERS.parse(spelling), ours)),
        (expected, theirs(expected.parameters())),
    ):
        for number in range(3):
            for position, value in enumerate(classifier.parameters()):
                value.grad = torch.full_like(value, 0.1 * (number + 1) + position % 3)
            optimiser.step()
    for one, other in zip(ours.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        (
            {"timm": {"name": "lion", "rate": 0.1, "options": {"speed": 3}}},
            r"optimiser timm lion: refuses options \{'speed': 3\} \(.*speed",
        ),
        ({"module": {"function": "small_fit:momentum", "rate": 1}}, r"module small_fit:momentum: failed \(TypeError"),
        (
            {"module": {"function": "builtins:dict", "rate": 1}},
            "module builtins:dict: returned an object of type dict, expected a torch",
        ),
    ],
)
def test_an_optimiser_that_cannot_be_made_is_named(spelling, message):
    with pytest.raises(ConfigError, match=message):
        build_optimiser(OPTIMISERS.parse(spelling), tiny_classifier())
