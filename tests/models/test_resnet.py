"""What makes each network of the paper what it is."""

from functools import partial

import pytest
import timm
import torch

from cxrbench.config import BACKBONES, load_approach
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import build_backbone
from cxrbench.models.classifier import Classifier


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


def build(approach):
    settings = load_approach(approach)
    return build_backbone(
        settings.network.backbone, channels=settings.input.channels, image_size=settings.input.image_size
    )


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
    assert sum(p.numel() for p in build(approach).parameters()) == counted_by_hand(stages, channels=channels)


@pytest.mark.parametrize(
    ("approach", "parameters"),
    [
        ("ft", 23_538_767),
        ("1channel", 23_532_495),
        ("resnet38-large", 19_063_759),
        ("resnet101-1channel", 42_524_623),
    ],
)
def test_the_papers_networks_are_what_they_were(approach, parameters):
    with torch.device("meta"):
        classifier = Classifier(load_approach(approach), findings=15)
    assert sum(p.numel() for p in classifier.parameters()) == parameters


def test_resnet50_has_the_published_count():
    assert sum(p.numel() for p in build("ft").parameters()) == 25_557_032 - (2048 + 1) * 1000


def test_names_and_function_are_those_of_timm():
    theirs = timm.create_model("resnet50", pretrained=False, num_classes=0)
    ours = build("ft")
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(image), theirs.eval().forward_features(image))


def test_ft_gives_the_logits_of_torchvision():
    models = pytest.importorskip("torchvision.models")
    theirs = models.resnet50(num_classes=15).eval()
    ours = Classifier(load_approach("ft"), findings=15).eval()
    weights = theirs.state_dict()
    head = {"head.weight": weights.pop("fc.weight"), "head.bias": weights.pop("fc.bias")}
    ours.load_state_dict({f"backbone.{name}": value for name, value in weights.items()} | head)
    film = torch.rand(2, 1, 96, 96)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        expected = theirs((film - mean) / std)
        torch.testing.assert_close(ours(film, torch.zeros(2, 0)), expected, rtol=0, atol=1e-6)
    assert expected.std() > 0.01


def map_sizes(approach):
    """Sides of the maps entering and leaving each room of an approach's network."""
    network, size = build(approach).eval(), load_approach(approach).input.image_size
    seen = {}
    rooms = {name: getattr(network, name) for name in ("maxpool", "layer2", "layer3", "layer4")}

    def note(name, _module, args, out):
        seen[name] = (args[0].shape[-1], out.shape[-1])

    for name, room in (rooms | {"first block": network.layer1[0]}).items():
        room.register_forward_hook(partial(note, name))
    with torch.inference_mode():
        network(torch.rand(1, 1, size, size))
    return seen


def test_extra_pooling_gives_later_layers_the_map_sizes_of_half_the_input():
    later = {"layer2": (56, 28), "layer3": (28, 14), "layer4": (14, 7)}
    assert map_sizes("1channel") == {"maxpool": (112, 56), "first block": (56, 56)} | later
    assert map_sizes("large") == {"maxpool": (224, 112), "first block": (112, 112)} | later


def test_residual_branches_start_at_zero():
    network = build("1channel")
    assert network.layer1[0].bn3.weight.abs().sum() == 0


def test_layers_are_where_their_channels_and_strides_say():
    small = {"resnet": {"width": 4, "blocks": [1, 1, 1, 1], "extra_pool": True}}
    network = build_backbone(BACKBONES.parse(small), channels=1, image_size=128)
    for layer in network.layers:
        network.get_submodule(layer.module).register_forward_hook(
            lambda module, args, out, layer=layer: seen.__setitem__(layer, tuple(out.shape))
        )
    seen = {}
    network(torch.rand(2, 1, 128, 128))
    assert {layer: shape[1:3] for layer, shape in seen.items()} == {
        layer: (layer.channels, 128 // layer.stride) for layer in network.layers
    }


def test_a_side_that_is_no_multiple_of_32_is_refused():
    small = BACKBONES.parse({"resnet": {"width": 4}})
    with pytest.raises(ConfigError, match="image_size 100 is no multiple of 32, which backbone resnet 50 needs"):
        build_backbone(small, channels=1, image_size=100)
