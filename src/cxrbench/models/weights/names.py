"""Names of tensors: from those of the library or script that saved a file to those of the network."""

import re
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

Tensors = dict[str, Tensor]

PREFIXES = (
    "module.",  # several GPUs
    "_orig_mod.",  # torch.compile
    "model.",  # Lightning
    "teacher.",
    "student.",
    "encoder_q.",  # MoCo
    "base_encoder.",  # MoCo v3
    "backbone.",  # DINO
    "encoder.",
    "network.",
)
"""Beginnings that scripts put before the network's own names."""

DEEPEST = 6

PRETEXT = (
    "encoder_k.",
    "momentum_encoder.",
    "queue",
    "predictor.",
    "projector.",
    "student.",
    "dino_head.",
    "ibot_head.",
    "dino_loss.",
    "ibot_patch_loss.",
    "decoder_",
    "mask_token",
    "lm_head.",
)
"""Beginnings of what only pre-training needs: MoCo's second encoder and queue, MAE's decoder, DINO's heads."""

CLASSIFIERS = ("fc.", "_fc.", "head.", "heads.", "head_dist.", "classifier.", "last_linear.", "logits.", "AuxLogits.")
"""Beginnings of last layers."""

UNCOUNTED = "num_batches_tracked"
"""Older files lack it, and it does not change what is computed."""

TRANSFORMERS = (
    (r"^(?:vit\.|dinov2\.)?", ""),
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.mask_token$", "mask_token"),
    (r"^embeddings\.register_tokens$", "register_tokens"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.mlp\.weights_in\.", ".mlp.w12."),
    (r"\.mlp\.weights_out\.", ".mlp.w3."),
    (r"^layernorm\.", "norm."),
    (r"^pooler\.", "head.pooler."),
)
"""ViT and DINOv2 of the transformers library, which timm's own filters do not know."""

TORCHVISION_VIT = (
    (r"^class_token$", "cls_token"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^encoder\.layers\.encoder_layer_", "blocks."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:linear_1|0)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:linear_2|3)\.", ".mlp.fc2."),
    (r"^encoder\.ln\.", "norm."),
)


def namings(tensors: Tensors, first: str) -> Iterator[Tensors]:
    """Yield the tensors under every naming that may be the network's: as they are, then less and less prefixed.

    Args:
        tensors: As the file names them.
        first: Name of one of the network's tensors, which shows prefixes that no list has.
    """
    yield tensors
    yield from _adapted(tensors)
    stripped = tensors
    for _ in range(DEEPEST):
        prefix = next((each for each in PREFIXES if any(name.startswith(each) for name in stripped)), None)
        if prefix is None:
            break
        stripped = without_prefix(stripped, prefix)
        yield stripped
        yield from _adapted(stripped)
    own = (name.removesuffix(first) for name in tensors if name.endswith(f".{first}"))
    yield from (without_prefix(tensors, prefix) for prefix in islice(own, 3))


def without_prefix(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors with a beginning taken off their names; where two names meet, the prefixed one stays."""
    others = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    return others | {name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)}


def _adapted(tensors: Tensors) -> Iterator[Tensors]:
    if any(name.endswith("embeddings.cls_token") for name in tensors):
        yield _joined(_renamed(tensors, TRANSFORMERS))
    if any(name.endswith("encoder.pos_embedding") for name in tensors):
        yield _renamed(tensors, TORCHVISION_VIT)


def _renamed(tensors: Tensors, rules: tuple[tuple[str, str], ...]) -> Tensors:
    result = {}
    for name, value in tensors.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901 - each rule on what the last one made
        result[name] = value
    return result


def _joined(tensors: Tensors) -> Tensors:
    """Put query, key and value of each block into one tensor."""
    result = {}
    for name, value in tensors.items():
        if ".attn.query." in name:
            parts = [tensors.get(name.replace("query", part)) for part in ("query", "key", "value")]
            found = [part for part in parts if part is not None]
            result[name.replace("query", "qkv")] = torch.cat(found) if len(found) == len(parts) else value
        elif not any(part in name for part in (".attn.key.", ".attn.value.")):
            result[name] = value
    return result


FILTERS = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")


def filtered(tensors: Tensors, network: nn.Module) -> Tensors:
    """Return the tensors as the filter of the network's own module makes them: names, positions and patches resampled.

    Nearly all of timm's modules bring one; a module of your own may too, as ``checkpoint_filter_fn(tensors, network)``.
    """
    module = sys.modules[type(network).__module__]
    own: Callable[..., Any] | None = next((getattr(module, name) for name in FILTERS if hasattr(module, name)), None)
    if own is None:
        return tensors
    try:
        made = own(dict(tensors), network)
    except TypeError:  # some take the tensors alone
        made = own(dict(tensors))
    return {str(name): value for name, value in made.items() if isinstance(value, Tensor)}


def in_order(tensors: Tensors, wanted: Tensors) -> Tensors | None:
    """Return the tensors under the network's names, matched by their order; None where that does not work.

    Order, shape and the last part of the name must agree for each; what is left over keeps its name.
    """
    left = [(name, value) for name, value in tensors.items() if not name.endswith(UNCOUNTED)]
    if len(left) < len(wanted):
        return None
    result = {}
    for (theirs, value), (ours, own) in zip(left, wanted.items(), strict=False):
        if value.shape != own.shape or theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
            return None
        result[ours] = value
    return result | dict(left[len(wanted) :])
