"""Make one run: parts, network, fit, predictions, records."""

from pathlib import Path

import polars as pl
import torch
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.config import AS_FITS_THE_MACHINE, ComputeSettings, RunConfig
from cxrbench.data.features import FeatureScaling
from cxrbench.data.store import Store
from cxrbench.environment import describe_environment, keep_memory_mapped
from cxrbench.files import atomic_file, write_json
from cxrbench.models.classifier import Classifier
from cxrbench.runs import CONFIG_FILE, ENVIRONMENT_FILE, HISTORY_FILE, RUN_HISTORY, WEIGHTS_FILE, predictions_file
from cxrbench.splits import Split
from cxrbench.training.compute import Compute, resolve
from cxrbench.training.distributed import train_together
from cxrbench.training.fit import STATE_FILE
from cxrbench.training.history import FitState, ReportStep, ignore_steps
from cxrbench.training.inference import predict, write_predictions
from cxrbench.training.job import Job
from cxrbench.training.parts import RunParts
from cxrbench.training.trainer import reproducible, train


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
    """Train, keep the best epoch, and write the run's files into ``folder``.

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
    job = Job(config=config, folder=folder, table=table, store=store, split=split, weights=weights, compute=resolved)
    with reproducible():
        state, parts, scaling = _trained(job, report)
        kept = _kept(config, folder)
        for name, part in (("val", parts.val), ("test", parts.test)):
            ids = table[split.rows(table, name)].select("image_id", "patient_id")
            logits = predict(kept, part, approach=config.approach)
            write_predictions(folder / predictions_file(name), ids, logits, config.findings)
    _write_records(job, state, scaling)


def _trained(job: Job, report: ReportStep) -> tuple[FitState, RunParts, FeatureScaling]:
    """Train to the end, and let go of network and optimiser: the device has their memory for predictions."""
    fit, scaling = job.begin()
    if not fit.is_finished:
        if job.compute.devices > 1:
            train_together(job, fit, report)
        else:
            train(fit, report)
    return fit.state, fit.parts, scaling


def _kept(config: RunConfig, folder: Path) -> Classifier:
    """The network of the epoch that was kept, as built: nothing that training was done with clings to it."""
    classifier = Classifier(config.approach, findings=len(config.findings))
    classifier.load_state_dict(load_file(folder / WEIGHTS_FILE))
    return classifier.to(memory_format=torch.channels_last)


def _write_records(job: Job, state: FitState, scaling: FeatureScaling) -> None:
    """Write configuration, environment and history, and delete what only resuming needed."""
    folder = job.folder
    write_json(folder / CONFIG_FILE, job.config.record() | {"feature_scaling": scaling.model_dump(mode="json")})
    seconds = sum(epoch["seconds"] for epoch in state.history)
    environment = describe_environment(device=_device_name(job.compute), threads=torch.get_num_threads())
    write_json(
        folder / ENVIRONMENT_FILE,
        environment | {"compute": job.compute.record(), "training_seconds": round(seconds, 3)},
    )
    with atomic_file(folder / HISTORY_FILE) as scratch:
        RUN_HISTORY.frame(state.rows()).write_csv(scratch)
    (folder / STATE_FILE).unlink(missing_ok=True)


def _device_name(compute: Compute) -> str:
    return torch.cuda.get_device_name() if compute.device == "cuda" else "cpu"
