"""How far a fit is: what a progress bar shows and what a stopped fit goes on from."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from cxrbench.config import Recipe


@dataclass(frozen=True)
class Step:
    """How far a run is; what a progress bar shows."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    val_loss: float | None


ReportStep = Callable[[Step], None]


def ignore_steps(step: Step) -> None:
    """Show nothing."""


@dataclass
class FitState:
    """What a fit has done so far, besides the network and the optimiser."""

    epochs_done: int = 0
    best_loss: float = math.inf
    epochs_since_best: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def add(self, *, train_loss: float, val_loss: float, learning_rate: float, seconds: float) -> bool:
        """Note an epoch; True when its validation loss is the lowest so far."""
        is_best = val_loss < self.best_loss
        self.best_loss = min(val_loss, self.best_loss)
        self.epochs_since_best = 0 if is_best else self.epochs_since_best + 1
        self.history.append(
            {
                "epoch": self.epochs_done,
                "train_loss": train_loss,
                "val_loss": val_loss,
                "learning_rate": learning_rate,
                "seconds": seconds,
            }
        )
        self.epochs_done += 1
        return is_best

    def is_finished(self, recipe: Recipe) -> bool:
        """Whether the recipe asks for no further epoch."""
        return self.epochs_done >= recipe.epochs or self.epochs_since_best >= recipe.stop_after
