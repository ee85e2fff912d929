"""A network of the user's own: what it must return, and what is said where it does not."""

import pytest
import torch
from torch import nn

from cxrbench.config import BACKBONES
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import Backbone, build_backbone
from cxrbench.models.resnet import ResNet


def convolutions(*, channels, image_size, width=8):
    return nn.Sequential(nn.Conv2d(channels, width, 4, stride=4), nn.ReLU())


def in_steps_of_seven(*, channels, image_size):
    network = convolutions(channels=channels, image_size=image_size)
    network.multiple = 7
    return network


def whole_backbone(*, channels, image_size):
    return ResNet(stages=(1, 1, 1, 1), width=4, channels=channels, extra_pool=False)


def vector(*, channels, image_size):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size**2, 3))


def pair(*, channels, image_size):
    return Twice()


class Twice(nn.Module):
    def forward(self, image):
        return image, image


def wrong_channels(*, channels, image_size):
    return nn.Conv2d(channels + 1, 8, 4)


def broken(*, channels, image_size):
    raise OSError("no such\nweights")


def text(*, channels, image_size):
    return "resnet"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    import sys  # noqa: PLC0415 - of this test alone

    monkeypatch.setitem(sys.modules, "own_networks", sys.modules[__name__])


def build(function, *, size=64, **options):
    part = BACKBONES.parse({"module": {"function": f"own_networks:{function}", "options": options}})
    return build_backbone(part, channels=1, image_size=size)


def test_a_module_that_gives_maps_is_pooled_by_their_mean():
    network = build("convolutions", width=5)
    film = torch.rand(2, 1, 64, 64)
    maps = network.network(film)
    assert (network.channels, network.pooled, network.multiple, network.layers) == (5, 5, 1, ())
    assert torch.equal(network.maps(network(film)), maps)
    torch.testing.assert_close(network.pool(network(film)), maps.flatten(2).mean(dim=2))
    assert network.state_dict()[network.first_conv].shape == (5, 1, 4, 4)


def test_a_backbone_is_taken_as_it_is():
    assert type(build("whole_backbone")) is ResNet
    assert issubclass(ResNet, Backbone)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("absent", "own_networks has no 'absent'"),
        ("broken", r"own_networks:broken: failed \(OSError: no such weights\)"),
        ("text", "own_networks:text: returned an object of type str, expected a torch module"),
        ("vector", r"own_networks:vector: does not map films \(B, 1, 64, 64\) to .*: gives shape \(1, 3\)"),
        ("pair", "own_networks:pair: does not map films .*: gives a tuple"),
        ("wrong_channels", "own_networks:wrong_channels: does not map films .*expected input.*to have 2 channels"),
        ("in_steps_of_seven", "image_size 64 is no multiple of 7, which Sequential needs; try 63"),
    ],
)
def test_what_is_no_backbone_is_refused_in_one_line(function, said):
    with pytest.raises(ConfigError, match=said) as raised:
        build(function)
    assert "\n" not in str(raised.value)


def test_a_module_that_cannot_be_imported():
    part = BACKBONES.parse({"module": "no_such_package.networks:build"})
    with pytest.raises(ConfigError, match=r"no_such_package\.networks cannot be imported .* is its package installed"):
        build_backbone(part, channels=1, image_size=64)


def test_an_option_that_the_function_lacks():
    with pytest.raises(ConfigError, match=r"failed \(TypeError: .*unexpected keyword argument 'depth'"):
        build("convolutions", depth=3)
