"""What a network is made of: a backbone, the weights it starts from, a head, and the non-image features that join in.

The builders live in ``cxrbench.models``; nothing here imports torch.
"""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cxrbench.config.base import NotIdentity, Settings
from cxrbench.config.registry import Entry, Part, Registry

PAPER_BLOCKS = {38: (3, 4, 2, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottleneck blocks per stage. The paper does not give those of ResNet-38: (3, 4, 2, 3) is our reading."""

PAPER_WIDTH = 64

Feature = Literal["age", "sex", "view"]
Blocks = Annotated[int, Field(ge=1, le=256)]


class ResNet(Settings):
    """The paper's bottleneck ResNet."""

    depth: Literal[38, 50, 101] = 50
    extra_pool: bool = Field(False, description="one more max-pooling after the first bottleneck block")
    blocks: tuple[Blocks, Blocks, Blocks, Blocks] | None = Field(
        None, description="bottlenecks per stage; null: those of the depth"
    )
    width: int = Field(
        PAPER_WIDTH, ge=4, le=4096, multiple_of=4, description="channels of the stem and the first stage's bottleneck"
    )

    @property
    def stages(self) -> tuple[int, int, int, int]:
        """Bottlenecks per stage, resolved."""
        return self.blocks or PAPER_BLOCKS[self.depth]


class Timm(Settings):
    """Any network of timm that gives feature maps or a grid of tokens."""

    model: str = Field(min_length=1, description="name in timm, with or without the tag of its weights")
    drop_path: float = Field(0.0, ge=0, lt=1, description="rate of stochastic depth")
    options: dict[str, bool | int | float | str] = Field({}, description="passed to timm.create_model as they are")


class Module(Settings):
    """A network of the user's own."""

    function: str = Field(description="package.module:function that returns the backbone")
    options: dict[str, bool | int | float | str] = Field({}, description="passed to the function as they are")

    @field_validator("function")
    @classmethod
    def _names_a_function(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
            raise ValueError("name a function as package.module:function")
        return value


BACKBONES = Registry(
    "backbone",
    (
        Entry("resnet", ResNet, "cxrbench.models.resnet:build", "the paper's bottleneck ResNets", main="depth"),
        Entry("timm", Timm, "cxrbench.models.timm_models:build", "any model of timm, by name", main="model"),
        Entry("module", Module, "cxrbench.models.own_module:build", "a function of your own package", main="function"),
    ),
    group="cxrbench.backbones",
)


class LinearHead(Settings):
    """The paper's last layer, over pooled image features and non-image features."""


class MlpHead(Settings):
    """Hidden layers over the pooled image features."""

    hidden: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field((512,), min_length=1, description="layer widths")
    dropout: float = Field(0.0, ge=0, lt=1)


class AttentionHead(Settings):
    """One learnt query per finding attends over the places of the feature maps."""

    heads: int = Field(1, ge=1, description="attention heads; the backbone's channels are a multiple of it")


class CsraHead(Settings):
    """Class-specific residual attention. Source: Zhu and Wu 2021, doi:10.48550/arXiv.2108.02456."""

    attention_weight: float = Field(0.1, ge=0, description="of the attended score beside the average one; lambda")
    temperature: float = Field(1.0, gt=0, description="of the softmax over places; at 99 and more, the maximum")
    heads: int = Field(1, ge=1, description="attentions, each with its own temperature, added up")
    normalise: bool = Field(True, description="scores are cosine-like: each class's weights have length one")


HEADS = Registry(
    "head",
    (
        Entry("linear", LinearHead, "cxrbench.models.heads:Linear", "the paper's: one linear layer"),
        Entry("mlp", MlpHead, "cxrbench.models.heads:Mlp", "hidden layers, then a linear one", main="hidden"),
        Entry("attention", AttentionHead, "cxrbench.models.heads:Attention", "one query per finding", main="heads"),
        Entry("csra", CsraHead, "cxrbench.models.heads:Csra", "class-specific residual attention"),
    ),
    group="cxrbench.heads",
)

HUB, STAND_IN, NO_WEIGHTS = "hub", "stand-in", "none"


class NoWeights(Settings):
    """Random weights, drawn from the run's seed."""


def _as_text(value: Any) -> Any:
    """Let YAML's dates be text."""
    return value.isoformat() if isinstance(value, date) else value


class LeakSettings(Settings):
    """What is said of chest X-ray archives that weights may have seen before."""

    allow_overlap: tuple[str, ...] = Field(
        (), description="archives, such as nih, that may be tested on although the weights learnt their labels"
    )
    image_list: Path | None = Field(
        None,
        description="file that lists the images the weights saw, one a line or in a CSV; null: the archive as a whole",
    )


class HubWeights(LeakSettings):
    """Published weights of the network, fetched once from its hub."""

    id: str | None = Field(
        None, description="timm's name with a tag, or a hub's repository as owner/name; null: the network's own"
    )
    file: str | None = Field(None, description="a file of weights in that repository; null: it is in timm's format")


class FileWeights(LeakSettings):
    """A file of weights; nothing in it is executed."""

    path: Path
    names: Literal["own", "order"] = Field(
        "own", description="order: names differ, and tensors are matched by their order, shape and kind"
    )
    table: str | None = Field(None, description="key of the weights in a file that holds several; null: the usual one")
    ignore: tuple[str, ...] = Field((), description="beginnings of names of tensors in the file that are not needed")
    known: str | None = Field(
        None, description="packaged record of what these weights are; null: the one that knows the file's name, if any"
    )
    mean: tuple[float, ...] | None = Field(None, description="of the input the weights learnt on, per channel, 0..1")
    std: tuple[float, ...] | None = Field(None, description="likewise")
    input_range: tuple[float, float] | None = Field(
        None, description="what 0 and 1 of a film become at the network's input, instead of mean and std"
    )
    interpolation: str | None = Field(None, description="by which the weights' images were shrunk")
    dataset: str = Field("unknown", description="what the weights were trained on")
    licence: str = "unknown"
    licence_seen: Annotated[str | None, BeforeValidator(_as_text)] = Field(
        None, description="date on which the licence was read"
    )
    archives: tuple[str, ...] = Field((), description="chest X-ray archives that the weights saw, such as nih")
    with_labels: bool = Field(False, description="the weights saw these archives' labels, not only their films")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.input_range is not None and (self.mean is not None or self.std is not None):
            raise ValueError("give either input_range, or mean and std")
        if self.input_range is not None and self.input_range[0] >= self.input_range[1]:
            raise ValueError(f"input_range goes from low to high; got {self.input_range}")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together")
        return self


class StandInWeights(Settings):
    """Weights pre-trained on generated pictures, where published ones are not available."""


class TrainedWeights(Settings):
    """The backbone of a bundle or of a finished run of ours."""

    path: Path = Field(description="folder of the bundle, or of the run")
    member: int | None = Field(None, ge=1, description="of a bundle of several networks, the one to take")
    study: Path | None = Field(
        None, description="folder of the study that a bundle is from, whose splits say which patients it was trained on"
    )
    allow_overlap: tuple[str, ...] = Field(
        (), description="archives, such as nih, whose patients may be tested on although the weights learnt from them"
    )


WEIGHTS = Registry(
    "weights",
    (
        Entry(NO_WEIGHTS, NoWeights, "cxrbench.models.weights.sources:no_weights", "random weights"),
        Entry(
            HUB, HubWeights, "cxrbench.models.weights.sources:from_hub", "published weights, fetched once", main="id"
        ),
        Entry("file", FileWeights, "cxrbench.models.weights.sources:from_file", "a file of weights", main="path"),
        Entry(STAND_IN, StandInWeights, "cxrbench.models.weights.sources:stand_in", "a stand-in, for trying things"),
        Entry("bundle", TrainedWeights, "cxrbench.bundle.starting:from_bundle", "a bundle of ours", main="path"),
        Entry("run", TrainedWeights, "cxrbench.models.weights.sources:from_run", "a finished run of ours", main="path"),
    ),
)


class Network(Settings):
    """A classifier's parts."""

    backbone: Annotated[Part, BACKBONES]
    weights: Annotated[Part, WEIGHTS, NotIdentity()] = Field(
        description="what the backbone starts from; a run is identified by the digest of what was loaded"
    )
    head: Annotated[Part, HEADS] = Part(name="linear", settings=LinearHead())
    features: tuple[Feature, ...] = Field(
        (), description="non-image features, added to the logits by weights of their own"
    )

    @property
    def has_weights(self) -> bool:
        """Whether the backbone starts from weights that were learnt before."""
        return self.weights.name != NO_WEIGHTS
