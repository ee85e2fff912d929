"""Every head against an independent definition, written as loops over films, findings and places."""

import math

import pytest
import torch
from torch import nn

from cxrbench.config import HEADS, Entry, Part, Registry, Settings
from cxrbench.errors import ConfigError
from cxrbench.models.heads import Head, build_head
from tiny_networks import HEADS as SPELT

B, C, POOLED, SIDE, F, L = 3, 8, 6, 4, 2, 5


def build(head, *, features=F, channels=C):
    part = HEADS.parse(SPELT.get(head, head) if isinstance(head, str) else head)
    return HEADS.build(part, channels=channels, pooled=POOLED, features=features, findings=L)


def drawn(head):
    image = torch.randn(B, POOLED) if head.takes == "pooled" else torch.randn(B, C, SIDE, SIDE)
    return image, torch.rand(B, F)


@pytest.mark.parametrize("name", SPELT)
def test_what_a_feature_adds_is_its_weight(name):
    head = build(name).eval()
    image, features = drawn(head)
    moved = features + torch.tensor([0.5, -2.0])
    added = head(image, moved) - head(image, features)
    torch.testing.assert_close(added, (head.feature_weights @ torch.tensor([0.5, -2.0])).expand(B, L))
    assert head.feature_weights.shape == (L, F)
    assert head.feature_weights.abs().min() > 0


@pytest.mark.parametrize("name", SPELT)
def test_without_features_the_logits_are_the_images(name):
    head = build(name, features=0).eval()
    image, _ = drawn(head)
    assert head(image, torch.zeros(B, 0)).shape == (B, L)
    assert head.feature_weights.shape == (L, 0)


@pytest.mark.parametrize("name", SPELT)
def test_weights_go_into_a_file_and_back(name):
    torch.manual_seed(1)
    one = build(name).eval()
    torch.manual_seed(2)
    other = build(name).eval()
    image, features = drawn(one)
    assert not torch.equal(one(image, features), other(image, features))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(image, features), other(image, features))


def test_linear_is_one_layer_over_the_concatenation():
    torch.manual_seed(0)
    head = build("linear")
    torch.manual_seed(0)
    layer = nn.Linear(POOLED + F, L)
    assert list(head.state_dict()) == ["weight", "bias"]
    assert torch.equal(head.weight, layer.weight)
    assert torch.equal(head.bias, layer.bias)
    image, features = drawn(head)
    torch.testing.assert_close(head(image, features), layer(torch.cat([image, features], dim=1)))


def test_linear_maps_of_scores_are_class_activation_maps():
    head = HEADS.build(HEADS.parse("linear"), channels=C, pooled=C, features=F, findings=L)
    maps = torch.randn(B, C, SIDE, SIDE)
    scores = torch.stack([head.score_map(maps, finding) for finding in range(L)], dim=1)
    expected = head(maps.mean(dim=(2, 3)), torch.zeros(B, F)) - head.bias
    torch.testing.assert_close(scores.mean(dim=(2, 3)), expected)
    assert build("linear").score_map(maps, 0) is None  # 8 maps, 6 pooled features: something lies between


def test_mlp_is_linear_layers_with_relu_between():
    head = build({"mlp": {"hidden": [7, 4], "dropout": 0.5}}).eval()
    image, features = drawn(head)
    value = image
    for layer in [module for module in head.layers if isinstance(module, nn.Linear)]:
        value = value @ layer.weight.T + layer.bias
        if layer.out_features != L:
            value = value.clamp(min=0)
    torch.testing.assert_close(head(image, features), value + features @ head.from_features.weight.T)
    assert [layer.out_features for layer in head.layers if isinstance(layer, nn.Linear)] == [7, 4, L]


def test_mlp_drops_hidden_values_in_training_only():
    head = build({"mlp": {"hidden": [64], "dropout": 0.5}})
    image, features = drawn(head)
    assert not torch.equal(head(image, features), head(image, features))
    assert torch.equal(head.eval()(image, features), head(image, features))


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_torchs_one_query_and_film_at_a_time(heads):
    head = build({"attention": {"heads": heads}}).eval()
    theirs, same = nn.MultiheadAttention(C, heads), torch.eye(C)
    none = torch.zeros(C)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([same, head.keys.weight, head.values.weight]),
            "in_proj_bias": torch.cat([none, head.keys.bias, head.values.bias]),
            "out_proj.weight": same,
            "out_proj.bias": none,
        }
    )
    maps, features = drawn(head)
    logits = head(maps, features)
    for film in range(B):
        places = head.norm(torch.stack([maps[film, :, row, column] for row in range(SIDE) for column in range(SIDE)]))
        for finding in range(L):
            attended, _ = theirs(head.queries[finding][None], places, places)  # (1, C) of (16, C)
            expected = attended[0] @ head.weight[finding] + head.bias[finding]
            expected = expected + head.from_features.weight[finding] @ features[film]
            torch.testing.assert_close(logits[film, finding], expected)


def test_attention_heads_that_do_not_divide_the_channels():
    with pytest.raises(ConfigError, match="head attention: 3 heads do not divide the backbone's 8 channels"):
        build({"attention": {"heads": 3}})


def csra_by_hand(head, maps, *, attention_weight, temperatures, is_normalised):
    """Zhu and Wu 2021, equations 2 to 5 and section 3.4, place by place; the maximum is their temperature 99."""
    logits = torch.zeros(B, L)
    for number, temperature in enumerate(temperatures):
        for film in range(B):
            for finding in range(L):
                weight = head.weight[number, finding].tolist()
                length = math.sqrt(sum(w * w for w in weight)) if is_normalised else 1
                scores = [
                    sum(w * x for w, x in zip(weight, maps[film, :, row, column].tolist(), strict=True)) / length
                    for row in range(SIDE)
                    for column in range(SIDE)
                ]
                if temperature == "max":
                    attended = max(scores)
                else:
                    shares = [math.exp(temperature * score) for score in scores]
                    attended = sum(s * a for s, a in zip(shares, scores, strict=True)) / sum(shares)
                logits[film, finding] += sum(scores) / len(scores) + attention_weight * attended
    return logits


@pytest.mark.parametrize(
    ("settings", "temperatures"),
    [
        ({}, (1,)),
        ({"temperature": 2.5, "attention_weight": 0.3, "normalise": False}, (2.5,)),
        ({"temperature": 99}, ("max",)),
        ({"heads": 2}, (1, "max")),
        ({"heads": 4, "attention_weight": 0.4}, (1, 2, 4, "max")),
        ({"heads": 6}, (1, 2, 3, 4, 5, "max")),
        ({"heads": 2, "temperature": 0.5}, (0.5, "max")),
    ],
    ids=str,
)
def test_csra_is_that_of_its_source(settings, temperatures):
    head = build({"csra": settings})
    maps, features = drawn(head)
    expected = csra_by_hand(
        head,
        maps,
        attention_weight=settings.get("attention_weight", 0.1),
        temperatures=temperatures,
        is_normalised=settings.get("normalise", True),
    )
    torch.testing.assert_close(head(maps, features), expected + features @ head.from_features.weight.T)


def test_csra_of_no_attention_is_the_mean_of_its_score_maps():
    head = build({"csra": {"attention_weight": 0}})
    maps, _ = drawn(head)
    scores = torch.stack([head.score_map(maps, finding) for finding in range(L)], dim=1)
    torch.testing.assert_close(head(maps, torch.zeros(B, F)), scores.mean(dim=(2, 3)))
    assert scores.shape == (B, L, SIDE, SIDE)


def test_where_scores_have_no_place_there_is_no_map():
    for name in ("mlp", "attention"):
        assert build(name).score_map(torch.randn(B, C, SIDE, SIDE), 0) is None


def test_every_registered_head_is_a_head():
    assert set(HEADS.names) == set(SPELT)
    assert all(isinstance(build(name), Head) for name in SPELT)


class Nothing(Settings):
    """No settings."""


class Silent(Head):
    """A head that does not say what it takes."""


class Half(Head):
    """A head that does not say how it weighs age, sex and view."""

    takes = "maps"


class Wrong(Half):
    """A head whose weights are of another shape."""

    feature_weights = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (nn.Identity, "head own: its builder returned an object of type Identity, expected a cxrbench.models.heads"),
        (Silent, "head own: Silent does not say what it takes; set takes to pooled or maps"),
        (Half, r"head own: feature_weights of Half are not there \(NotImplementedError\); return .*, here \(2, 3\)"),
        (Wrong, r"head own: feature_weights of Wrong are of shape \(3, 2\); return .*, here \(2, 3\)"),
    ],
)
def test_an_incomplete_head_of_another_package_is_refused_in_one_line(monkeypatch, made, message):
    registry = Registry("head", (Entry("own", Nothing, "builtins:dict", "a head of a test"),))
    monkeypatch.setattr(Registry, "builder", lambda self, part: lambda settings, **context: made())
    monkeypatch.setattr("cxrbench.models.heads.HEADS", registry)
    with pytest.raises(ConfigError, match=message) as caught:
        build_head(Part(name="own", settings=Nothing()), channels=4, pooled=4, features=3, findings=2)
    assert "\n" not in str(caught.value)
