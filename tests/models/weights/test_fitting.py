"""Weights of every format arrive whole, and those of another network are refused with what they seem to be for."""

import re
import sys

import pytest
import timm
import torch

from cxrbench.config import Approach
from cxrbench.errors import WeightsError
from cxrbench.models.backbone import build_backbone
from cxrbench.models.weights.fitting import fit, load_weights
from cxrbench.models.weights.reading import Contents
from pretrained import TINY, VIT, approach_from, drawn, state_of, timm_state


def network_of(approach: Approach):
    return build_backbone(
        approach.network.backbone, channels=approach.input.channels, image_size=approach.input.image_size
    )


def fitted(state, backbone=None, *, size=64, **how):
    network = network_of(approach_from("hub", backbone, size=size))
    return fit(Contents("w.pth", state, **how.pop("contents", {})), network, **how)


def assert_whole(result, state, prefix=""):
    """Every tensor of the network is the file's."""
    assert result.tensors
    for name, value in result.tensors.items():
        assert torch.equal(value, state[name.removeprefix(prefix)]), name


def prefixed(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


TINY_WITH_LAST_LAYER = {**state_of(), "fc.weight": torch.rand(1000, 128), "fc.bias": torch.rand(1000)}
SECOND_ENCODER = prefixed(state_of(seed=9), "module.encoder_k.") | {
    "module.queue": torch.rand(128, 8),
    "module.queue_ptr": torch.zeros(1),
}

LAYOUTS = {
    "torchvision and timm": TINY_WITH_LAST_LAYER,
    "several GPUs": prefixed(TINY_WITH_LAST_LAYER, "module."),
    "compiled": prefixed(TINY_WITH_LAST_LAYER, "_orig_mod."),
    "Lightning": prefixed(TINY_WITH_LAST_LAYER, "model."),
    "Lightning, a network inside": prefixed(TINY_WITH_LAST_LAYER, "model.resnet."),
    "MoCo": prefixed(state_of(), "module.encoder_q.")
    | {"module.encoder_q.fc.0.weight": torch.rand(2, 2)}
    | SECOND_ENCODER,
    "DINO": prefixed(state_of(), "module.backbone.") | {"module.head.mlp.0.weight": torch.rand(2, 2)},
    "older": {name: value for name, value in TINY_WITH_LAST_LAYER.items() if "num_batches" not in name},
    "half precision": {name: value.half() for name, value in state_of().items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_fills_the_network(layout):
    state = LAYOUTS[layout]
    expected = {name: value.half().float() for name, value in state_of().items()} if "half" in layout else state_of()
    assert_whole(fitted(state), expected)


def test_tensors_and_numbers_are_counted():
    result = fitted(TINY_WITH_LAST_LAYER)
    counted = {name: value for name, value in state_of().items() if "num_batches" not in name}
    assert len(result.tensors) == len(counted)
    assert result.parameters == sum(value.numel() for value in counted.values())
    assert result.notes == ("left out: fc (2 tensors)",)


def resnet(*blocks):
    return {"resnet": {"depth": 50, "blocks": list(blocks), "width": 4}}


@pytest.mark.parametrize(
    ("theirs", "ours", "first", "seems"),
    [
        ((3, 4, 23, 3), (3, 4, 6, 3), "layer3.6.conv1.weight", "ResNet-101, 3, 4, 23, 3 blocks"),
        ((3, 4, 6, 3), (3, 4, 2, 3), "layer3.2.conv1.weight", "ResNet-50, 3, 4, 6, 3 blocks"),
    ],
)
def test_a_deeper_networks_weights_are_surplus(theirs, ours, first, seems):
    with pytest.raises(
        WeightsError, match=rf"'{first}' \(and \d+ more\) is not in the network; .*{seems}.*under ignore"
    ):
        fitted(state_of(resnet(*theirs)), resnet(*ours))


def test_a_shallower_networks_weights_lack_tensors():
    with pytest.raises(
        WeightsError, match=r"'layer3\.2\.conv1\.weight' is absent .*ResNet-38, .*; give weights of this network"
    ):
        fitted(state_of(resnet(3, 4, 2, 3)), resnet(3, 4, 6, 3))


def test_surplus_that_the_approach_names_is_left_out_and_told():
    state = state_of() | {"scorer.weight": torch.rand(2), "scorer.bias": torch.rand(2)}
    with pytest.raises(WeightsError, match=r"'scorer\.weight' \(and 1 more\) is not in the network"):
        fitted(state)
    result = fitted(state, ignore=("scorer.",))
    assert_whole(result, state)
    assert result.notes == ("left out: scorer (2 tensors)",)


def test_weights_of_another_width_are_refused_with_the_remedy():
    wide = state_of({"resnet": {**TINY["resnet"], "width": 8}})
    with pytest.raises(WeightsError, match=r"\(8, 3, 7, 7\), the network needs \(4, 3, 7, 7\).*'paper'.*stand-in"):
        fitted(wide)


def test_a_file_of_something_else_says_so():
    with pytest.raises(WeightsError, match=r"'conv1\.weight' is absent .*seems to be for a DenseNet"):
        fitted({"features.denseblock1.norm.weight": torch.rand(3)})
    with pytest.raises(WeightsError, match=r"seems to be for a transformer of 2 blocks"):
        fitted(state_of(VIT))


# --- one channel ---


def test_a_three_channel_stem_is_summed_for_one_channel():
    state = state_of()
    three, one = (
        network_of(approach_from("hub", channels=channels, mean=None, std=None)).eval() for channels in (3, 1)
    )
    result = fitted(state)
    for network in (three, one):
        load_weights(network, result.tensors)
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(one(grey), three(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_a_one_channel_stem_is_spread_over_three():
    state = state_of(channels=1)
    result = fitted(state)
    assert "its one-channel first layer was spread over three" in result.notes
    three, one = (network_of(approach_from("hub", channels=channels)).eval() for channels in (3, 1))
    load_weights(three, result.tensors)
    one.load_state_dict(state)
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(three(grey.expand(-1, 3, -1, -1)), one(grey), rtol=1e-4, atol=1e-4)


def test_other_numbers_of_channels_are_refused():
    state = {**state_of(), "conv1.weight": torch.rand(4, 4, 7, 7)}
    with pytest.raises(
        WeightsError, match=r"'conv1\.weight' has shape \(4, 4, 7, 7\), the network needs \(4, 3, 7, 7\)"
    ):
        fitted(state)


# --- by order ---


def renamed(state):
    """The same tensors in the same order under names that tell nothing but their kind."""
    return {f"part{i}.{name.rpartition('.')[2]}": value for i, (name, value) in enumerate(state.items())}


def test_tensors_are_matched_by_order_only_when_asked():
    state = state_of()
    theirs = renamed(state) | {"_fc.weight": torch.rand(10, 128), "_fc.bias": torch.rand(10)}
    with pytest.raises(WeightsError, match=r"'conv1\.weight' is absent .*order and shapes fit: names: order"):
        fitted(theirs)
    result = fitted(theirs, names="order")
    assert_whole(result, state)
    assert result.notes == (f"{len(result.tensors)} tensors were matched by order and shape, not by name",
                            "left out: _fc (2 tensors)")  # fmt: skip


def test_another_order_is_refused_with_the_first_that_does_not_meet():
    theirs = dict(reversed(renamed(state_of()).items()))
    with pytest.raises(
        WeightsError, match=r"cannot be matched by order; 'part\d+\.running_var' of shape .* meets 'conv1"
    ):
        fitted(theirs, names="order")


def test_an_order_that_makes_variances_negative_is_refused():
    theirs = renamed(state_of())
    name = next(name for name in theirs if name.endswith("running_var"))
    with pytest.raises(WeightsError, match=r"'bn1\.running_var' would be a variance below 0"):
        fitted({**theirs, name: theirs[name] - 5}, names="order")


def test_a_sorted_file_has_no_order():
    with pytest.raises(WeightsError, match=r"\.safetensors file is sorted by name"):
        fitted(renamed(state_of()), names="order", contents={"has_order": False})


# --- timm's networks ---


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "backbone."])
def test_timms_own_names_fill_timms_network(prefix):
    options = VIT["timm"]["options"]
    state = timm_state("vit_tiny_patch16_224", **options, img_size=64)
    assert_whole(fitted(prefixed(state, prefix), VIT), state, "network.")


def test_a_masked_autoencoders_decoder_is_left_out():
    state = timm_state("vit_tiny_patch16_224", **VIT["timm"]["options"], img_size=64, num_classes=0)
    decoder = {"mask_token": torch.rand(1, 1, 8), "decoder_blocks.0.norm1.weight": torch.rand(8)}
    result = fitted({**state, **decoder, "decoder_pos_embed": torch.rand(1, 17, 8)}, VIT)
    assert_whole(result, state, "network.")
    assert "left out: decoder_blocks (1 tensors), decoder_pos_embed (1 tensors)" in result.notes


def test_positions_and_patches_are_resampled():
    options = VIT["timm"]["options"]
    state = timm_state("vit_tiny_patch16_224", **options, img_size=96)
    result = fitted(state, VIT)
    assert result.tensors["network.pos_embed"].shape == (1, 17, 24)
    coarse = timm_state("vit_tiny_patch16_224", **options, img_size=128, patch_size=32)
    assert fitted(coarse, VIT).tensors["network.patch_embed.proj.weight"].shape == (24, 3, 16, 16)


def test_positions_that_cannot_be_resampled_are_refused():
    state = timm_state("vit_tiny_patch16_224", **VIT["timm"]["options"], img_size=64)
    with pytest.raises(WeightsError, match=r"cannot be (resampled|adapted)"):
        fitted({**state, "pos_embed": torch.rand(1, 12, 24)}, VIT)


def test_dinov2_is_read_in_its_authors_names():
    options = {"depth": 1, "embed_dim": 24, "num_heads": 2}
    backbone = {"timm": {"model": "vit_small_patch14_dinov2", "options": options}}
    state = timm_state("vit_small_patch14_dinov2", **options, img_size=70, num_classes=0)
    theirs = {**state, "mask_token": torch.rand(1, 24)}
    result = fitted(theirs, backbone, size=56)
    assert result.tensors["network.pos_embed"].shape == (1, 17, 24)
    assert torch.equal(result.tensors["network.blocks.0.ls1.gamma"], state["blocks.0.ls1.gamma"])


def as_transformers(state):
    """A ViT of timm in the names of the transformers library; query, key and value apart."""
    rules = {"cls_token": "embeddings.cls_token", "pos_embed": "embeddings.position_embeddings",
             "patch_embed.proj": "embeddings.patch_embeddings.projection"}  # fmt: skip
    result = {}
    for name, value in state.items():
        new = re.sub(r"^blocks\.", "encoder.layer.", name)
        for ours, theirs in rules.items():
            new = new.replace(ours, theirs)
        new = new.replace(".attn.proj.", ".attention.output.dense.").replace(".ls1.gamma", ".layer_scale1.lambda1")
        new = re.sub(r"^norm\.", "layernorm.", new.replace(".ls2.gamma", ".layer_scale2.lambda1"))
        if ".attn.qkv." in new:
            for part, piece in zip(("query", "key", "value"), value.chunk(3), strict=True):
                result[new.replace(".attn.qkv.", f".attention.attention.{part}.")] = piece
        else:
            result[new] = value
    return result


def test_dinov2_is_read_in_the_names_of_transformers():
    options = {"depth": 2, "embed_dim": 24, "num_heads": 2}
    backbone = {"timm": {"model": "vit_small_patch14_dinov2", "options": options}}
    state = timm_state("vit_small_patch14_dinov2", **options, img_size=56, num_classes=0)
    theirs = as_transformers(state) | {"embeddings.mask_token": torch.rand(1, 24)}
    assert_whole(fitted(theirs, backbone, size=56), state, "network.")


def test_eva02_is_read_in_its_authors_names():
    options = {"depth": 1, "embed_dim": 24, "num_heads": 2}
    backbone = {"timm": {"model": "eva02_tiny_patch14_224", "options": options}}
    state = timm_state("eva02_tiny_patch14_224", **options, img_size=56, num_classes=0)
    swaps = {"mlp.norm": "mlp.ffn_ln", "attn.norm": "attn.inner_attn_ln", "mlp.fc1_g": "mlp.w1", "mlp.fc1_x": "mlp.w2",
             "mlp.fc2": "mlp.w3", "fc_norm.": "norm."}  # fmt: skip
    theirs = {}
    for name, value in state.items():
        for ours, their in swaps.items():
            name = name.replace(ours, their)  # noqa: PLW2901 - each swap on what the last one made
        theirs[name] = value
    more = {"mask_token": torch.rand(1, 1, 24), "lm_head.weight": torch.rand(8, 24), "rope.freqs_cos": torch.rand(4)}
    assert_whole(fitted({**theirs, **more}, backbone, size=56), state, "network.")


def test_torchvisions_transformer_is_read():
    options = VIT["timm"]["options"]
    state = timm_state("vit_tiny_patch16_224", **options, img_size=64, num_classes=0)
    rules = [(r"^blocks\.(\d+)\.", r"encoder.layers.encoder_layer_\1."), (r"\.norm([12])\.", r".ln_\1."),
             (r"\.attn\.qkv\.", ".self_attention.in_proj_"), (r"\.attn\.proj\.", ".self_attention.out_proj."),
             (r"\.mlp\.fc1\.", ".mlp.linear_1."), (r"\.mlp\.fc2\.", ".mlp.linear_2."), (r"^norm\.", "encoder.ln."),
             (r"^cls_token$", "class_token"), (r"^patch_embed\.proj\.", "conv_proj."),
             (r"^pos_embed$", "encoder.pos_embedding")]  # fmt: skip
    theirs = {}
    for name, value in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901 - each rule on what the last one made
        theirs[name] = value
    theirs |= {"heads.head.weight": torch.rand(10, 24), "heads.head.bias": torch.rand(10)}
    assert_whole(fitted(theirs, VIT), state, "network.")


@pytest.mark.parametrize("model", ["convnext_atto", "swin_s3_tiny_224", "mobilenetv3_small_050"])
def test_other_families_are_read_under_the_hubs_names(model):
    size = 224 if "swin" in model else 64
    backbone = {"timm": model}
    state = drawn(timm.create_model(model, pretrained=False).state_dict())
    result = fitted(state, backbone, size=size)
    for name, value in result.tensors.items():
        assert torch.equal(value, state[name.removeprefix("network.")]), name


# --- a network of the user's own ---


class OwnNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Conv2d(3, 4, kernel_size=8, stride=8)

    def forward(self, image):
        return self.body(image)


def checkpoint_filter_fn(tensors, network):
    return {name.replace("their_body", "body"): value for name, value in tensors.items()}


def build_own(*, channels, image_size):
    del channels, image_size
    return OwnNetwork()


def test_the_filter_of_the_users_own_module_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "own_network", sys.modules[__name__])
    theirs = {"model.their_body.weight": torch.rand(4, 3, 8, 8), "model.their_body.bias": torch.rand(4)}
    result = fitted(theirs, {"module": "own_network:build_own"})
    assert torch.equal(result.tensors["network.body.weight"], theirs["model.their_body.weight"])
