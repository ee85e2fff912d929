"""What timm's networks must be as backbones: the same function, maps for every head, and plain refusals."""

import pytest
import timm
import torch

from cxrbench.config import BACKBONES
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import build_backbone
from cxrbench.models.classifier import Classifier
from tiny_networks import FAMILIES, shaken, tiny_approach

ODD = {
    "hidden layer before the last": ({"timm": {"model": "mobilenetv3_small_050"}}, 64),
    "large layers before the last": ({"timm": {"model": "vgg11", "options": {"mlp_ratio": 0.01}}}, 64),
    "channels last, norm and hidden layer in the head": ({"timm": {"model": "test_mambaout"}}, 64),
    "another size than its own": ({"timm": {"model": "test_maxvit"}}, 96),
    "relative positions": ({"timm": {"model": "test_vit_relpos"}}, 96),
}
OURS = {name: given for name, given in FAMILIES.items() if "timm" in given[0]} | ODD
FINDINGS = 5


def build(backbone, *, size=64, channels=1):
    part = BACKBONES.parse({"timm": backbone})
    return build_backbone(part, channels=channels, image_size=size)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OURS)
def test_a_linear_head_gives_the_logits_of_timms_own_classifier(name, channels):
    backbone, size = OURS[name]
    spec = backbone["timm"]
    sized = {"img_size": size} if timm.get_pretrained_cfg(spec["model"]).fixed_input_size else {}
    theirs = timm.create_model(
        spec["model"], num_classes=FINDINGS, in_chans=channels, **sized, **spec.get("options", {})
    )
    shaken(theirs).eval()
    approach = tiny_approach(backbone, size=size, channels=channels, features=())
    ours = Classifier(approach, findings=FINDINGS).eval()
    last = theirs.get_classifier()
    absent, surplus = ours.backbone.network.load_state_dict(theirs.state_dict(), strict=False)
    assert not absent
    assert len(surplus) == 2  # weight and bias of the last layer
    ours.head.load_state_dict(last.state_dict())
    film = torch.rand(3, 1, size, size)
    with torch.inference_mode():
        expected = theirs((film.expand(-1, channels, -1, -1) - 0.5) / 0.25)
        torch.testing.assert_close(ours(film, torch.zeros(3, 0)), expected, rtol=1e-5, atol=1e-5)
    assert (expected[0] - expected[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", OURS)
def test_maps_and_layers_are_as_they_say(name):
    backbone, size = OURS[name]
    network = build(backbone["timm"], size=size)
    with torch.inference_mode():
        encoded = network.eval()(torch.rand(2, 1, size, size))
    maps = network.maps(encoded)
    assert maps.shape == (2, network.channels, size // network.layers[-1].stride, size // network.layers[-1].stride)
    assert network.pool(encoded).shape == (2, network.pooled)
    assert network.state_dict()[network.first_conv].shape[1] == 1
    assert all(network.get_submodule(layer.module) for layer in network.layers)


def test_tokens_lie_where_their_patches_do():
    """A ViT without blocks and positions, whose patch embedding copies each patch's first pixel."""
    network = build({"model": "test_vit", "options": {"depth": 0, "final_norm": False}}, size=64)
    embedding = network.network.patch_embed.proj
    with torch.no_grad():
        network.network.pos_embed.zero_()
        embedding.weight.zero_()
        embedding.bias.zero_()
        embedding.weight[:, 0, 0, 0] = 1
        film = torch.rand(1, 1, 64, 64)
        maps = network.maps(network(film))
    torch.testing.assert_close(maps[0, 0], film[0, 0, ::16, ::16])


def test_drop_path_reaches_the_network():
    def rates(drop_path):
        network = build({"model": "test_vit", "drop_path": drop_path})
        return [module.drop_prob for module in network.modules() if hasattr(module, "drop_prob")]

    assert rates(0.0) == []
    assert max(rates(0.3)) == pytest.approx(0.3)


def test_no_drop_path_is_none_even_where_the_network_has_one_by_default():
    network = build({"model": "swin_tiny_patch4_window7_224", "options": {"embed_dim": 24}})
    assert not [module for module in network.modules() if getattr(module, "drop_prob", 0)]


@pytest.mark.parametrize(
    ("backbone", "size", "said"),
    [
        ({"model": "convnextt_tiny"}, 64, r"unknown timm network 'convnextt_tiny'; did you mean convnext_tiny"),
        ({"model": "qqqq"}, 64, r"unknown timm network 'qqqq'; timm.list_models\(\) lists all 1,\d\d\d$"),
        ({"model": "resnet18.a1_in1"}, 64, r"'resnet18' has no weights 'a1_in1'; did you mean a1_in1k .*it has .*a3"),
        ({"model": "test_vit"}, 72, r"'test_vit': input.image_size 72 is no multiple of 16, which it needs; try 64"),
        ({"model": "eva02_tiny_patch14_224"}, 64, r"image_size 64 is no multiple of 14, which it needs; try 70"),
        ({"model": "test_maxvit"}, 80, r"'test_maxvit': input.image_size 80 is no multiple of 32, which it needs"),
        ({"model": "convnext_atto"}, 80, r"input.image_size 80 is no multiple of 32"),
        ({"model": "vgg11", "drop_path": 0.1}, 64, r"'vgg11': knows no drop path; leave out drop_path: 0.1"),
        ({"model": "test_vit", "options": {"colour": 3}}, 64, r"'test_vit': knows no option 'colour'; leave it out"),
        ({"model": "hrnet_w18_small", "options": {"colour": 3}}, 64, r"knows no option 'colour'; leave it out"),
        ({"model": "test_vit", "options": {"img_size": 32}}, 64, r"img_size is no option; the approach's other values"),
        ({"model": "test_vit", "options": {"checkpoint_path": "x"}}, 64, r"checkpoint_path is no option"),
        ({"model": "test_vit", "options": {"embed_dim": 31}}, 64, r"cannot be built with .*'embed_dim': 31.*\(Asser"),
        ({"model": "efficientvim_m1"}, 64, r"'efficientvim_m1': gives a list, neither feature maps nor a grid of tok"),
        ({"model": "volo_d1_224"}, 64, r"'volo_d1_224': gives 17 tokens, which are no square grid"),
    ],
    ids=lambda value: value["model"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_cannot_be_a_backbone_is_refused_in_one_line(backbone, size, said):
    with pytest.raises(ConfigError, match=said) as raised:
        build(backbone, size=size)
    assert "\n" not in str(raised.value)


def test_a_network_that_takes_odd_sizes_may_have_them():
    assert build({"model": "inception_v3"}, size=100).multiple == 1  # timm's own size is 299
