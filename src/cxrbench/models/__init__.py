"""Networks: backbones, heads and their weights; the one room for timm."""

import sys

import torch


def _make_torchvision_importable() -> None:
    """Let timm import a torchvision whose compiled operators do not fit the installed PyTorch.

    So it is with a PyTorch for CPUs only beside a torchvision built for CUDA. Nothing here uses its operators, but it
    stops where it describes two that it does not find; they are declared, without a body.
    """
    try:
        import torchvision  # type: ignore[import-untyped] # noqa: F401, PLC0415
    except ImportError:
        return  # what needs it will say so
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor boxes) -> Tensor")
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]


_make_torchvision_importable()  # before timm is imported
