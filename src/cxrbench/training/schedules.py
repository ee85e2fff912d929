"""Schedules: which share of its rate an optimiser has at a step of its phase.

Most are pure functions of the step, so that a run that goes on has the rate that an undisturbed one has. Those that
look at the epochs hold state, which is kept with the run's.
"""

from collections.abc import Callable
from math import cos, pi
from typing import Any

from cxrbench.config import SCHEDULES, Part
from cxrbench.config import optimisation as settings_of
from cxrbench.config.network import Module
from cxrbench.errors import ConfigError
from cxrbench.training.own import call_own

Curve = Callable[[int], float]
"""Step of the phase, from 0 -> share of the rate."""


class RateSchedule:
    """Base of all schedules: the rate stays."""

    def share(self, step: int) -> float:
        """Return the share of the rate at a step of the phase, from 0."""
        del step
        return 1.0

    def end_epoch(self, *, is_better: bool) -> None:
        """Take note of an epoch, and whether it is better than all of the phase before it."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a stopped run needs to go on."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


class Followed(RateSchedule):
    """A schedule that is a function of the step alone."""

    def __init__(self, curve: Curve) -> None:
        self.share = curve  # type: ignore[method-assign,assignment]


class Plateau(RateSchedule):
    """The rate falls when a number of epochs in a row are no better than the best before them."""

    def __init__(self, settings: settings_of.Plateau, *, epochs: int, batches: int) -> None:
        del epochs, batches
        self.settings = settings
        self.worse = 0
        self.falls = 0

    def share(self, step: int) -> float:
        """Return the share that the falls so far have left."""
        del step
        return float(self.settings.factor**self.falls)

    def end_epoch(self, *, is_better: bool) -> None:
        """Count epochs that are no better."""
        self.worse = 0 if is_better else self.worse + 1
        if self.worse == self.settings.after:
            self.worse, self.falls = 0, self.falls + 1

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {"worse": self.worse, "falls": self.falls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the counts."""
        self.worse, self.falls = state["worse"], state["falls"]


def build_schedule(part: Part, *, epochs: int, batches: int) -> RateSchedule:
    """Return the schedule of a phase.

    Args:
        part: Which schedule.
        epochs: Of the phase.
        batches: Of an epoch.

    Raises:
        ConfigError: A schedule of the user's own cannot be made.
    """
    built = SCHEDULES.build(part, epochs=epochs, batches=batches)
    if isinstance(built, RateSchedule):
        return built
    if not callable(built):
        title = SCHEDULES.title(part)
        raise ConfigError(
            f"{title}: returned an object of type {type(built).__name__}, expected a function of the step"
        )
    return Followed(built)


def constant(settings: settings_of.Constant, *, epochs: int, batches: int) -> Curve:
    """Return a curve that rises if wanted, and stays."""
    del epochs
    rise = round(settings.warm_up_epochs * batches)
    return lambda step: _risen(step, rise, settings.start) if step < rise else 1.0


def cosine(settings: settings_of.Cosine, *, epochs: int, batches: int) -> Curve:
    """Return a curve that rises if wanted, and falls as half a cosine."""
    rise = round(settings.warm_up_epochs * batches)
    fall = epochs * batches - rise

    def share(step: int) -> float:
        return _risen(step, rise, settings.start) if step < rise else _between(1.0, settings.end, (step - rise) / fall)

    return share


def one_cycle(settings: settings_of.OneCycle, *, epochs: int, batches: int) -> Curve:
    """Return a curve that rises and falls, both as half a cosine."""
    last = epochs * batches - 1
    top = settings.rise * (last + 1) - 1

    def share(step: int) -> float:
        if step <= top:
            return _between(settings.start, 1.0, step / top if top else 1.0)
        return _between(1.0, settings.end, (step - top) / max(last - top, 1))

    return share


def own(settings: Module, *, epochs: int, batches: int) -> Any:
    """Call the user's function with the phase's epochs, an epoch's batches, and the options.

    Raises:
        ConfigError: It cannot be imported, or fails.
    """
    return call_own("schedule", settings, epochs=epochs, batches=batches)


def _risen(step: int, rise: int, start: float) -> float:
    """Return the share while it rises in a straight line."""
    return start + (1 - start) * step / rise


def _between(first: float, last: float, way: float) -> float:
    """Return the share on the way, from 0 to 1, between two, as half a cosine."""
    return last + (first - last) * (1 + cos(pi * way)) / 2
