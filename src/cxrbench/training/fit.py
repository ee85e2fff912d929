"""The state of one fit: network, optimiser, schedule and history, on disk after every epoch.

``trainer`` holds the loop that moves it on.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cxrbench.config import Recipe, RunConfig
from cxrbench.data.delivery import EvaluationBatches, Sharing, TrainingBatches
from cxrbench.errors import TrainingError
from cxrbench.files import atomic_file
from cxrbench.models.classifier import Classifier
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training.compute import Compute
from cxrbench.training.inference import EVALUATION_BATCH
from cxrbench.training.parts import RunParts

STATE_FILE = "state.pt"


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
        """Note an epoch. Return True when its validation loss is the lowest so far."""
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


class Fit:
    """The paper's recipe: Adam, the rate halved when the validation loss stops falling.

    Attributes:
        classifier: The network, on the device that trains it.
        optimiser: Updates the parameters that are trained.
        plateau: Halves the rate.
        state: Epochs done, their losses, the best of them.
        sharing: Which share of each batch this process works on.
        parts: Images to learn from and to choose the epoch by.
    """

    def __init__(
        self,
        classifier: Classifier,
        config: RunConfig,
        *,
        parts: RunParts,
        folder: Path,
        compute: Compute,
        rank: int = 0,
    ) -> None:
        self.config = config
        self.compute = compute
        self.sharing = Sharing(devices=compute.devices, rank=rank, accumulate=compute.accumulate)
        self.parts = parts
        self.folder = folder
        self.state = FitState()
        self.device = compute.device_of(rank)
        # Before the optimiser is made: its state lies where the parameters are.
        self.classifier = classifier.to(self.device, memory_format=compute.memory_format)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(self.classifier, self.recipe)
        self.plateau = ReduceLROnPlateau(
            self.optimiser, factor=0.5, patience=self.recipe.halve_after - 1, threshold=0.0, eps=0.0
        )

    @property
    def recipe(self) -> Recipe:
        """How the approach is optimised."""
        return self.config.approach.recipe

    @property
    def is_finished(self) -> bool:
        """Whether there is no epoch left to train."""
        return self.state.is_finished(self.recipe)

    @property
    def learning_rate(self) -> float:
        """The optimiser's current rate."""
        return float(self.optimiser.param_groups[0]["lr"])

    def training_batches(self) -> TrainingBatches:
        """Return the batches of the next epoch."""
        return TrainingBatches(
            part=self.parts.training(self.state.epochs_done),
            augmentation=self.config.approach.augmentation,
            batch_size=self.recipe.batch_size,
            seed=self.config.seed,
            epoch=self.state.epochs_done,
            sharing=self.sharing,
        )

    def validation_batches(self) -> EvaluationBatches:
        """Return the validation part, in order."""
        return EvaluationBatches(part=self.parts.val, batch_size=EVALUATION_BATCH, sharing=self.sharing)

    def step(self, *, batch: int, batches: int) -> Step:
        """Return the progress after ``batch`` (from 0) of the current epoch."""
        val_loss = self.state.history[-1]["val_loss"] if self.state.history else None
        return Step(self.state.epochs_done, self.recipe.epochs, batch + 1, batches, val_loss)

    def end_epoch(self, *, train_loss: float, val_loss: float, seconds: float) -> None:
        """Judge the epoch, halve the rate when it is time, and put everything on disk.

        Raises:
            TrainingError: The validation loss is not finite.
        """
        if not math.isfinite(val_loss):
            raise TrainingError(f"validation loss is {val_loss:g} after epoch {self.state.epochs_done}")
        is_best = self.state.add(
            train_loss=train_loss, val_loss=val_loss, learning_rate=self.learning_rate, seconds=seconds
        )
        self.plateau.step(val_loss)
        if self.sharing.rank == 0:
            self.save(is_best=is_best)

    def save(self, *, is_best: bool) -> None:
        """Write the weights when they are the best so far, then the state that a stopped run resumes from."""
        if is_best:
            with atomic_file(self.folder / WEIGHTS_FILE) as scratch:
                save_file({name: value.contiguous() for name, value in self.classifier.state_dict().items()}, scratch)
        state = {
            "hash": self.config.hash,
            "fit": asdict(self.state),
            "classifier": self.classifier.state_dict(),
            "adam": self.optimiser.state_dict(),
            "plateau": self.plateau.state_dict(),
        }
        with atomic_file(self.folder / STATE_FILE) as scratch:
            torch.save(state, scratch)

    def resume(self) -> None:
        """Resume what an earlier, stopped fit of the same settings left. Anything else is ignored."""
        path = self.folder / STATE_FILE
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["hash"] != self.config.hash:
            return
        self.state = FitState(**state["fit"])
        self.classifier.load_state_dict(state["classifier"])
        self.optimiser.load_state_dict(state["adam"])
        self.plateau.load_state_dict(state["plateau"])


def make_optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's Adam over the parameters that are trained, with fused kernels."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trained, lr=recipe.learning_rate, betas=recipe.betas, fused=True)


def epochs_done(state: Path) -> int:
    """Return how many epochs a fit's state on disk has behind it, without reading the network's tensors."""
    return int(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["fit"]["epochs_done"])
