"""The state of one fit: network, optimiser, schedule, average and history, on disk after every epoch.

``trainer`` holds the loop that moves it on.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from cxrbench.config import AVERAGES, VALIDATION_AUC, Phase, Recipe, RunConfig
from cxrbench.data.delivery import EvaluationBatches, Sharing, TrainingBatches
from cxrbench.errors import TrainingError
from cxrbench.files import atomic_file
from cxrbench.models.classifier import Classifier
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training.averages import Average
from cxrbench.training.compute import Compute
from cxrbench.training.history import FitState, Step, Verdict
from cxrbench.training.inference import EVALUATION_BATCH
from cxrbench.training.losses import build_loss
from cxrbench.training.optimisers import build_optimiser
from cxrbench.training.parts import RunParts
from cxrbench.training.samplers import image_chances
from cxrbench.training.schedules import RateSchedule, build_schedule

STATE_FILE = "state.pt"

STATE_FORMAT = 2
"""Of the state on disk; what another version left is not gone on from."""


class Fit:
    """A recipe at work, phase by phase.

    Attributes:
        classifier: The network, on the device that trains it.
        loss: What is learnt from.
        average: Average of the network's weights, or None.
        optimiser: Updates the parameters that the phase trains.
        schedule: Says the optimiser's rates.
        state: Epochs done, how good they were, the best of them.
        sharing: Which share of each batch this process works on.
        parts: Images to learn from and to choose the epoch by.
        batches: Steps of an epoch.
    """

    optimiser: torch.optim.Optimizer
    schedule: RateSchedule

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
        self.phases = self.recipe.in_phases
        # Before the optimiser is made: its state lies where the parameters are.
        self.classifier = classifier.to(self.device, memory_format=compute.memory_format)  # type: ignore[call-overload]
        self.loss = build_loss(self.recipe.loss, parts.train.targets, device=self.device)
        self.chances = image_chances(self.recipe.sampler, parts.train.targets)
        self.average: Average | None = AVERAGES.build(self.recipe.average_weights, network=self.classifier)
        self.batches = len(self.training_batches()) // self.sharing.accumulate
        self._begin_phase()

    def _begin_phase(self) -> None:
        """Choose what is trained, with an optimiser and a schedule that know nothing of the phase before."""
        phase = self.phase
        self.classifier.train_parts(phase.trained)
        self.optimiser = build_optimiser(phase.optimiser, self.classifier)
        self._rates = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.schedule = build_schedule(phase.schedule, epochs=phase.epochs, batches=self.batches)

    @property
    def recipe(self) -> Recipe:
        """How the approach is optimised."""
        return self.config.approach.recipe

    @property
    def phase(self) -> Phase:
        """The phase that the fit is in; after its end, the last."""
        return self.phases[min(self.state.phase, len(self.phases) - 1)]

    @property
    def is_finished(self) -> bool:
        """Whether there is no epoch left to train."""
        return self.state.phase == len(self.phases)

    @property
    def judged(self) -> Classifier:
        """The network that is validated and kept: the averaged one, where there is an average."""
        averaged: Classifier | None = None if self.average is None else self.average.network
        return self.classifier if averaged is None else averaged

    @property
    def learning_rate(self) -> float:
        """The optimiser's current rate; of several, the highest."""
        return max(float(group["lr"]) for group in self.optimiser.param_groups)

    def training_batches(self) -> TrainingBatches:
        """Return the batches of the next epoch."""
        return TrainingBatches(
            part=self.parts.training(self.state.epochs_done),
            augmentation=self.config.approach.augmentation,
            batch_size=self.recipe.batch_size,
            seed=self.config.seed,
            epoch=self.state.epochs_done,
            sharing=self.sharing,
            chances=self.chances,
        )

    def validation_batches(self) -> EvaluationBatches:
        """Return the validation part, in order."""
        return EvaluationBatches(part=self.parts.val, batch_size=EVALUATION_BATCH, sharing=self.sharing)

    def step(self, *, batch: int, batches: int) -> Step:
        """Return the progress after ``batch`` (from 0) of the current epoch."""
        val_loss = self.state.history[-1]["val_loss"] if self.state.history else None
        return Step(self.state.epochs_done, self.recipe.total_epochs, batch + 1, batches, val_loss)

    def update(self, batch: int) -> None:
        """Take the step of a batch (from 0) of the current epoch, whose gradient is there."""
        share = self.schedule.share(self.state.phase_epochs * self.batches + batch)
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        if self.recipe.clip_norm is not None:
            parameters = [each for group in self.optimiser.param_groups for each in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.recipe.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update()

    def end_epoch(self, *, train_loss: float, verdict: Verdict, seconds: float) -> None:
        """Judge the epoch, go on to the next phase when it is time, and put everything on disk.

        Raises:
            TrainingError: The validation loss is not finite, or there is no mean AUC to choose by.
        """
        if not math.isfinite(verdict.loss):
            raise TrainingError(f"validation loss is {verdict.loss:g} after epoch {self.state.epochs_done}")
        is_best = self.state.add(
            self._score(verdict),
            verdict,
            train_loss=train_loss,
            learning_rate=self.learning_rate,
            seconds=seconds,
        )
        self.schedule.end_epoch(is_better=self.state.epochs_since_best == 0)
        if self.state.is_at_end_of(self.phase):
            self.state.begin_phase(self.state.phase + 1)
            if not self.is_finished:
                self._begin_phase()
        if self.sharing.rank == 0:
            self.save(is_best=is_best)

    def _score(self, verdict: Verdict) -> float:
        """Return what the epoch is chosen by; higher is better."""
        if self.recipe.choose_epoch_by != VALIDATION_AUC:
            return -verdict.loss
        if verdict.auc is None:
            raise TrainingError(
                f"choose_epoch_by: {VALIDATION_AUC}, but no finding is both present and absent in the validation part; "
                "choose by validation loss"
            )
        return verdict.auc

    def save(self, *, is_best: bool) -> None:
        """Write the weights when they are the best so far, then the state that a stopped run resumes from."""
        if is_best:
            kept = self.judged.state_dict()
            with atomic_file(self.folder / WEIGHTS_FILE) as scratch:
                save_file({name: value.contiguous() for name, value in kept.items()}, scratch)
        state = {
            "format": STATE_FORMAT,
            "hash": self.config.hash,
            "fit": asdict(self.state),
            "classifier": self.classifier.state_dict(),
            "loss": self.loss.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        with atomic_file(self.folder / STATE_FILE) as scratch:
            torch.save(state, scratch)

    def resume(self) -> None:
        """Resume what an earlier, stopped fit of the same settings left. Anything else is ignored."""
        path = self.folder / STATE_FILE
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["hash"] != self.config.hash or state.get("format") != STATE_FORMAT:
            return
        self.state = FitState(**state["fit"])
        self.classifier.load_state_dict(state["classifier"])
        self.loss.load_state_dict(state["loss"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self._begin_phase()
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])


def epochs_done(state: Path) -> int:
    """Return how many epochs a fit's state on disk has behind it, without reading the network's tensors."""
    return int(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["fit"]["epochs_done"])
