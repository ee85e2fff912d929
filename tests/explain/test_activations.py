"""Which layer a gradient method reads, whatever the network's family, and what it finds there."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cxrbench.config import load_approach, load_profile, with_changes
from cxrbench.errors import ConfigError
from cxrbench.explain.activations import Asked, activations, fine_stage, stage_layers
from cxrbench.explain.maps import heat_maps
from cxrbench.models.backbone import Backbone, Layer
from cxrbench.models.classifier import Classifier


def network(backbone, head="linear", image_size=64):
    torch.manual_seed(0)
    size = {"input.image_size": image_size, "input.store_size": image_size + 8}
    changes = {"network.backbone": backbone, "network.head": {head: {}}, **size}
    return Classifier(with_changes(load_approach("1channel"), changes), findings=2).eval()


def timm(model, **options):
    return {"timm": {"model": model, "options": options}}


def asked(image_size=64):
    rng = torch.Generator().manual_seed(1)
    return Asked(torch.rand(2, 1, image_size, image_size, generator=rng), torch.zeros(2, 0), finding=1)


SWIN = timm("swin_tiny_patch4_window7_224", embed_dim=24)


@pytest.mark.parametrize(
    ("backbone", "cells"),
    [
        ({"resnet": {"blocks": [2, 1, 1, 1], "width": 4}}, [16, 8, 4, 2]),
        ({"resnet": {"blocks": [2, 1, 1, 1], "width": 4, "extra_pool": True}}, [8, 4, 2, 1]),
        ({"resnet": {"blocks": [1, 1, 1, 1], "width": 4, "extra_pool": True}}, [16, 4, 2, 1]),
        (timm("test_efficientnet"), [32, 16, 8, 4, 2]),
        (timm("test_convnext"), [16, 8, 4, 2]),
        (SWIN, [16, 8, 4, 2]),
        (timm("test_vit"), [4] * 6),
    ],
    ids=["resnet", "extra pool", "extra pool, one block", "efficientnet", "convnext", "swin", "vit"],
)
def test_a_stage_is_as_fine_as_its_layer_says(backbone, cells):
    classifier = network(backbone)
    layers = stage_layers(classifier.backbone)
    assert [64 // layer.stride for layer in layers] == cells
    for stage, (layer, side) in enumerate(zip(layers, cells, strict=True), start=1):
        maps, gradient = activations(classifier, asked(), stage=stage)
        assert maps.shape == gradient.shape == (2, layer.channels, side, side)
        assert gradient.any()


@pytest.mark.parametrize("backbone", [SWIN, timm("test_vit"), timm("test_efficientnet")], ids=["swin", "vit", "cnn"])
def test_places_keep_their_place(backbone):
    """A change in one corner of the film shows in that corner of the first stage, most of all."""
    classifier, before = network(backbone), asked()
    film = before.film.clone()
    film[:, :, 48:, :16] += 1
    after = Asked(film, before.features, before.finding)
    changed = [activations(classifier, one, stage=1)[0] for one in (before, after)]
    change = (changed[1] - changed[0]).abs().sum(dim=1)  # (B, h, w)
    row, column = np.unravel_index(int(change[0].argmax()), change.shape[1:])
    side = change.shape[1]
    assert row >= side * 3 // 4
    assert column < side // 4


def test_a_class_token_hides_the_last_blocks_places():
    classifier = network(timm("test_vit"))
    last, before = (activations(classifier, asked(), stage=stage) for stage in (6, 5))
    assert all(ours.equal(theirs) for ours, theirs in zip(last, before, strict=True))
    over_places = network(timm("test_vit"), "csra")
    last, before = (activations(over_places, asked(), stage=stage) for stage in (6, 5))
    assert not last[1].equal(before[1])


def test_places_that_a_layer_norm_alone_takes_are_read_behind_it():
    """Values times gradients say nothing before a norm; behind the last one they are CAM."""
    swin = network(SWIN)
    cam = heat_maps(swin, asked(), "cam")
    assert heat_maps(swin, asked(), "hires-cam", stage=4) == pytest.approx(cam / cam[0].size, abs=1e-6)
    maps, gradient = activations(network(timm("test_vit")), asked(), stage=5)
    assert maps.mean(dim=1).numpy() == pytest.approx(0, abs=1e-5)
    assert maps.std(dim=1, correction=0).numpy() == pytest.approx(1, abs=1e-3)
    assert gradient.mul(maps).sum(dim=1).abs().mean() > 0.1 * gradient.abs().mean()
    plain, _ = activations(network(timm("test_vit")), asked(), stage=4)  # its places go past the norm as well
    assert plain.std(dim=1, correction=0).numpy() != pytest.approx(1, abs=1e-3)


def test_the_fine_stage_has_eight_cells_along_a_side():
    def stages(name, sides):
        backbone = Classifier(load_profile("small").apply(load_approach(name)), findings=1).backbone
        return [fine_stage(backbone, side) for side in sides]

    assert stages("1channel", (32, 64, 224, 448)) == [1, 2, 3, 4]
    assert stages("large", (128, 448)) == [2, 3]
    assert fine_stage(network(timm("test_vit")).backbone, 64) == 6  # four cells everywhere


def test_a_network_without_layers_is_read_at_its_last_maps(meta_free):
    assert len(stage_layers(meta_free.backbone)) == 1
    maps, gradient = activations(meta_free, asked(), stage=1)
    assert maps.equal(meta_free.maps(asked().film))
    expected = meta_free.head.weight[1][None, :, None, None] / maps[0, 0].numel()
    assert torch.allclose(gradient, expected.expand_as(gradient))
    cam = heat_maps(meta_free, asked(), "cam")
    assert heat_maps(meta_free, asked(), "hires-cam") == pytest.approx(cam / cam[0].size, abs=1e-6)


@pytest.fixture
def meta_free(monkeypatch):
    """A network of the user's own, which names no layers."""

    def own_network(*, channels, image_size):
        return torch.nn.Sequential(torch.nn.Conv2d(channels, 6, 3, stride=4, padding=1), torch.nn.ReLU())

    monkeypatch.setattr("cxrbench.models.own_module.imported", lambda function, what: own_network)
    return network({"module": {"function": "mine:own_network"}})


def test_layers_that_the_network_has_not_are_no_stages():
    classifier = network(timm("test_efficientnet"))
    lacking = [Layer(layer.module.replace("blocks", "block"), 8, 4) for layer in classifier.backbone.layers]
    classifier.backbone.layers = tuple(lacking)
    maps, _ = activations(classifier, asked(), stage=1)
    assert maps.equal(classifier.maps(asked().film))


def test_stages_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="no stage 7: the network has stages 1 to 6; choose one of them"):
        activations(network(timm("test_vit")), asked(), stage=7)


def test_what_is_neither_maps_nor_tokens_is_named():
    backbone = Backbone()
    backbone.channels, layer = 6, Layer("blocks.3", 6, 16)
    with pytest.raises(ConfigError, match=r"layer blocks\.3 gives neither feature maps nor .* tokens: \(2, 11, 6\)"):
        backbone.as_maps(torch.zeros(2, 11, 6), layer)
    with pytest.raises(ConfigError, match=r"layer blocks\.3 gives neither"):
        backbone.as_maps(SimpleNamespace(), layer)
