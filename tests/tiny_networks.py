"""Tiny networks of every family, for tests that each of them must pass; nothing is fetched for them."""

import torch

from cxrbench.config import Approach

FAMILIES = {
    "resnet": ({"resnet": {"blocks": [1, 1, 1, 1], "width": 8}}, 64),
    # With a growth of 4, rounding to 8 bits cost 0.06 of its AUC.
    "densenet": ({"timm": {"model": "densenet121", "options": {"growth_rate": 8}}}, 64),
    "efficientnet": ({"timm": {"model": "test_efficientnet", "drop_path": 0.1}}, 64),
    "convnext": ({"timm": {"model": "test_convnext", "drop_path": 0.1}}, 64),
    "convnextv2": ({"timm": {"model": "convnextv2_atto", "drop_path": 0.1}}, 64),
    "swin": ({"timm": {"model": "swin_tiny_patch4_window7_224", "options": {"embed_dim": 24}}}, 64),
    "vit": ({"timm": {"model": "test_vit"}}, 64),
    "dinov2": (
        {
            "timm": {
                "model": "vit_small_patch14_reg4_dinov2",
                "options": {"embed_dim": 48, "depth": 2, "num_heads": 3},
            }
        },
        56,
    ),
    "eva02": (
        {"timm": {"model": "eva02_tiny_patch14_224", "options": {"embed_dim": 48, "depth": 2, "num_heads": 3}}},
        56,
    ),
    "maxvit": ({"timm": {"model": "test_maxvit"}}, 64),
    "coatnet": ({"timm": {"model": "test_coatnet"}}, 64),
}
"""Name of a family -> a backbone as YAML spells it, and the side of its input."""

HEADS = {
    "linear": {"linear": {}},
    "mlp": {"mlp": {"hidden": [16], "dropout": 0.1}},
    "attention": {"attention": {"heads": 2}},
    "csra": {"csra": {"heads": 2}},
}


def tiny_approach(backbone, head="linear", *, size=64, channels=1, features=("age", "sex", "view"), **changes):
    """An approach around a backbone as YAML spells it, or a family's name; from random weights."""
    if isinstance(backbone, str):
        backbone, size = FAMILIES[backbone]
    head = HEADS[head] if isinstance(head, str) else head
    raw = {
        "name": "tiny",
        "summary": "a network for tests",
        "network": {"backbone": backbone, "weights": "none", "head": head, "features": features},
        "input": {
            "image_size": size,
            "store_size": size,
            "channels": channels,
            "mean": [0.5] * channels,
            "std": [0.25] * channels,
        },
        "recipe": {"learning_rate": 0.001, "batch_size": 16, "epochs": 2},
    }
    return Approach.model_validate(raw | changes)


@torch.no_grad()
def shaken(network, *, seed=0):
    """The network with noise on every weight and statistic, so that no branch stays at the zero it starts from."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=generator)
        value.add_(noise.abs() if name.endswith("running_var") else noise, alpha=0.1)
    return network
