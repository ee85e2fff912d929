"""Backbone and non-image features to logits."""

import pytest
import torch

from cxrbench.config import PAPER_APPROACHES, approach_names, load_approach, load_profile, with_changes
from cxrbench.errors import ConfigError
from cxrbench.models.classifier import Classifier, build_classifier
from cxrbench.models.weights.stand_in import stand_in_weights
from cxrbench.training.losses import masked_loss
from tiny_networks import FAMILIES, HEADS, tiny_approach

SMALL = load_profile("small")
IMAGENET = {"input.mean": [0.485, 0.456, 0.406], "input.std": [0.229, 0.224, 0.225]}


def small_approach(name):
    approach = load_approach(name)
    if approach.network.has_weights:
        approach = with_changes(approach, IMAGENET)
    return SMALL.apply(approach)


def small_classifier(name, *, seed=0):
    approach = small_approach(name)
    weights = None
    if approach.network.has_weights:
        weights = stand_in_weights(approach.network.backbone, image_size=approach.input.image_size, steps=0)
    return approach, build_classifier(approach, findings=15, seed=seed, weights=weights)


def inputs(approach, *, count=4):
    size = approach.input.image_size
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(count, len(approach.network.features), generator=generator)
    return torch.rand(count, 1, size, size, generator=generator), features


@pytest.mark.parametrize("name", approach_names())
def test_every_approach_maps_films_to_one_logit_per_finding(name):
    approach, classifier = small_classifier(name)
    logits = classifier.eval()(*inputs(approach))
    assert logits.shape == (4, 15)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", PAPER_APPROACHES)
def test_only_ots_keeps_its_backbone(name):
    approach, classifier = small_classifier(name)
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    classifier.train()
    masked_loss(classifier(*inputs(approach)), torch.ones(4, 15)).backward()
    with_gradient = {key for key, value in classifier.named_parameters() if value.grad is not None}
    statistics_moved = any(
        not torch.equal(before[key], value) for key, value in classifier.state_dict().items() if "running" in key
    )
    if name.startswith("ots"):
        assert with_gradient == {"head.weight", "head.bias"}
        assert not statistics_moved
    else:
        assert with_gradient == {key for key, _ in classifier.named_parameters()}
        assert statistics_moved


@pytest.mark.parametrize("name", ["ots", "ft", "1channel", "large"])
def test_the_output_reacts_to_each_feature_only_with_meta(name):
    approach, classifier = small_classifier(f"{name}-meta")
    film, features = inputs(approach)
    logits = classifier.eval()(film, features)
    for position in range(3):
        moved = features.clone()
        moved[:, position] += 1
        assert (classifier(film, moved) - logits).abs().min() > 0
    assert small_classifier(name)[1].head.weight.shape[1] == classifier.head.weight.shape[1] - 3


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    _, one = small_classifier("1channel", seed=3)
    _, same = small_classifier("1channel", seed=3)
    _, other = small_classifier("1channel", seed=4)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_grey_is_normalised_as_imagenet_was():
    _, classifier = small_classifier("ft")
    seen = []
    classifier.backbone.conv1.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    classifier.eval()(torch.full((1, 1, 64, 64), 0.485), torch.zeros(1, 0))
    expected = torch.tensor([(0.485 - mean) / std for mean, std in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))])
    torch.testing.assert_close(seen[0][0, :, 0, 0], expected)


def test_weights_are_never_forgotten_or_given_in_vain():
    with pytest.raises(ValueError, match="'ft' needs pre-trained weights"):
        build_classifier(small_approach("ft"), findings=15, seed=0, weights=None)
    with pytest.raises(ValueError, match="'1channel' takes no pre-trained weights"):
        build_classifier(small_approach("1channel"), findings=15, seed=0, weights={})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", HEADS)
def test_logits_of_films_are_those_of_their_image_features(family, head):
    approach = tiny_approach(family, head)
    classifier = build_classifier(approach, findings=3, seed=0, weights=None).eval()
    film, features = inputs(approach, count=2)
    with torch.inference_mode():
        found = classifier.image_features(film)
        maps = classifier.maps(film)
        expected = classifier(film, features)
        torch.testing.assert_close(classifier.classify(found, features), expected)
    assert found.shape == (maps.shape if classifier.head.takes == "maps" else (2, classifier.backbone.pooled))
    assert expected.shape == (2, 3)


def test_what_mean_and_std_are_must_be_known():
    approach = load_approach("ft")
    approach = approach.model_copy(update={"input": approach.input.model_copy(update={"mean": None, "std": None})})
    with pytest.raises(ConfigError, match=r"input.mean and input.std are not known before the weights are"):
        Classifier(approach, findings=15)
