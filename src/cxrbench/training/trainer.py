"""Lightning's trainer, as a fit needs it."""

import logging
import warnings
from typing import Any, Literal

import lightning.pytorch as lightning
import torch
from lightning.pytorch.strategies import Strategy

from cxrbench.training.fit import Fit
from cxrbench.training.state import ReportStep, Step


class _Reporter(lightning.Callback):
    """Hands each batch's progress on."""

    def __init__(self, report: ReportStep) -> None:
        self.report = report

    def on_train_batch_end(self, trainer: lightning.Trainer, fit: lightning.LightningModule, *args: Any) -> None:
        share = args[-1]
        if not isinstance(fit, Fit) or (share + 1) % fit.sharing.accumulate:
            return
        val_loss = fit.state.history[-1]["val_loss"] if fit.state.history else None
        batch, batches = ((number // fit.sharing.accumulate) for number in (share, int(trainer.num_training_batches)))
        self.report(Step(fit.state.epochs_done, fit.recipe.epochs, batch + 1, batches, val_loss))


def train(fit: Fit, report: ReportStep, *, strategy: Strategy | Literal["auto"] = "auto") -> None:
    """Train from the epoch that the fit is at to its end.

    Args:
        fit: What is trained; its state and its best weights are on disk after every epoch.
        report: Called after every batch.
        strategy: How several processes go about it.
    """
    compute = fit.compute
    if compute.compile is not None:
        torch.compiler.reset()  # of earlier runs in this process: after some networks, it would compile no other
        fit.classifier.compile(mode=compute.compile)
    # With deterministic kernels PyTorch fills all memory that it takes, which costs time and helps only to find errors.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # it announces hardware and products
    with warnings.catch_warnings():
        # Lightning advises DataLoader workers; batches come from the store without any.
        warnings.filterwarnings("ignore", category=UserWarning, module="lightning")
        # Lightning 2.6 uses a name that torch 2.15 is about to drop.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec")
        trainer = lightning.Trainer(
            accelerator="gpu" if compute.device == "cuda" else "cpu",
            devices=compute.devices,
            strategy=strategy,
            sync_batchnorm=compute.device == "cuda" and compute.devices > 1,
            precision=compute.lightning_precision,
            accumulate_grad_batches=compute.accumulate,
            max_epochs=fit.recipe.epochs - fit.state.epochs_done,
            deterministic=True,
            logger=False,
            callbacks=[_Reporter(report)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,  # the batches share themselves
        )
        try:
            trainer.fit(fit)
        except SystemExit as stop:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from stop
