"""The training loop: batches forward and backward, a step of the optimiser, a validation after each epoch."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cxrbench.config import Approach
from cxrbench.errors import TrainingError
from cxrbench.models.classifier import Classifier
from cxrbench.training.fit import Fit
from cxrbench.training.history import ReportStep
from cxrbench.training.inference import scorer
from cxrbench.training.validation import over_devices, validate

EXPLODED = 1e4
"""A mean cross-entropy above this means logits in the ten thousands: the fit is lost."""
LOSS_CHECK_EVERY = 32
"""Batches between looks at the training losses; looking at each would wait for the device each time."""
CUBLAS_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""Without this workspace cuBLAS may add in another order each time, and PyTorch refuses to call it.

Source: https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility
"""
_SAYS_SYNC = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
_EQUAL_BUFFERS: dict[str, Any] = {"forward_sync_buffers" if _SAYS_SYNC else "broadcast_buffers": False}
"""Buffers are not sent around, in the words of this PyTorch: batch norm is synchronised, or frozen."""


def train(fit: Fit, report: ReportStep) -> None:
    """Train from the epoch that the fit is at to its end.

    Where several devices share the batches, each of their processes calls this within one process group.

    Args:
        fit: Network and optimiser; its state and its best weights are on disk after every epoch.
        report: Called after every batch.

    Raises:
        TrainingError: A loss is not finite or exploded.
    """
    with reproducible():
        while not fit.is_finished:
            train_phase(fit, prepare(fit), report)


def train_phase(fit: Fit, network: nn.Module, report: ReportStep) -> None:
    """Train to the end of the phase that the fit is in."""
    phase = fit.state.phase
    while fit.state.phase == phase:
        started = time.perf_counter()
        with _own_randomness(fit):
            train_loss = train_epoch(fit, network, report)
        verdict = validate(fit)
        fit.end_epoch(train_loss=train_loss, verdict=verdict, seconds=time.perf_counter() - started)


def train_epoch(fit: Fit, network: nn.Module, report: ReportStep) -> float:
    """Train on each batch of the next epoch, and return the mean of their losses."""
    accumulate, batches = fit.sharing.accumulate, fit.training_batches()
    losses, shares = _Losses(fit), iter(batches)
    fit.classifier.train()
    fit.loss.train()
    with torch.enable_grad():
        for batch in range(len(batches) // accumulate):
            if fit.recipe.dropout_from == "batch":
                _seed(fit, batch + 1)
            fit.optimiser.zero_grad()
            for share, (film, features, targets, weight) in enumerate(islice(shares, accumulate), start=1):
                with _gradients_shared(network, is_last=share == accumulate):
                    with fit.compute.autocast():
                        loss = fit.loss(network(film, features), targets) * weight
                    losses.add(loss.detach())
                    (loss / accumulate).backward()
            fit.update(batch)
            report(fit.step(batch=batch, batches=len(batches) // accumulate))
    fit.optimiser.zero_grad()  # gradients take no memory during validation
    return losses.mean()


@contextmanager
def _own_randomness(fit: Fit) -> Iterator[None]:
    """Let dropout and drop path depend on seed and epoch alone: a resumed run draws what an undisturbed one does."""
    with torch.random.fork_rng(devices=[fit.device] if fit.device.type == "cuda" else []):
        _seed(fit)
        yield


def _seed(fit: Fit, *more: int) -> None:
    """Seed what is drawn next by seed, epoch and ``more``; processes that share the batches each draw their own."""
    drawn = np.random.SeedSequence([fit.config.seed, fit.state.epochs_done, fit.sharing.rank, *more])
    torch.manual_seed(int(drawn.generate_state(1)[0]))


def prepare(fit: Fit) -> nn.Module:
    """Return the network as the loop calls it: compiled if asked for, its gradients averaged over the processes."""
    compute = fit.compute
    if compute.compile is not None:
        torch.compiler.reset()  # of earlier runs in this process: after some networks, it would compile no other
        fit.classifier.compile(mode=compute.compile)
    network = _Scorer(fit.classifier, fit.config.approach)
    if compute.devices == 1:
        return network
    if fit.device.type == "cpu":
        return DistributedDataParallel(network, **_EQUAL_BUFFERS)
    fit.classifier.synchronise_batch_norm()
    return DistributedDataParallel(network, device_ids=[fit.device.index], **_EQUAL_BUFFERS)


class _Scorer(nn.Module):
    """The classifier as its approach calls it, in the form that several devices share."""

    def __init__(self, classifier: Classifier, approach: Approach) -> None:
        super().__init__()
        self.classifier = classifier
        self.approach = approach

    def forward(self, film: Tensor, features: Tensor) -> Tensor:
        """Map films, or their cached pooled features, and non-image features to logits (B, L)."""
        return scorer(self.classifier, self.approach)(film, features)


def _gradients_shared(network: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """Have several devices add up their gradients only in the last part of a batch."""
    if isinstance(network, DistributedDataParallel) and not is_last:
        return network.no_sync()
    return nullcontext()


class _Losses:
    """Losses of an epoch's batches, left on the device until there are enough to look at."""

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._pending: list[Tensor] = []
        self._seen: list[float] = []

    def add(self, loss: Tensor) -> None:
        """Take the loss of a batch, or of a share of it."""
        self._pending.append(loss)
        if len(self._pending) == LOSS_CHECK_EVERY * self._fit.sharing.accumulate:
            self._look()

    def mean(self) -> float:
        """Return the mean over the batches."""
        if self._pending:
            self._look()
        return float(np.mean(self._seen))

    def _look(self) -> None:
        """Fetch what is pending, and stop a fit that is lost."""
        sharing = self._fit.sharing
        shares = over_devices(torch.stack(self._pending), sharing.devices).reshape(-1, sharing.accumulate)
        losses = (shares.sum(dim=1) / sharing.shares).tolist()  # one per batch
        self._pending = []
        for batch, loss in enumerate(losses, start=len(self._seen)):
            if not loss < EXPLODED:  # also true of NaN
                raise TrainingError(
                    f"training loss is {loss:g} in epoch {self._fit.state.epochs_done}, batch {batch} "
                    f"(learning rate {self._fit.learning_rate:g}); lower the learning rate of the recipe"
                )
        self._seen += losses


@contextmanager
def reproducible() -> Iterator[None]:
    """Use deterministic kernels, and leave the process's switches as they were."""
    is_asked, is_lenient = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    is_tuned = torch.backends.cudnn.benchmark
    is_filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    name, wanted = CUBLAS_WORKSPACE
    workspace = os.environ.get(name)
    try:
        os.environ[name] = wanted
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        # PyTorch would fill all memory that it takes, which costs time and helps only to find errors.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = is_filled  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = is_tuned
        torch.use_deterministic_algorithms(is_asked, warn_only=is_lenient)
        if workspace is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = workspace
