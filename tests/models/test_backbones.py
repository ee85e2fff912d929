"""What makes each network of the paper what it is."""

from functools import partial

import pytest
import timm
import torch
from cxrbench.models.backbones import build_backbone

from cxrbench.config import load_approach


def counted_by_hand(stages, *, channels, width=64):
    """Parameters of a bottleneck ResNet without its last layer, from the shapes of its layers."""
    total = channels * width * 7 * 7 + 2 * width
    inputs = width
    for blocks, planes in zip(stages, (width, 2 * width, 4 * width, 8 * width), strict=True):
        norms = 2 * (planes + planes + 4 * planes)
        total += inputs * planes + 9 * planes**2 + 4 * planes**2 + norms + inputs * 4 * planes + 2 * 4 * planes
        total += (blocks - 1) * (4 * planes**2 + 9 * planes**2 + 4 * planes**2 + norms)
        inputs = 4 * planes
    return total


@pytest.mark.parametrize(
    ("approach", "stages", "channels"),
    [
        ("ft", (3, 4, 6, 3), 3),
        ("1channel", (3, 4, 6, 3), 1),
        ("resnet38-large", (3, 4, 2, 3), 1),
        ("resnet101-1channel", (3, 4, 23, 3), 1),
    ],
)
def test_parameter_counts_match_the_hand_calculation(approach, stages, channels):
    settings = load_approach(approach)
    network = build_backbone(settings.backbone, channels=settings.input.channels)
    assert sum(p.numel() for p in network.parameters()) == counted_by_hand(stages, channels=channels)


def test_resnet50_has_the_published_count():
    network = build_backbone(load_approach("ft").backbone, channels=3)
    assert sum(p.numel() for p in network.parameters()) == 25_557_032 - (2048 + 1) * 1000


def test_names_and_function_are_those_of_timm():
    theirs = timm.create_model("resnet50", pretrained=False, num_classes=0)
    ours = build_backbone(load_approach("ft").backbone, channels=3)
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(image), theirs.eval().forward_features(image))


def map_sizes(approach):
    """Sides of the maps entering and leaving each room of an approach's network."""
    settings = load_approach(approach)
    network = build_backbone(settings.backbone, channels=1).eval()
    seen = {}
    rooms = {name: getattr(network, name) for name in ("maxpool", "layer2", "layer3", "layer4")}

    def note(name, _module, args, out):
        seen[name] = (args[0].shape[-1], out.shape[-1])

    for name, room in (rooms | {"first block": network.layer1[0]}).items():
        room.register_forward_hook(partial(note, name))
    with torch.inference_mode():
        network(torch.rand(1, 1, settings.input.image_size, settings.input.image_size))
    return seen


def test_extra_pooling_gives_later_layers_the_map_sizes_of_half_the_input():
    later = {"layer2": (56, 28), "layer3": (28, 14), "layer4": (14, 7)}
    assert map_sizes("1channel") == {"maxpool": (112, 56), "first block": (56, 56)} | later
    assert map_sizes("large") == {"maxpool": (224, 112), "first block": (112, 112)} | later


def test_residual_branches_start_at_zero():
    network = build_backbone(load_approach("1channel").backbone, channels=1)
    assert network.layer1[0].bn3.weight.abs().sum() == 0
