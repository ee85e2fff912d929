"""Heat maps against what their papers say of them."""

import numpy as np
import pytest
import torch

from cxrbench.config import load_approach, load_profile, with_changes
from cxrbench.errors import ConfigError
from cxrbench.explain.activations import Asked
from cxrbench.explain.maps import (
    METHODS,
    OCCLUSION_CELLS,
    answered_methods,
    cam_problem,
    checked_methods,
    heat_maps,
)
from cxrbench.models.classifier import Classifier


def network(name, findings=3):
    torch.manual_seed(0)
    classifier = Classifier(load_profile("small").apply(load_approach(name)), findings=findings)
    for module in classifier.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return classifier.eval()


def timm_network(model, head="linear", **options):
    changes = {
        "network.backbone": {"timm": {"model": model, "options": options}},
        "network.head": {head: {}},
        "network.features": ["age", "sex", "view"],
        "input.image_size": 64,
        "input.store_size": 72,
    }
    torch.manual_seed(0)
    classifier = Classifier(with_changes(load_approach("1channel"), changes), findings=3)
    for module in classifier.modules():  # norms as they are after training, not as they are drawn
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return classifier.eval()


@pytest.fixture(scope="module")
def meta():
    return network("1channel-meta")


@pytest.fixture(scope="module")
def asked():
    rng = torch.Generator().manual_seed(1)
    return Asked(torch.rand(2, 1, 64, 64, generator=rng), torch.rand(2, 3, generator=rng), finding=1)


def test_the_mean_of_a_cam_is_what_the_image_adds_to_the_logit(meta, asked):
    with torch.inference_mode():
        logits = meta(asked.film, asked.features)[:, 1]
        features = asked.features @ meta.head.weight[1, meta.backbone.pooled :]
        adds = (logits - features - meta.head.bias[1]).numpy()
    assert heat_maps(meta, asked, "cam").mean(axis=(1, 2)) == pytest.approx(adds, abs=1e-5)


def test_at_the_last_stage_the_gradient_methods_are_cam(meta, asked):
    cam = heat_maps(meta, asked, "cam")
    cells = cam[0].size
    assert heat_maps(meta, asked, "hires-cam", stage=4) == pytest.approx(cam / cells, abs=1e-6)
    assert heat_maps(meta, asked, "grad-cam") == pytest.approx(np.maximum(cam, 0) / cells, abs=1e-6)


def test_layer_cam_at_the_last_stage_counts_channels_that_raise_the_logit(meta, asked):
    with torch.inference_mode():
        maps = meta.maps(asked.film)
        weights = meta.head.weight[1, : maps.shape[1]].relu()
        expected = torch.einsum("bchw,c->bhw", maps, weights) / maps[0, 0].numel()
    assert heat_maps(meta, asked, "layer-cam", stage=4) == pytest.approx(expected.numpy(), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_tells_films_apart_and_keeps_the_network(meta, asked, method):
    before = {name: value.clone() for name, value in meta.state_dict().items()}
    maps = heat_maps(meta, asked, method)
    assert maps.shape[0] == 2
    assert np.isfinite(maps).all()
    assert not np.allclose(maps[0], maps[1])
    alone = Asked(asked.film[1:], asked.features[1:], asked.finding)
    assert heat_maps(meta, alone, method)[0] == pytest.approx(maps[1], abs=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in meta.state_dict().items())
    assert all(parameter.grad is None for parameter in meta.parameters())


@pytest.mark.parametrize("method", ["grad-cam", "layer-cam", "hires-cam"])
def test_a_frozen_backbone_has_maps_too(asked, method):
    frozen = network("ots")
    assert heat_maps(frozen, Asked(asked.film, torch.zeros(2, 0), 0), method).any()


class Corner(torch.nn.Module):
    """A classifier whose one logit is the brightness of a corner."""

    def forward(self, film, features):
        return film[:, :, :16, :16].mean(dim=(1, 2, 3), keepdim=True)[:, :, 0, 0]


def test_occlusion_falls_where_the_answer_comes_from():
    film = torch.zeros(1, 1, 64, 64)
    film[:, :, :16, :16] = 1
    cells = heat_maps(Corner().eval(), Asked(film, torch.zeros(1, 0), 0), "occlusion")[0]
    assert cells.shape == (OCCLUSION_CELLS, OCCLUSION_CELLS)
    assert (cells[:3, :3] > 0).all()
    assert not cells[5:, :].any()
    assert not cells[:, 5:].any()


@pytest.mark.parametrize("model", ["test_efficientnet", "test_resnet"])
def test_cam_is_given_where_pooling_is_the_plain_mean(asked, model):
    classifier = timm_network(model)
    assert cam_problem(classifier, image_size=64) is None
    with torch.inference_mode():
        logits = classifier(asked.film, asked.features)[:, 1]
        features = asked.features @ classifier.head.feature_weights[1]
        adds = (logits - features - classifier.head.bias[1]).numpy()
    assert heat_maps(classifier, asked, "cam").mean(axis=(1, 2)) == pytest.approx(adds, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("model", "head", "why"),
    [
        ("test_convnext", "linear", "its pooling is not the plain mean"),  # a norm after the mean
        ("test_vit", "linear", "its pooling is not the plain mean"),  # a class token
        ("test_efficientnet", "mlp", "its head gives no score at each place"),
        ("test_efficientnet", "attention", "its head gives no score at each place"),
    ],
)
def test_cam_is_refused_elsewhere_in_one_line_with_what_works(asked, model, head, why):
    classifier = timm_network(model, head)
    line = rf"no class activation maps \(cam\): {why}.*; methods that work: grad-cam, layer-cam, hires-cam, occlusion$"
    with pytest.raises(ConfigError, match=line):
        heat_maps(classifier, asked, "cam")
    problem = cam_problem(classifier, image_size=64)
    with pytest.raises(ConfigError, match=line):
        answered_methods(["cam", "occlusion"], problem)
    for method in answered_methods([], problem):
        assert heat_maps(classifier, asked, method).any()


@pytest.mark.parametrize("model", ["test_efficientnet", "test_convnext", "test_vit"])
def test_the_score_map_of_csra_is_its_cam(asked, model):
    classifier = timm_network(model, "csra")
    assert cam_problem(classifier, image_size=64) is None
    with torch.inference_mode():
        weight = classifier.head.weight[0, asked.finding]  # of length one for the score
        expected = torch.einsum("bchw,c->bhw", classifier.maps(asked.film), weight / weight.norm())
    assert heat_maps(classifier, asked, "cam") == pytest.approx(expected.numpy(), abs=1e-5)


def test_a_mean_that_misses_the_logit_is_refused_on_the_film_itself(asked):
    class Biased(torch.nn.Module):  # its pooling became another since it was looked at
        def forward(self, maps):
            return maps.amax(dim=(2, 3), keepdim=True)

    classifier = timm_network("test_resnet")
    classifier.backbone.network.global_pool = torch.nn.Sequential(Biased(), torch.nn.Flatten())
    with pytest.raises(ConfigError, match="not the plain mean"):
        heat_maps(classifier, asked, "cam")


def test_batch_statistics_are_refused(meta, asked):
    with pytest.raises(ValueError, match="evaluation mode"):
        heat_maps(network("1channel-meta").train(), asked, "cam")


def test_names_and_stages_that_do_not_exist_are_named(meta, asked):
    with pytest.raises(ConfigError, match="unknown method 'gradcam'; valid names: cam, grad-cam"):
        checked_methods(["cam", "gradcam"])
    assert checked_methods(["layer-cam", "cam", "cam"]) == ("cam", "layer-cam")
    assert answered_methods(checked_methods(None), None) == ("cam", "layer-cam")
    with pytest.raises(ConfigError, match="no stage 5: the network has stages 1 to 4"):
        heat_maps(meta, asked, "layer-cam", stage=5)
