"""Averages of the weights over the steps of a training, which are often better than the last weights."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from cxrbench.config import optimisation as settings_of


class Average:
    """Base of the averages.

    Attributes:
        network: Holds the averaged weights and norm statistics; it is validated and kept.
    """

    network: Any  # of the class that is trained

    def update(self) -> None:
        """Take in the weights of the network that is trained, after a step."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return what a stopped run needs to go on."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        raise NotImplementedError


def none(settings: settings_of.NoAverage, *, network: nn.Module) -> None:
    """Return none: the weights are taken as they are."""
    del settings, network


class Ema(Average):
    """Exponential moving average; its decay rises as in timm, where that is asked for."""

    def __init__(self, settings: settings_of.Ema, *, network: nn.Module) -> None:
        self.settings = settings
        self.network = deepcopy(network).requires_grad_(requires_grad=False).eval()
        self.updates = 0
        # The tensors stay the network's own: whatever changes them, does so in place.
        self._floating, self._counts = _pairs(self.network, network)

    @property
    def decay(self) -> float:
        """Share of the average that the next step leaves; the first step leaves nothing of the random weights."""
        if self.updates == 0:
            return 0.0
        risen = 1 - (1 + self.updates) ** (-2 / 3)
        return min(risen, self.settings.decay) if self.settings.warm_up else self.settings.decay

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the weights after a step; the device is not waited for."""
        torch._foreach_lerp_(*self._floating, 1 - self.decay)
        if self._counts[0]:
            torch._foreach_copy_(*self._counts)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged network and how often it was updated."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the averaged network."""
        self.network.load_state_dict(state["network"])
        self.updates = state["updates"]


Pairs = tuple[list[Tensor], list[Tensor]]


def _pairs(averaged: nn.Module, trained: nn.Module) -> tuple[Pairs, Pairs]:
    """Return the tensors that are averaged with those that they follow, and the same of whole numbers."""
    both = list(zip(averaged.state_dict().values(), trained.state_dict().values(), strict=True))
    floating = [pair for pair in both if pair[0].is_floating_point()]
    counts = [pair for pair in both if not pair[0].is_floating_point()]
    return _unzipped(floating), _unzipped(counts)


def _unzipped(pairs: list[tuple[Tensor, Tensor]]) -> Pairs:
    return [one for one, _ in pairs], [other for _, other in pairs]
