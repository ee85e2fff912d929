"""How training images are varied, and the views of a film that a prediction is the mean of.

The builders live in ``cxrbench.data``; nothing here imports torch.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cxrbench.config.base import Added, Settings
from cxrbench.config.network import Module
from cxrbench.config.registry import Entry, Part, Registry


def _is_ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"low comes before high; got {limits}")
    return limits


Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[tuple[Share, Share], AfterValidator(_is_ordered)]
Ratio = Annotated[float, Field(gt=0, le=100)]
Ratios = Annotated[tuple[Ratio, Ratio], AfterValidator(_is_ordered)]
Often = Annotated[float, Field(ge=0, le=1, description="share of the images that get it")]


class FilmSettings(Settings):
    """Base of the settings of an operation on films; with ``mixes``, it joins two films and their labels."""

    mixes: ClassVar[bool] = False

    probability: Often = 1.0


class Brightness(FilmSettings):
    """Grey values times a factor."""

    strength: float = Field(0.2, ge=0, le=1, description="the factor is between 1 - strength and 1 + strength")


class Contrast(FilmSettings):
    """Differences from the film's mean grey times a factor."""

    strength: float = Field(0.2, ge=0, le=1, description="the factor is between 1 - strength and 1 + strength")


class Gamma(FilmSettings):
    """Grey values to the power of an exponent."""

    strength: float = Field(
        0.2,
        ge=0,
        le=4,
        description="the exponent is between 1 / (1 + strength) and 1 + strength, even in its logarithm",
    )


class Noise(FilmSettings):
    """A normal number added to each grey value."""

    strength: float = Field(0.05, ge=0, le=1, description="the standard deviation is between 0 and strength")


class Erasing(FilmSettings):
    """A rectangle filled with one grey value. Source: Zhong et al. 2020, doi:10.1609/aaai.v34i07.7000."""

    probability: Often = 0.25
    area: Shares = Field((0.02, 0.2), description="share of the film that the rectangle takes")
    aspect: Ratios = Field((0.3, 3.3), description="width to height of the rectangle")
    grey: Share | None = Field(None, description="what the rectangle is filled with; null: the film's mean grey")


class Mixup(FilmSettings):
    """The weighted mean of two films of a batch. Source: Zhang et al. 2018, doi:10.48550/arXiv.1710.09412."""

    mixes: ClassVar[bool] = True

    alpha: float = Field(0.2, ge=0, le=100, description="of the beta distribution of the weights; 0: none is mixed")


class Cutmix(FilmSettings):
    """A rectangle of one film in another of the batch. Source: Yun et al. 2019, doi:10.1109/ICCV.2019.00612."""

    mixes: ClassVar[bool] = True

    alpha: float = Field(1.0, ge=0, le=100, description="of the beta distribution of the shares; 0: none is mixed")


class OwnOperation(FilmSettings, Module):
    """An operation of the user's own: ``function(film, number, **options)``, films and numbers (B, 1, H, W), (B,)."""

    strength: float = Field(1.0, ge=0, description="the number is between -strength and strength; at 0 nothing is done")


AUGMENTATIONS = Registry(
    "augmentation",
    (
        Entry("brightness", Brightness, "cxrbench.data.alteration:brightness", "other brightness", main="strength"),
        Entry("contrast", Contrast, "cxrbench.data.alteration:contrast", "other contrast", main="strength"),
        Entry("gamma", Gamma, "cxrbench.data.alteration:gamma", "another curve of grey values", main="strength"),
        Entry("noise", Noise, "cxrbench.data.alteration:noise", "normal noise", main="strength"),
        Entry("erasing", Erasing, "cxrbench.data.alteration:erasing", "a rectangle is erased", main="probability"),
        Entry("mixup", Mixup, "cxrbench.data.mixing:mixup", "the weighted mean of two films", main="alpha"),
        Entry("cutmix", Cutmix, "cxrbench.data.mixing:cutmix", "a rectangle of another film", main="alpha"),
        Entry("module", OwnOperation, "cxrbench.data.alteration:own", "your own function", main="function"),
    ),
    group="cxrbench.augmentations",
)


class Augmentation(Settings):
    """Random area, aspect, rotation and flip of training images, as one affine map; then operations on the films."""

    area: tuple[float, float] = Field((0.08, 1.0), description="share of the image's area that is cropped")
    aspect: tuple[float, float] = Field((3 / 4, 4 / 3), description="width to height of the crop")
    rotation_degrees: float = Field(7.0, ge=0, le=180)
    flip: bool = True
    operations: Annotated[tuple[Annotated[Part, AUGMENTATIONS], ...], Added(older=())] = Field(
        (), description="what is done to the cropped films, in this order, before they are normalised"
    )

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area needs 0 < low <= high <= 1; got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect needs 0 < low <= high; got {self.aspect}")
        return self

    @property
    def mixing(self) -> tuple[str, ...]:
        """Names of the operations that join two films and their labels."""
        return tuple(part.name for part in self.operations if getattr(part.settings, "mixes", False))


class Views(Settings):
    """Views of a film whose logits are averaged into its prediction; unless told otherwise, the centre crop alone."""

    flip: bool = Field(False, description="each view's mirror image too")
    crops: Literal[1, 5] = Field(1, description="1: the centre; 5: the four corners too")

    @property
    def count(self) -> int:
        """Number of views."""
        return self.crops * (1 + self.flip)
