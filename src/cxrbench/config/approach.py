"""An approach: network, input, augmentation and recipe under one name; YAML in and out."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cxrbench.config.augmentation import Augmentation, Views
from cxrbench.config.base import Added, NotIdentity, Settings, changed
from cxrbench.config.network import Network, ResNet
from cxrbench.config.recipe import Recipe
from cxrbench.config.schema1 import LEAST_CROP
from cxrbench.errors import ConfigError

PAPER_APPROACHES = ("ots", "ots-meta", "ft", "ft-meta", "1channel", "1channel-meta", "large", "large-meta")
"""The eight ResNet-50 approaches; a study runs these unless told otherwise."""


class Input(Settings):
    """What the network sees."""

    image_size: int = Field(
        ge=8, le=4096, description="side of the square input, pixels; a multiple of what the network needs"
    )
    store_size: int = Field(ge=8, le=4096, description="side of the shrunk image that crops are taken from, pixels")
    evaluation_crop: Annotated[float | None, Added(older=None)] = Field(
        None,
        gt=0,
        le=1,
        description="side of the centre crop that is judged, as a share of the film's; null: image_size / store_size",
    )
    channels: Literal[1, 3]
    mean: tuple[float, ...] | None = Field(
        None, description="per channel, of grey values in 0..1; null: what the weights learnt with"
    )
    std: tuple[float, ...] | None = Field(None, description="likewise")

    @property
    def crop(self) -> float:
        """Side of the centre crop as a share of the film's side."""
        return self.image_size / self.store_size if self.evaluation_crop is None else self.evaluation_crop

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per channel; resolved when the weights are.

        Raises:
            ConfigError: They are not resolved yet.
        """
        if self.mean is None or self.std is None:
            raise ConfigError("input.mean and input.std are not known before the weights are; prepare the study first")
        return self.mean, self.std

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both, or neither")
        if self.mean is not None and self.std is not None:
            if not len(self.mean) == len(self.std) == self.channels:
                raise ValueError(f"mean and std need {self.channels} values each; got {self.mean} and {self.std}")
            if min(self.std) <= 0:
                raise ValueError(f"std must be above 0; got {self.std}")
        if self.store_size < self.image_size:
            raise ValueError(f"store_size {self.store_size} is smaller than image_size {self.image_size}")
        return self

    @model_validator(mode="after")
    def _most_of_the_film_is_seen(self) -> Self:
        if self.evaluation_crop is None and self.crop < LEAST_CROP:
            raise ValueError(
                f"image_size {self.image_size} of store_size {self.store_size} looks at {self.crop**2:.0%} of the "
                f"film; for all of it write evaluation_crop: 1.0, or if that is meant evaluation_crop: {self.crop!r}"
            )
        return self


class Approach(Settings):
    """One named way to make a classifier; every value is part of a run's identity."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    summary: Annotated[str, NotIdentity()]
    network: Network
    input: Input
    augmentation: Augmentation = Augmentation()
    cached_views: int | None = Field(
        None,
        ge=1,
        description="the frozen backbone's features are computed once, and each epoch trains the head on them: 1, of "
        "the centre crop; more, of so many augmented views of each training image in turn; null: anew in every epoch",
    )
    test_time: Annotated[Views, Added(older=Views())] = Field(
        Views(), description="views of a film whose logits are averaged, in a study's predictions"
    )
    recipe: Recipe
    profiles: Annotated[dict[str, dict[str, Any]], NotIdentity()] = Field(
        {}, description="profile -> what changes at that size: paths such as network.backbone.timm.model, and values"
    )

    @property
    def has_frozen_backbone(self) -> bool:
        """Whether only the head is trained."""
        return self.recipe.trains_head_only

    @model_validator(mode="after")
    def _frozen_backbone_needs_weights(self) -> Self:
        brings_its_own = self.network.backbone.name == "module"
        if self.has_frozen_backbone and not self.network.has_weights and not brings_its_own:
            raise ValueError("recipe.trained: head needs network.weights; a frozen random backbone learns nothing")
        if not self.network.has_weights and self.input.mean is None:
            raise ValueError("input.mean and input.std are missing; without weights nothing else says them")
        return self

    @model_validator(mode="after")
    def _only_frozen_features_are_cached(self) -> Self:
        if self.cached_views is not None and not self.has_frozen_backbone:
            raise ValueError(
                "cached_views needs recipe.trained: head; a backbone that learns gives other features every time"
            )
        return self

    @model_validator(mode="after")
    def _films_are_there_to_be_changed(self) -> Self:
        if self.cached_views is None:
            return self
        if self.augmentation.operations:
            raise ValueError(
                f"augmentation.operations: {self.augmentation.operations[0].name} needs films; with cached_views there "
                "are only their features, so leave one of the two out"
            )
        if self.test_time.count > 1:
            raise ValueError("test_time needs films; with cached_views there are only features of the centre crop")
        return self

    @model_validator(mode="after")
    def _mixed_labels_are_understood(self) -> Self:
        if self.augmentation.mixing and not self.recipe.takes_soft_targets:
            raise ValueError(
                f"augmentation.operations: {self.augmentation.mixing[0]} gives labels between 0 and 1, which the loss "
                "does not take; leave it out, or choose another recipe.loss"
            )
        return self

    @model_validator(mode="after")
    def _views_differ(self) -> Self:
        if self.test_time.crops > 1 and self.input.crop == 1:
            raise ValueError(
                f"test_time.crops: {self.test_time.crops} needs a crop smaller than the film; here all of it is judged"
            )
        return self

    @model_validator(mode="after")
    def _size_fits_the_backbone(self) -> Self:
        if isinstance(self.network.backbone.settings, ResNet):
            require_multiple(self.input.image_size, 32, "resnet")
        return self


def require_multiple(image_size: int, multiple: int, backbone: str) -> None:
    """Refuse an input that a backbone cannot take.

    Raises:
        ValueError: The size is no multiple of what the backbone needs; the message offers the nearest.
    """
    if image_size % multiple:
        nearest = max(multiple, round(image_size / multiple) * multiple)
        raise ValueError(
            f"input.image_size {image_size} is no multiple of {multiple}, which {backbone} needs; try {nearest}"
        )


def with_changes(approach: Approach, changes: dict[str, Any]) -> Approach:
    """Return the approach with the values at some paths replaced, validated again."""
    return changed(approach, changes, where=f"approach {approach.name}")
