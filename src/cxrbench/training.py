"""Fit one run: an approach, on a split, from a seed; the only room for Lightning.

After every epoch the whole state of the fit is on disk. Order and augmentation of the batches are a pure
function of seed and epoch, so a run that was stopped goes on as if it had not been.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import polars as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cxrbench.config import Approach, Augmentation, Recipe, Settings, settings_hash
from cxrbench.data.delivery import EvaluationBatches, Part, TrainingBatches
from cxrbench.data.features import FeatureScaling
from cxrbench.data.store import Store
from cxrbench.environment import describe_environment
from cxrbench.errors import TrainingError
from cxrbench.files import atomic_file, write_json
from cxrbench.models.classifier import Classifier, build_classifier, masked_loss
from cxrbench.runs import CONFIG_FILE, ENVIRONMENT_FILE, HISTORY_FILE, WEIGHTS_FILE, predictions_file
from cxrbench.splits import Split

STATE_FILE = "state.pt"
EXPLODED = 1e4
"""A mean cross-entropy above this means logits in the ten thousands: the fit is lost."""
EVALUATION_BATCH = 64
LOSS_CHECK_EVERY = 32
"""Batches between looks at the training losses; looking at each would wait for the device each time."""


class WeightsRecord(Settings):
    """Where a run's pre-trained weights came from."""

    source: str
    digest: str
    is_stand_in: bool


class RunConfig(Settings):
    """Everything that decides what a run learns; equal hashes, equal runs."""

    approach: Approach
    profile: str
    weights: WeightsRecord | None
    split: str
    split_digest: str
    store_digest: str
    table_digest: str
    seed: int
    findings: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over all fields."""
        return settings_hash(self)


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


class Fit(lightning.LightningModule):
    """The paper's recipe: Adam, mean cross-entropy, the rate halved when the validation loss stops falling."""

    def __init__(
        self, classifier: Classifier, config: RunConfig, *, training: Part, validation: Part, folder: Path
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.config = config
        self.training_part = training
        self.validation_part = validation
        self.folder = folder
        self.state = FitState()
        trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
        self.adam = torch.optim.Adam(trained, lr=self.recipe.learning_rate, betas=self.recipe.betas)
        self.plateau = ReduceLROnPlateau(self.adam, factor=0.5, patience=self.recipe.halve_after - 1, threshold=0.0)
        self._pending: list[Tensor] = []  # losses of batches not yet looked at
        self._train_losses: list[float] = []
        self._val_sum = self._val_count = 0.0
        self._started = 0.0

    @property
    def recipe(self) -> Recipe:
        """How the approach is optimised."""
        return self.config.approach.recipe

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam; the schedule is stepped by hand after each validation."""
        return self.adam

    def train_dataloader(self) -> TrainingBatches:
        """The batches of the epoch to come."""
        augmentation: Augmentation = self.config.approach.augmentation
        return TrainingBatches(
            part=self.training_part,
            augmentation=augmentation,
            batch_size=self.recipe.batch_size,
            seed=self.config.seed,
            epoch=self.state.epochs_done,
        )

    def val_dataloader(self) -> EvaluationBatches:
        """The validation part, in order."""
        return EvaluationBatches(part=self.validation_part, batch_size=EVALUATION_BATCH)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's clock and sums."""
        self._started = time.perf_counter()
        self._train_losses = []
        self._val_sum = self._val_count = 0.0

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], number: int) -> Tensor:
        """Loss of one batch."""
        film, features, targets = batch
        loss = masked_loss(self.classifier(film, features), targets)
        self._pending.append(loss.detach())
        if len(self._pending) == LOSS_CHECK_EVERY:
            self._look_at_losses(last=number)
        return loss

    def _look_at_losses(self, *, last: int) -> None:
        losses = torch.stack(self._pending).tolist()
        self._pending = []
        for batch, loss in enumerate(losses, start=last - len(losses) + 1):
            if not loss < EXPLODED:  # also true of NaN
                raise TrainingError(
                    f"training loss is {loss:g} in epoch {self.state.epochs_done}, batch {batch} "
                    f"(learning rate {self.learning_rate:g}); lower the learning rate of the recipe"
                )
        self._train_losses += losses

    @property
    def learning_rate(self) -> float:
        """Adam's rate at the moment."""
        return float(self.adam.param_groups[0]["lr"])

    def on_validation_epoch_start(self) -> None:
        """See that no training loss went unlooked at."""
        if self._pending:
            self._look_at_losses(last=len(self._train_losses) + len(self._pending) - 1)

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _number: int) -> None:
        """Add a batch to the validation loss, weighted by its stated labels."""
        film, features, targets = batch
        stated = float((~targets.isnan()).sum())
        self._val_sum += float(masked_loss(self.classifier(film, features), targets)) * stated
        self._val_count += stated

    def on_validation_epoch_end(self) -> None:
        """Judge the epoch, halve the rate when it is time, and put everything on disk."""
        val_loss = self._val_sum / max(self._val_count, 1.0)
        if not math.isfinite(val_loss):
            raise TrainingError(f"validation loss is {val_loss:g} after epoch {self.state.epochs_done}")
        is_best = self.state.add(
            train_loss=float(np.mean(self._train_losses)),
            val_loss=val_loss,
            learning_rate=self.learning_rate,
            seconds=time.perf_counter() - self._started,
        )
        self.plateau.step(val_loss)
        if is_best:
            with atomic_file(self.folder / WEIGHTS_FILE) as scratch:
                save_file({name: value.contiguous() for name, value in self.classifier.state_dict().items()}, scratch)
        self.save()
        if self.state.is_finished(self.recipe):
            self.trainer.should_stop = True

    def save(self) -> None:
        """Write the state that a stopped run goes on from."""
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


class _Reporter(lightning.Callback):
    """Hands each batch's progress on."""

    def __init__(self, report: ReportStep) -> None:
        self.report = report

    def on_train_batch_end(self, trainer: lightning.Trainer, fit: lightning.LightningModule, *args: Any) -> None:
        batch = args[-1]
        if not isinstance(fit, Fit):
            return
        val_loss = fit.state.history[-1]["val_loss"] if fit.state.history else None
        batches = int(trainer.num_training_batches)
        self.report(Step(fit.state.epochs_done, fit.recipe.epochs, batch + 1, batches, val_loss))


def fit_run(
    config: RunConfig,
    folder: Path,
    *,
    table: pl.DataFrame,
    store: Store,
    split: Split,
    weights: dict[str, Tensor] | None,
    report: ReportStep = ignore_steps,
) -> None:
    """Train, keep the epoch of the lowest validation loss, and write the run's files into ``folder``.

    Args:
        config: The run's identity.
        folder: Scratch folder of the run; what an earlier, stopped fit left there is taken up.
        table: Rows with pixels in the store, columns as in ``table.parquet``.
        store: The archive's shrunk images.
        split: Who is in which part.
        weights: Three-channel backbone weights where the approach starts from ImageNet, else None.
        report: Called after every batch.

    Raises:
        TrainingError: A loss is not finite or exploded, or a part is too small.
    """
    parts, scaling = make_parts(config, table=table, store=store, split=split)
    if len(parts["train"]) < 2 or not len(parts["val"]):
        sizes = ", ".join(f"{name} {len(part)}" for name, part in parts.items())
        raise TrainingError(f"split {split.name!r} is too small to train on: images {sizes}")
    classifier = build_classifier(config.approach, findings=len(config.findings), seed=config.seed, weights=weights)
    fit = Fit(classifier, config, training=parts["train"], validation=parts["val"], folder=folder)
    fit.resume()
    if not fit.state.is_finished(fit.recipe):
        _train(fit, report)
    classifier.load_state_dict(load_file(folder / WEIGHTS_FILE))
    for name in ("val", "test"):
        ids = table[split.rows(table, name)].select("image_id", "patient_id")
        write_predictions(folder / predictions_file(name), ids, predict(classifier, parts[name]), config.findings)
    _write_records(fit, scaling, folder)


def make_parts(
    config: RunConfig, *, table: pl.DataFrame, store: Store, split: Split
) -> tuple[dict[str, Part], FeatureScaling]:
    """The split's three parts as the approach sees them, and how its features were scaled."""
    rows = {name: split.rows(table, name) for name in ("train", "val", "test")}
    scaling = FeatureScaling.fit(config.approach.features, table[rows["train"]])
    pixels = store.pixels(config.approach.input.store_size)
    targets = table.select(config.findings).cast(pl.Float32).fill_null(float("nan")).to_numpy()  # (N, L)
    features = scaling.encode(table)  # (N, F)
    positions = store.rows(table["image_id"])
    parts = {
        name: Part(
            pixels=pixels,
            rows=positions[chosen],
            targets=np.ascontiguousarray(targets[chosen]),
            features=features[chosen],
            image_size=config.approach.input.image_size,
        )
        for name, chosen in rows.items()
    }
    return parts, scaling


def _train(fit: Fit, report: ReportStep) -> None:
    with warnings.catch_warnings():
        # Lightning advises DataLoader workers; batches come from the store without any.
        warnings.filterwarnings("ignore", category=UserWarning, module="lightning")
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=fit.recipe.epochs - fit.state.epochs_done,
            deterministic=True,
            logger=False,
            callbacks=[_Reporter(report)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
        )
        trainer.fit(fit)


@torch.inference_mode()
def predict(classifier: Classifier, part: Part, *, device: torch.device | None = None) -> np.ndarray:
    """Logits (n, L) float32 of a part's images, centre crops, in full single precision."""
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    classifier = classifier.to(device).eval()
    with torch.backends.cudnn.flags(allow_tf32=False, deterministic=True):
        batches = [
            classifier(film.to(device), features.to(device)).float().cpu()
            for film, features, _ in EvaluationBatches(part=part, batch_size=EVALUATION_BATCH)
        ]
    return torch.cat(batches).numpy()


def write_predictions(path: Path, ids: pl.DataFrame, logits: np.ndarray, findings: tuple[str, ...]) -> None:
    """Write ``image_id, patient_id`` and one float32 logit per finding."""
    columns = {finding: logits[:, position] for position, finding in enumerate(findings)}
    with atomic_file(path) as scratch:
        ids.with_columns(
            **{name: pl.Series(values, dtype=pl.Float32) for name, values in columns.items()}
        ).write_parquet(scratch)


def _write_records(fit: Fit, scaling: FeatureScaling, folder: Path) -> None:
    """Write configuration, environment and history; what only resuming needed goes."""
    config = fit.config.model_dump(mode="json") | {"hash": fit.config.hash}
    write_json(folder / CONFIG_FILE, config | {"feature_scaling": scaling.model_dump(mode="json")})
    seconds = sum(epoch["seconds"] for epoch in fit.state.history)
    write_json(folder / ENVIRONMENT_FILE, describe_environment() | {"training_seconds": round(seconds, 3)})
    with atomic_file(folder / HISTORY_FILE) as scratch:
        pl.DataFrame(fit.state.history).write_csv(scratch)
    (folder / STATE_FILE).unlink(missing_ok=True)
