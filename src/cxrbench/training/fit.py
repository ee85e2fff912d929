"""The fit of one network as a Lightning module; its whole state is on disk after every epoch."""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cxrbench.config import Recipe, RunConfig
from cxrbench.data.delivery import EvaluationBatches, Sharing, TrainingBatches
from cxrbench.errors import TrainingError
from cxrbench.files import atomic_file
from cxrbench.models.classifier import Classifier, masked_loss
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training.compute import Compute
from cxrbench.training.inference import EVALUATION_BATCH, scorer
from cxrbench.training.parts import RunParts
from cxrbench.training.state import FitState

STATE_FILE = "state.pt"
EXPLODED = 1e4
"""A mean cross-entropy above this means logits in the ten thousands: the fit is lost."""
LOSS_CHECK_EVERY = 32
"""Batches between looks at the training losses; looking at each would wait for the device each time."""


class Fit(lightning.LightningModule):
    """The paper's recipe: Adam, mean cross-entropy, the rate halved when the validation loss stops falling."""

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
        super().__init__()
        self.classifier = classifier.train().to(memory_format=compute.memory_format)
        self.config = config
        self.compute = compute
        self.sharing = Sharing(devices=compute.devices, rank=rank, accumulate=compute.accumulate)
        self.parts = parts
        self.score = scorer(classifier, config.approach)
        self.folder = folder
        self.state = FitState()
        trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
        self.adam = torch.optim.Adam(trained, lr=self.recipe.learning_rate, betas=self.recipe.betas, fused=True)
        self.plateau = ReduceLROnPlateau(
            self.adam, factor=0.5, patience=self.recipe.halve_after - 1, threshold=0.0, eps=0.0
        )
        self._pending: list[Tensor] = []  # losses of batches not yet looked at
        self._train_losses: list[float] = []
        self._val_sums = torch.zeros(2, dtype=torch.float64)  # of losses, of stated labels; on the device
        self._started = 0.0

    @property
    def recipe(self) -> Recipe:
        """How the approach is optimised."""
        return self.config.approach.recipe

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam; the schedule is stepped by hand after each validation."""
        return self.adam

    def on_train_start(self) -> None:
        """Have the optimiser's state where the parameters are now: Lightning leaves the count of steps behind."""
        self.adam.load_state_dict(self.adam.state_dict())

    def train_dataloader(self) -> TrainingBatches:
        """The batches of the epoch to come."""
        return TrainingBatches(
            part=self.parts.training(self.state.epochs_done),
            augmentation=self.config.approach.augmentation,
            batch_size=self.recipe.batch_size,
            seed=self.config.seed,
            epoch=self.state.epochs_done,
            sharing=self.sharing,
        )

    def val_dataloader(self) -> EvaluationBatches:
        """The validation part, in order."""
        return EvaluationBatches(part=self.parts.val, batch_size=EVALUATION_BATCH, sharing=self.sharing)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's clock and sums."""
        self._started = time.perf_counter()
        self._train_losses = []

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor, float], _number: int) -> Tensor:
        """Loss of one batch, or of a share of it."""
        film, features, targets, weight = batch
        loss = masked_loss(self.score(film, features), targets) * weight
        self._pending.append(loss.detach())
        if len(self._pending) == LOSS_CHECK_EVERY * self.sharing.accumulate:
            self._look_at_losses()
        return loss

    def _look_at_losses(self) -> None:
        shares = self._over_devices(torch.stack(self._pending)).reshape(-1, self.sharing.accumulate)
        losses = (shares.sum(dim=1) / self.sharing.shares).tolist()  # one per batch
        self._pending = []
        for batch, loss in enumerate(losses, start=len(self._train_losses)):
            if not loss < EXPLODED:  # also true of NaN
                raise TrainingError(
                    f"training loss is {loss:g} in epoch {self.state.epochs_done}, batch {batch} "
                    f"(learning rate {self.learning_rate:g}); lower the learning rate of the recipe"
                )
        self._train_losses += losses

    def _over_devices(self, values: Tensor) -> Tensor:
        """The sum over the devices."""
        if self.sharing.devices > 1:
            torch.distributed.all_reduce(values)
        return values

    @property
    def learning_rate(self) -> float:
        """Adam's rate at the moment."""
        return float(self.adam.param_groups[0]["lr"])

    def on_validation_epoch_start(self) -> None:
        """See that no training loss went unlooked at, and start the sums."""
        self._val_sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        if self._pending:
            self._look_at_losses()

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _number: int) -> None:
        """Add a batch to the validation loss, weighted by its stated labels."""
        film, features, targets = batch
        stated = (~targets.isnan()).sum()
        loss = masked_loss(self.score(film, features), targets)
        self._val_sums += torch.stack([loss * stated, stated])

    def on_validation_epoch_end(self) -> None:
        """Judge the epoch, halve the rate when it is time, and put everything on disk."""
        total, stated = self._over_devices(self._val_sums).tolist()
        val_loss = total / max(stated, 1.0)
        if not math.isfinite(val_loss):
            raise TrainingError(f"validation loss is {val_loss:g} after epoch {self.state.epochs_done}")
        is_best = self.state.add(
            train_loss=float(np.mean(self._train_losses)),
            val_loss=val_loss,
            learning_rate=self.learning_rate,
            seconds=time.perf_counter() - self._started,
        )
        self.plateau.step(val_loss)
        if self.sharing.rank == 0:
            self.save(is_best=is_best)
        if self.state.is_finished(self.recipe):
            self.trainer.should_stop = True

    def save(self, *, is_best: bool) -> None:
        """Write the weights when they are the best so far, then the state that a stopped run goes on from."""
        if is_best:
            with atomic_file(self.folder / WEIGHTS_FILE) as scratch:
                save_file({name: value.contiguous() for name, value in self.classifier.state_dict().items()}, scratch)
        state = {
            "hash": self.config.hash,
            "fit": asdict(self.state),
            "classifier": self.classifier.state_dict(),
            "adam": self.adam.state_dict(),
            "plateau": self.plateau.state_dict(),
        }
        with atomic_file(self.folder / STATE_FILE) as scratch:
            torch.save(state, scratch)

    def resume(self) -> None:
        """Take up what an earlier, stopped fit of the same settings left; anything else is ignored."""
        path = self.folder / STATE_FILE
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["hash"] != self.config.hash:
            return
        self.state = FitState(**state["fit"])
        self.classifier.load_state_dict(state["classifier"])
        self.adam.load_state_dict(state["adam"])
        self.plateau.load_state_dict(state["plateau"])


def epochs_done(state: Path) -> int:
    """Epochs behind the state of a fit that is on disk, read without the network's tensors."""
    return int(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["fit"]["epochs_done"])
