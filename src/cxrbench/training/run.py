"""Make one run: parts, network, fit, predictions, records."""

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.config import AS_FITS_THE_MACHINE, ComputeSettings
from cxrbench.data.delivery import Part
from cxrbench.data.features import FeatureScaling
from cxrbench.data.store import Store
from cxrbench.environment import describe_environment
from cxrbench.errors import TrainingError
from cxrbench.files import atomic_file, write_json
from cxrbench.models.classifier import Classifier, build_classifier
from cxrbench.runs import CONFIG_FILE, ENVIRONMENT_FILE, HISTORY_FILE, PARTS, WEIGHTS_FILE, predictions_file
from cxrbench.splits import Split
from cxrbench.training.compute import Compute, keep_memory_mapped, resolve
from cxrbench.training.fit import STATE_FILE, Fit
from cxrbench.training.identity import RunConfig
from cxrbench.training.inference import predict, write_predictions
from cxrbench.training.state import ReportStep, Step, ignore_steps


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
    compute: ComputeSettings = AS_FITS_THE_MACHINE,
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
        compute: How the arithmetic is done; what it is resolved to is recorded with the environment.
        report: Called after every batch.

    Raises:
        TrainingError: A loss is not finite or exploded, a part is too small, or the machine cannot do what
            ``compute`` asks for.
    """
    resolved = resolve(compute, config.approach)
    if resolved.keeps_memory:
        keep_memory_mapped()
    parts, scaling = make_parts(config, table=table, store=store, split=split)
    if len(parts["train"]) < 2 or not len(parts["val"]):
        sizes = ", ".join(f"{name} {len(part)}" for name, part in parts.items())
        raise TrainingError(f"split {split.name!r} is too small to train on: images {sizes}")
    classifier = build_classifier(config.approach, findings=len(config.findings), seed=config.seed, weights=weights)
    fit = Fit(classifier, config, training=parts["train"], validation=parts["val"], folder=folder, compute=resolved)
    fit.resume()
    if not fit.state.is_finished(fit.recipe):
        _train(fit, report)
    kept = _kept(config, folder)
    for name in ("val", "test"):
        ids = table[split.rows(table, name)].select("image_id", "patient_id")
        write_predictions(folder / predictions_file(name), ids, predict(kept, parts[name]), config.findings)
    _write_records(fit, scaling, folder)


def _kept(config: RunConfig, folder: Path) -> Classifier:
    """The network of the epoch that was kept, as built: nothing that training was done with clings to it."""
    classifier = Classifier(config.approach, findings=len(config.findings))
    classifier.load_state_dict(load_file(folder / WEIGHTS_FILE))
    return classifier.to(memory_format=torch.channels_last)


def make_parts(
    config: RunConfig, *, table: pl.DataFrame, store: Store, split: Split
) -> tuple[dict[str, Part], FeatureScaling]:
    """The split's three parts as the approach sees them, and how its features were scaled."""
    rows = {name: split.rows(table, name) for name in PARTS}
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
    if fit.compute.compile is not None:
        fit.classifier.compile(mode=fit.compute.compile)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it announces hardware and products
    with warnings.catch_warnings():
        # Lightning advises DataLoader workers; batches come from the store without any.
        warnings.filterwarnings("ignore", category=UserWarning, module="lightning")
        # Lightning 2.6 uses a name that torch 2.15 is about to drop.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec")
        trainer = lightning.Trainer(
            accelerator="gpu" if fit.compute.device == "cuda" else "cpu",
            devices=1,
            precision=fit.compute.lightning_precision,
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
        try:
            trainer.fit(fit)
        except SystemExit as stop:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from stop


def _write_records(fit: Fit, scaling: FeatureScaling, folder: Path) -> None:
    """Write configuration, environment and history; what only resuming needed goes."""
    config = fit.config.model_dump(mode="json") | {"hash": fit.config.hash}
    write_json(folder / CONFIG_FILE, config | {"feature_scaling": scaling.model_dump(mode="json")})
    seconds = sum(epoch["seconds"] for epoch in fit.state.history)
    environment = describe_environment(device=_device_name(fit.compute), threads=torch.get_num_threads())
    write_json(
        folder / ENVIRONMENT_FILE,
        environment | {"compute": fit.compute.record(), "training_seconds": round(seconds, 3)},
    )
    with atomic_file(folder / HISTORY_FILE) as scratch:
        pl.DataFrame(fit.state.history).write_csv(scratch)
    (folder / STATE_FILE).unlink(missing_ok=True)


def _device_name(compute: Compute) -> str:
    return torch.cuda.get_device_name() if compute.device == "cuda" else "cpu"
