"""What is learnt from: losses over the stated labels, and how the images of an epoch are chosen.

The builders live in ``cxrbench.training``; nothing here imports torch.
"""

from typing import ClassVar

from pydantic import Field

from cxrbench.config.base import Settings
from cxrbench.config.network import Module
from cxrbench.config.registry import Absent, Entry, Registry


class Loss(Settings):
    """Base of the losses.

    Attributes:
        takes_soft_targets: Whether targets between 0 and 1 mean what they say, as mixed images need: the loss of a
            mixed target is the mixture of the losses.
    """

    takes_soft_targets: ClassVar[bool] = False


class Bce(Loss):
    """The paper's binary cross-entropy."""

    takes_soft_targets: ClassVar[bool] = True


class Weighted(Loss):
    """Cross-entropy in which rare positives count more, by the counts of the training part."""

    takes_soft_targets: ClassVar[bool] = True
    power: float = Field(1.0, ge=0, le=1, description="a positive counts (absent / present)^power; 0: as the negatives")
    most: float = Field(100.0, ge=1, description="a positive counts at most so many times a negative")
    keep_total: bool = Field(
        False, description="scale each finding so that its weights have mean 1 over the training part"
    )


class Focal(Loss):
    """Easy labels count less. Source: doi:10.1109/ICCV.2017.324."""

    takes_soft_targets: ClassVar[bool] = True
    gamma: float = Field(2.0, ge=0, description="the larger, the less easy labels count; 0: cross-entropy")
    alpha: float | None = Field(None, gt=0, lt=1, description="weight of positives, 1 - alpha of negatives; null: none")


class Asymmetric(Loss):
    """Easy negatives count less than easy positives, very easy ones nothing.

    Source: doi:10.1109/ICCV48922.2021.00015.
    """

    takes_soft_targets: ClassVar[bool] = True
    negative_gamma: float = Field(4.0, ge=0)
    positive_gamma: float = Field(1.0, ge=0)
    clip: float = Field(0.05, ge=0, lt=1, description="negatives below this probability count nothing")


class LabelSmoothing(Loss):
    """Cross-entropy with targets between 0 and 1."""

    takes_soft_targets: ClassVar[bool] = True
    smoothing: float = Field(0.1, gt=0, lt=1, description="0 becomes half of it, 1 as much less")


class LogitAdjustment(Loss):
    """Cross-entropy after the prior log odds are added, so that logits say what the image adds.

    Source: doi:10.48550/arXiv.2007.07314.
    """

    takes_soft_targets: ClassVar[bool] = True
    strength: float = Field(1.0, gt=0, description="of the prior; tau in the source")


class OwnLoss(Loss, Module):
    """A loss of the user's own."""

    soft_targets: bool = Field(False, description="the function takes targets between 0 and 1, as mixed images need")


def takes_soft_targets(settings: Settings) -> bool:
    """Return whether a loss takes targets between 0 and 1; one whose package is not here took what it was given."""
    if isinstance(settings, Absent):
        return True
    own = getattr(settings, "soft_targets", False)
    return bool(own or getattr(settings, "takes_soft_targets", False))


_LOSSES = "cxrbench.training.losses"

LOSSES = Registry(
    "loss",
    (
        Entry("bce", Bce, f"{_LOSSES}:bce", "the paper's binary cross-entropy"),
        Entry("weighted", Weighted, f"{_LOSSES}:Weighted", "rare positives count more", main="power"),
        Entry("focal", Focal, f"{_LOSSES}:focal", "easy labels count less", main="gamma"),
        Entry("asymmetric", Asymmetric, f"{_LOSSES}:asymmetric", "easy negatives count less than easy positives"),
        Entry("label-smoothing", LabelSmoothing, f"{_LOSSES}:label_smoothing", "softened targets", main="smoothing"),
        Entry(
            "logit-adjustment",
            LogitAdjustment,
            f"{_LOSSES}:LogitAdjustment",
            "prior log odds are added while training",
            main="strength",
        ),
        Entry("module", OwnLoss, f"{_LOSSES}:own", "a function of your own package", main="function"),
    ),
    group="cxrbench.losses",
)


class Shuffled(Settings):
    """Every image once."""


class Balanced(Settings):
    """Every finding equally often: a finding is drawn, then one of its images; no finding counts as one."""

    strength: float = Field(1.0, gt=0, le=1, description="1: fully; near 0: every image about once")


class DoubleBalanced(Settings):
    """Every finding equally often, and within a finding every combination of findings."""

    strength: float = Field(1.0, gt=0, le=1, description="1: fully; near 0: every image about once")


class RepeatFactor(Settings):
    """Images of rare findings are repeated, by the rarest. Source: doi:10.1109/CVPR.2019.00550."""

    below: float = Field(0.01, gt=0, le=1, description="prevalence below which a finding's images are repeated")
    most: float = Field(10.0, ge=1, description="times that an image comes at most")


_SAMPLERS = "cxrbench.training.samplers"

SAMPLERS = Registry(
    "sampler",
    (
        Entry("shuffled", Shuffled, f"{_SAMPLERS}:shuffled", "every image once"),
        Entry("balanced", Balanced, f"{_SAMPLERS}:balanced", "every finding equally often", main="strength"),
        Entry(
            "double-balanced",
            DoubleBalanced,
            f"{_SAMPLERS}:double_balanced",
            "every finding, and every combination within it",
            main="strength",
        ),
        Entry("repeat-factor", RepeatFactor, f"{_SAMPLERS}:repeat_factor", "rare findings repeated", main="below"),
        Entry("module", Module, f"{_SAMPLERS}:own", "a function of your own package", main="function"),
    ),
    group="cxrbench.samplers",
)
