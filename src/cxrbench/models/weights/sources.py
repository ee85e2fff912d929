"""Pre-trained weights: from the hub, from a file, or a stand-in; never silently random."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import safetensors
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.config import HUB, STAND_IN, WEIGHTS, Approach, WeightsRecord
from cxrbench.config.network import FileWeights, HubWeights, StandInWeights
from cxrbench.errors import WeightsError
from cxrbench.models.backbone import Backbone, build_backbone
from cxrbench.models.weights.stand_in import stand_in_weights


@dataclass(frozen=True)
class Pretrained:
    """Weights for the three-channel form of an approach's backbone, in its own names, and what is known about them.

    The record's digest is empty: it is that of the file they are kept in.
    """

    tensors: dict[str, Tensor]
    record: WeightsRecord


def obtain_weights(approach: Approach, *, stand_in_steps: int) -> Pretrained:
    """Return the weights that an approach starts from: every parameter and statistic, checked by name and shape.

    Args:
        approach: Resolved by a profile; it starts from weights.
        stand_in_steps: Steps of pre-training on generated pictures that stand-in weights get.

    Raises:
        WeightsError: They cannot be had, or are for another network.
    """
    pretrained: Pretrained = WEIGHTS.build(approach.network.weights, approach=approach, stand_in_steps=stand_in_steps)
    return pretrained


def from_hub(settings: HubWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return published weights from timm's hub."""
    del settings, stand_in_steps
    tensors = fitted(hub_weights(), _network(approach), source=HUB)
    return Pretrained(tensors, WeightsRecord(source=HUB, digest="", name=HUB_MODEL))


def from_file(settings: FileWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return the weights of a file."""
    del stand_in_steps
    tensors = fitted(read_weights(settings.path), _network(approach), source=str(settings.path))
    record = WeightsRecord(source="file", digest="", name=settings.path.name, mean=settings.mean, std=settings.std)
    return Pretrained(tensors, record)


def stand_in(settings: StandInWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return weights that stand in for published ones."""
    del settings
    size = approach.input.image_size
    tensors = stand_in_weights(approach.network.backbone, image_size=size, steps=stand_in_steps)
    return Pretrained(tensors, WeightsRecord(source=STAND_IN, digest="", is_stand_in=True))


def _network(approach: Approach) -> Backbone:
    """Return the three-channel form of an approach's backbone."""
    return build_backbone(approach.network.backbone, channels=3, image_size=approach.input.image_size)


HUB_MODEL = "resnet50.tv_in1k"


def hub_weights() -> dict[str, Tensor]:
    """ImageNet weights of ResNet-50 from timm's hub, under their published names.

    Source: doi:10.48550/arXiv.2110.00476 (timm); trained by torchvision.

    Raises:
        WeightsError: The hub cannot be reached and the weights are not in its cache.
    """
    try:
        network = timm.create_model(HUB_MODEL, pretrained=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"ImageNet weights {HUB_MODEL!r} could not be had from timm's hub ({type(error).__name__}: {reason}); "
            "connect to the network once, or give a local file of them with --weights FILE "
            "(torchvision's or timm's key names, .safetensors or .pth)"
        ) from error
    return dict(network.state_dict())


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


def fitted(found: dict[str, Tensor], network: Backbone, *, source: str) -> dict[str, Tensor]:
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


def load_weights(network: Backbone, weights: dict[str, Tensor]) -> None:
    """Put weights into a network, in place; a network for one channel gets the sum over the three."""
    weights = dict(weights)
    first = network.first_conv
    if first in weights and weights[first].shape[1] == 3 and network.state_dict()[first].shape[1] == 1:
        weights[first] = weights[first].sum(dim=1, keepdim=True)
    absent, unknown = network.load_state_dict(weights, strict=False)
    absent = [name for name in absent if not name.endswith("num_batches_tracked")]
    if absent or unknown:
        raise ValueError(f"weights do not fit: absent {absent[:3]}, unknown {unknown[:3]}")
