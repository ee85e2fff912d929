"""Optimisers, and the groups of parameters that have a rate and a weight decay of their own."""

from typing import Any, cast

import torch
from torch.nn import Parameter

from cxrbench.config import OPTIMISERS, Part
from cxrbench.config import optimisation as settings_of
from cxrbench.errors import ConfigError
from cxrbench.models.backbone import shortened
from cxrbench.models.classifier import Classifier
from cxrbench.training.own import call_own

Groups = list[dict[str, Any]]
"""Each has ``params``, ``lr`` and ``weight_decay``, as torch's optimisers take them."""


def build_optimiser(part: Part, classifier: Classifier) -> torch.optim.Optimizer:
    """Return the optimiser of the parameters that are trained.

    Raises:
        ConfigError: It refuses its options, or one of the user's own cannot be made.
    """
    built = OPTIMISERS.build(part, groups=parameter_groups(classifier, cast("settings_of.Optimiser", part.settings)))
    if not isinstance(built, torch.optim.Optimizer):
        raise ConfigError(
            f"{OPTIMISERS.title(part)}: returned an object of type {type(built).__name__}, expected a torch optimiser"
        )
    return built


def parameter_groups(classifier: Classifier, settings: settings_of.Optimiser) -> Groups:
    """Return the parameters that are trained, grouped by rate and weight decay, in the network's order.

    A block's rate is ``layer_decay`` times that of the block behind it; the head is behind the last block. Weights
    with fewer than two dimensions, and those that timm names, have no weight decay unless ``decay_all`` says so.
    """
    steps = classifier.blocks_behind() if settings.layer_decay is not None else {}
    spared = frozenset() if settings.decay_all else classifier.undecayed()
    groups: dict[tuple[float, float], list[Parameter]] = {}
    for name, parameter in classifier.named_parameters():
        if parameter.requires_grad:
            own = (
                settings.head_rate if settings.head_rate is not None and classifier.is_of_head(name) else settings.rate
            )
            rate = own * (settings.layer_decay or 1.0) ** steps.get(name, 0)
            decay = 0.0 if name in spared else settings.weight_decay
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]


def adam(settings: settings_of.Adam, *, groups: Groups) -> torch.optim.Optimizer:
    """Return Adam with fused kernels."""
    return torch.optim.Adam(groups, lr=settings.rate, betas=settings.betas, eps=settings.eps, fused=True)


def adamw(settings: settings_of.AdamW, *, groups: Groups) -> torch.optim.Optimizer:
    """Return AdamW with fused kernels."""
    return torch.optim.AdamW(groups, lr=settings.rate, betas=settings.betas, eps=settings.eps, fused=True)


def sgd(settings: settings_of.Sgd, *, groups: Groups) -> torch.optim.Optimizer:
    """Return gradient descent with fused kernels."""
    return torch.optim.SGD(groups, lr=settings.rate, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)


def from_timm(settings: settings_of.TimmOptimiser, *, groups: Groups) -> torch.optim.Optimizer:
    """Return timm's optimiser of that name.

    Raises:
        ConfigError: It refuses an option.
    """
    from timm.optim import get_optimizer_class  # type: ignore[attr-defined]  # noqa: PLC0415 - few recipes need it

    make: Any = get_optimizer_class(settings.name)
    try:
        optimiser: torch.optim.Optimizer = make(groups, lr=settings.rate, **settings.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"optimiser timm {settings.name}: refuses options {settings.options} ({shortened(error)})"
        ) from error
    return optimiser


def own(settings: settings_of.OwnOptimiser, *, groups: Groups) -> Any:
    """Call the user's function with the groups of parameters and the options.

    Raises:
        ConfigError: It cannot be imported, or fails.
    """
    return call_own("optimiser", settings, groups=groups)
