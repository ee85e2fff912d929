"""What a fit has done so far: how far it is, how good each epoch was, and which was the best."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cxrbench.config import Phase


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


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How good an epoch was on the validation part.

    Attributes:
        loss: Mean over the stated labels of the loss that is learnt from.
        auc: Mean over the findings that are both present and absent there; None: there is no such finding.
    """

    loss: float
    auc: float | None


@dataclass
class FitState:
    """Epochs and phases behind a fit, and the best of them; everything but tensors.

    Attributes:
        epochs_done: In all phases.
        phase: Number of the phase that the next epoch belongs to, from 0.
        phase_epochs: Epochs done in it.
        best: Score of the best epoch of all; higher is better.
        best_epoch: Its number; its weights are kept.
        phase_best: Score of the best epoch of the phase.
        epochs_since_best: Epochs of the phase after its best.
        history: One row per epoch.
    """

    epochs_done: int = 0
    phase: int = 0
    phase_epochs: int = 0
    best: float = -math.inf
    best_epoch: int | None = None
    phase_best: float = -math.inf
    epochs_since_best: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def add(self, score: float, verdict: Verdict, *, train_loss: float, learning_rate: float, seconds: float) -> bool:
        """Note an epoch. Return True when it is the best so far."""
        is_best = score > self.best
        if is_best:
            self.best, self.best_epoch = score, self.epochs_done
        self.epochs_since_best = 0 if score > self.phase_best else self.epochs_since_best + 1
        self.phase_best = max(score, self.phase_best)
        self.history.append(
            {
                "epoch": self.epochs_done,
                "train_loss": train_loss,
                "val_loss": verdict.loss,
                "learning_rate": learning_rate,
                "seconds": seconds,
                "val_auc": verdict.auc,
                "phase": self.phase,
            }
        )
        self.epochs_done += 1
        self.phase_epochs += 1
        return is_best

    def is_at_end_of(self, phase: Phase) -> bool:
        """Return whether the current phase asks for no further epoch."""
        is_stopped = phase.stop_after is not None and self.epochs_since_best >= phase.stop_after
        return is_stopped or self.phase_epochs >= phase.epochs

    def begin_phase(self, number: int) -> None:
        """Begin another phase, which has epochs and a best of its own."""
        self.phase, self.phase_epochs = number, 0
        self.phase_best, self.epochs_since_best = -math.inf, 0

    def rows(self) -> list[dict[str, Any]]:
        """Return the history, with which epoch's weights are kept."""
        return [{**row, "is_kept": row["epoch"] == self.best_epoch} for row in self.history]
