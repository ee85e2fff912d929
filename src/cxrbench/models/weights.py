"""Pre-trained weights: from the hub, from a file, or a stand-in; never silently random."""

import pickle
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.config import HUB, STAND_IN, Backbone
from cxrbench.errors import WeightsError
from cxrbench.models.backbones import ResNet, build_backbone, hub_weights
from cxrbench.models.standin import stand_in_weights


def obtain_weights(source: str, backbone: Backbone, *, image_size: int, stand_in_steps: int) -> dict[str, Tensor]:
    """Weights for the three-channel form of ``backbone``: every parameter and statistic, checked by name and shape.

    Args:
        source: ``hub``, ``stand-in``, or the path of a ``.safetensors``, ``.pth`` or ``.pt`` file.
        backbone: The network they are for.
        image_size: Side in pixels that stand-in weights are made at.
        stand_in_steps: Steps of pre-training on generated pictures that stand-in weights get.

    Raises:
        WeightsError: They cannot be had, or are for another network.
    """
    if source == STAND_IN:
        return stand_in_weights(backbone, image_size=image_size, steps=stand_in_steps)
    network = build_backbone(backbone, channels=3)
    found = hub_weights() if source == HUB else read_weights(Path(source))
    return fitted(found, network, source=source)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a weights file by name; nothing in it is executed.

    Raises:
        WeightsError: No such file, or no weights in it.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; give a .safetensors or .pth file, {HUB!r} or {STAND_IN!r}")
    try:
        found = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{path}: not a file of weights that can be read safely ({reason})") from None
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path}: holds no table of named tensors")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def fitted(found: dict[str, Tensor], network: ResNet, *, source: str) -> dict[str, Tensor]:
    """The tensors of ``found`` that ``network`` needs.

    Raises:
        WeightsError: One is absent or has another shape; the message names the first.
    """
    result = {}
    for name, own in network.state_dict().items():
        if name.endswith("num_batches_tracked"):  # older files lack it, and it does not change what is computed
            continue
        if name not in found:
            raise WeightsError(f"weights from {source}: {name!r} is absent; they are for another network")
        if found[name].shape != own.shape:
            shapes = f"{tuple(found[name].shape)}, the network needs {tuple(own.shape)}"
            raise WeightsError(
                f"weights from {source}: {name!r} has shape {shapes}; ImageNet weights fit profile 'paper' only, "
                f"smaller profiles need --weights {STAND_IN}"
            )
        result[name] = found[name].float().contiguous()
    return result


def load_weights(network: ResNet, weights: dict[str, Tensor]) -> None:
    """Put weights into a network, in place; a network for one channel gets the sum over the three."""
    weights = dict(weights)
    if network.conv1.in_channels == 1 and weights["conv1.weight"].shape[1] == 3:
        weights["conv1.weight"] = weights["conv1.weight"].sum(dim=1, keepdim=True)
    absent, unknown = network.load_state_dict(weights, strict=False)
    absent = [name for name in absent if not name.endswith("num_batches_tracked")]
    if absent or unknown:
        raise ValueError(f"weights do not fit: absent {absent[:3]}, unknown {unknown[:3]}")
