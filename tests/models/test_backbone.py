"""What is asked of a backbone before it is used: shapes, without a number computed, drawn or changed."""

import pytest
import torch
from torch import nn

from cxrbench.config import BACKBONES, Entry, Part, Registry
from cxrbench.config.base import Settings
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import Backbone, build_backbone, measure
from tiny_networks import FAMILIES


class Looking(Backbone):
    """A backbone that notes where its numbers are; ``decides`` makes its code look at them."""

    def __init__(self, *, decides=False):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 4, stride=4), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.decides, self.devices = decides, []

    def forward(self, image):
        self.devices.append(image.device.type)
        maps = self.drop(self.norm(self.conv(image)))
        return -maps if self.decides and maps.sum() < 0 else maps

    def maps(self, encoded):
        return encoded

    def pool(self, encoded):
        return torch.rand(1) + encoded.mean(dim=(2, 3)) if self.decides else encoded.mean(dim=(2, 3))


@pytest.mark.parametrize(("decides", "devices"), [(False, ["meta"]), (True, ["meta", "cpu"])])
def test_measuring_draws_nothing_and_changes_nothing(decides, devices):
    network = Looking(decides=decides)
    before, state = {key: value.clone() for key, value in network.state_dict().items()}, torch.get_rng_state()
    assert measure(network, channels=1, image_size=64) == (4, 4)
    assert network.devices == devices
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.training
    assert network.norm.training


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_can_be_described_without_memory(name):
    backbone, size = FAMILIES[name]
    part = BACKBONES.parse(backbone)
    with torch.device("meta"):
        described = build_backbone(part, channels=1, image_size=size)
    built = build_backbone(part, channels=1, image_size=size)
    assert {key: value.shape for key, value in described.state_dict().items()} == {
        key: value.shape for key, value in built.state_dict().items()
    }
    assert {value.device.type for value in described.state_dict().values()} == {"meta"}
    assert (described.channels, described.pooled, described.layers) == (built.channels, built.pooled, built.layers)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_seed_gives_the_same_weights(name):
    backbone, size = FAMILIES[name]
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_backbone(BACKBONES.parse(backbone), channels=1, image_size=size).state_dict())
    assert all(torch.equal(states[1][key], value) for key, value in states[0].items())
    assert any(not torch.equal(states[2][key], value) for key, value in states[0].items())


class Nothing(Settings):
    """No settings."""


def test_a_builder_of_something_else_is_refused(monkeypatch):
    entry = Entry("flat", Nothing, "builtins:dict", "no backbone")
    monkeypatch.setattr("cxrbench.models.backbone.BACKBONES", Registry("backbone", (entry,)))
    with pytest.raises(
        ConfigError, match="backbone flat: its builder returned an object of type dict, expected a torch module"
    ):
        build_backbone(Part(name="flat", settings=Nothing()), channels=1, image_size=64)
