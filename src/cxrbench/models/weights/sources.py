"""Pre-trained weights: from the hub, from a file, or a stand-in; never silently random."""

from dataclasses import dataclass

import timm
from torch import Tensor

from cxrbench.config import HUB, STAND_IN, WEIGHTS, Approach, WeightsRecord, parse_settings
from cxrbench.config.network import FileWeights, HubWeights, StandInWeights
from cxrbench.errors import WeightsError
from cxrbench.models.backbone import Backbone, build_backbone
from cxrbench.models.weights.fitting import Fitted, fit
from cxrbench.models.weights.reading import Contents, read_weights
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
    fitted = fit(Contents(HUB, hub_weights()), _network(approach))
    return _pretrained(fitted, WeightsRecord(source=HUB, digest="", name=HUB_MODEL))


def from_file(settings: FileWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return the weights of a file."""
    del stand_in_steps
    contents = read_weights(settings.path, table=settings.table)
    fitted = fit(contents, _network(approach), ignore=settings.ignore, names=settings.names)
    return _pretrained(
        fitted, WeightsRecord(source="file", digest="", name=settings.path.name, mean=settings.mean, std=settings.std)
    )


def _pretrained(fitted: Fitted, record: WeightsRecord) -> Pretrained:
    """Add to a record how many tensors and parameters matched."""
    counts = {"tensors": len(fitted.tensors), "parameters": fitted.parameters, "notes": fitted.notes}
    return Pretrained(fitted.tensors, parse_settings({**record.model_dump(), **counts}, WeightsRecord, where="weights"))


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
