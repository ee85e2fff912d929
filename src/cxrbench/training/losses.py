"""What a network is told of its logits: one loss per label, and their mean over the labels that are stated.

A loss is a function of logits (B, L) and targets (B, L) in 0..1 that returns one loss per label (B, L); one that holds
state is a torch module, whose buffers are kept with the run's state. Labels that are not stated come as 0, and what it
gives for them does not count. All of ours are linear in the target, so the loss of a mixed target is the mixture of the
losses.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import logsigmoid

from cxrbench.config import LOSSES, Part
from cxrbench.config import losses as settings_of
from cxrbench.errors import ConfigError, TrainingError
from cxrbench.training.own import call_own

LabelLoss = Callable[[Tensor, Tensor], Tensor]

LEAST = 1e-8
"""Below this a power is not taken: its slope would have no bound."""


class MaskedLoss(nn.Module):
    """The mean of a loss over the labels that are stated."""

    def __init__(self, each: LabelLoss, *, title: str = "loss") -> None:
        super().__init__()
        self.each = each
        self.title = title

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits (B, L); targets (B, L) of 1 present, 0 absent, NaN not stated.

        Raises:
            TrainingError: A loss of the user's own gives no loss per label.
        """
        is_stated = ~targets.isnan()
        losses = self.each(logits.float(), targets.nan_to_num())
        if losses.shape != logits.shape:
            raise TrainingError(
                f"{self.title} gives shape {tuple(losses.shape)}, expected one loss per label {tuple(logits.shape)}"
            )
        return (losses * is_stated).sum() / is_stated.sum().clamp(min=1)


def build_loss(part: Part, targets: np.ndarray, *, device: torch.device | None = None) -> MaskedLoss:
    """Return the loss, made for the counts of the training part.

    Args:
        part: Which loss.
        targets: (n, L) of the training part: 1 present, 0 absent, NaN not stated.
        device: Where logits are; None: the processor.

    Raises:
        ConfigError: A loss of the user's own cannot be made.
    """
    present, absent = (torch.from_numpy((targets == value).sum(axis=0)).float().to(device) for value in (1, 0))
    title = LOSSES.title(part)
    built = LOSSES.build(part, present=present, absent=absent)
    if not callable(built):
        raise ConfigError(
            f"{title}: its builder returned an object of type {type(built).__name__}, expected a function or module"
        )
    return MaskedLoss(built, title=title).to(device)


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each label."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def bce(settings: settings_of.Bce, **counts: Tensor) -> LabelLoss:
    """Return the paper's loss."""
    del settings, counts
    return binary_cross_entropy


class Weighted(nn.Module):
    """Cross-entropy in which positives and negatives of each finding have weights."""

    positive: Tensor  # (L,)
    negative: Tensor  # (L,)

    def __init__(self, settings: settings_of.Weighted, *, present: Tensor, absent: Tensor) -> None:
        super().__init__()
        present, absent = present.clamp(min=1), absent.clamp(min=1)
        positive = ((absent / present) ** settings.power).clamp(max=settings.most)
        total = (present * positive + absent) / (present + absent) if settings.keep_total else torch.ones_like(positive)
        self.register_buffer("positive", positive / total)
        self.register_buffer("negative", 1 / total)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted cross-entropy of each label."""
        return _mixed(targets, self.positive * -logsigmoid(logits), self.negative * -logsigmoid(-logits))


def _mixed(targets: Tensor, if_present: Tensor, if_absent: Tensor) -> Tensor:
    """Return the loss of each label, its target being a mixture of present and absent."""
    return targets * if_present + (1 - targets) * if_absent


def focal(settings: settings_of.Focal, **counts: Tensor) -> LabelLoss:
    """Return the loss in which a label counts by the probability of the wrong answer."""
    del counts
    gamma, alpha = settings.gamma, settings.alpha
    positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)

    def losses(logits: Tensor, targets: Tensor) -> Tensor:
        present, absent = logsigmoid(logits), logsigmoid(-logits)  # logarithms of the probabilities
        # A power by its logarithm, whose slope is bounded for any gamma.
        return _mixed(
            targets, positive * (gamma * absent).exp() * -present, negative * (gamma * present).exp() * -absent
        )

    return losses


def asymmetric(settings: settings_of.Asymmetric, **counts: Tensor) -> LabelLoss:
    """Return the loss in which negatives fade faster than positives, and vanish below a probability."""
    del counts
    positive_gamma, negative_gamma, clip = settings.positive_gamma, settings.negative_gamma, settings.clip

    def losses(logits: Tensor, targets: Tensor) -> Tensor:
        present, absent = logsigmoid(logits), logsigmoid(-logits)
        shifted = (absent.exp() + clip).clamp(max=1)  # probability of absence, raised
        if_absent = (1 - shifted).clamp(min=LEAST) ** negative_gamma * -(shifted.log() if clip else absent)
        return _mixed(targets, (positive_gamma * absent).exp() * -present, if_absent)

    return losses


def label_smoothing(settings: settings_of.LabelSmoothing, **counts: Tensor) -> LabelLoss:
    """Return the cross-entropy with softened targets."""
    del counts
    smoothing = settings.smoothing

    def losses(logits: Tensor, targets: Tensor) -> Tensor:
        return binary_cross_entropy(logits, targets * (1 - smoothing) + smoothing / 2)

    return losses


class LogitAdjustment(nn.Module):
    """Cross-entropy of the logits and the prior log odds together."""

    prior: Tensor  # (L,)

    def __init__(self, settings: settings_of.LogitAdjustment, *, present: Tensor, absent: Tensor) -> None:
        super().__init__()
        # Half an image more of each kind: a finding that is always absent still has odds.
        self.register_buffer("prior", settings.strength * ((present + 0.5) / (absent + 0.5)).log())

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of each label."""
        return binary_cross_entropy(logits + self.prior, targets)


def own(settings: settings_of.OwnLoss, *, present: Tensor, absent: Tensor) -> Any:
    """Call the user's function with the counts of the training part (L,) and the options.

    Raises:
        ConfigError: It cannot be imported, or fails.
    """
    return call_own("loss", settings, present=present, absent=absent)


masked_loss = MaskedLoss(binary_cross_entropy)
"""The paper's: mean binary cross-entropy over the labels that are stated."""
