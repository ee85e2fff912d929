"""Published weights from a hub: timm's own, a repository in timm's format, or one file of any repository."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import timm

from cxrbench.config import HUB, PAPER_WIDTH, STAND_IN, Part
from cxrbench.config.network import PAPER_BLOCKS, HubWeights, ResNet, Timm
from cxrbench.errors import WeightsError
from cxrbench.models.weights.known import known_by_id, stated, timm_facts
from cxrbench.models.weights.reading import Contents, read_weights

RESNETS = {50: "resnet50.tv_in1k", 101: "resnet101.tv_in1k"}
"""Published weights of the paper's networks, by depth. Source: torchvision; doi:10.48550/arXiv.2110.00476 (timm)."""


@dataclass(frozen=True)
class Published:
    """Weights from a hub, before they are fitted.

    Attributes:
        name: The id, with timm's tag where it has one.
        contents: The tensors.
        facts: Values for their ``WeightsRecord``.
    """

    name: str
    contents: Contents
    facts: dict[str, Any]


def fetch(settings: HubWeights, backbone: Part) -> Published:
    """Return the weights that a hub has for a backbone.

    Raises:
        WeightsError: None are published for it, or they cannot be fetched and are not in the hub's cache.
    """
    name = settings.id or _own_id(backbone)
    if settings.file is not None:
        return _from_file(name, settings.file)
    network = _from_timm(name)
    config = dict(getattr(network, "pretrained_cfg", None) or {})
    full = ".".join(filter(None, (config.get("architecture") or name, config.get("tag")))) if "/" not in name else name
    facts = {**timm_facts(config), **stated(known_by_id(full))}
    return Published(full, Contents(f"the hub's {full}", dict(network.state_dict())), facts)


def _own_id(backbone: Part) -> str:
    settings = backbone.settings
    if isinstance(settings, Timm):
        return settings.model
    if not isinstance(settings, ResNet):
        raise WeightsError(
            f"network.weights: hub has none for backbone {backbone.name}; name some, "
            "{hub: {id: ..., file: ...}}, or a file"
        )
    is_published = settings.depth in RESNETS and settings.stages == PAPER_BLOCKS[settings.depth]
    if not is_published or settings.width != PAPER_WIDTH:
        blocks = ", ".join(map(str, settings.stages))
        raise WeightsError(
            f"network.weights: none are published for a resnet of {blocks} blocks and width {settings.width}; those of "
            f"depth {' and '.join(map(str, RESNETS))} fit profile 'paper' only, others need --weights {STAND_IN}"
        )
    return RESNETS[settings.depth]


def _from_timm(name: str) -> Any:
    """Return timm's network with its published weights, under the architecture they were made for."""
    spelt = name if "/" not in name or ":" in name else f"hf-hub:{name}"
    base = name.partition(".")[0]
    published = timm.list_pretrained(f"{base}.*")
    if "/" not in name and not (name in published or (name == base and published)):
        tags = ", ".join(published) or "none"
        raise WeightsError(f"network.weights: timm has no published weights for {name!r}; it has for {base}: {tags}")
    try:
        return timm.create_model(spelt, pretrained=True)
    except Exception as error:
        raise WeightsError(_unreachable(name, error)) from error


def _from_file(name: str, file: str) -> Published:
    try:
        path = huggingface_hub.hf_hub_download(name, file)
    except Exception as error:
        raise WeightsError(_unreachable(f"{name}, {file}", error)) from error
    return Published(f"{name}, {file}", read_weights(Path(path)), stated(known_by_id(name)))


def _unreachable(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:160]
    return (
        f"weights {name!r} cannot be fetched from the {HUB} ({type(error).__name__}: {reason}); connect to the network "
        "once, or give a local file of them with --weights FILE (.safetensors or .pth)"
    )
