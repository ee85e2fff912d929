"""Fit one run: an approach, on a split, from a seed.

Order and augmentation of the batches are a pure function of seed and epoch, and after every epoch the whole
state of the fit is on disk, so a run that was stopped goes on as if it had not been.
"""

from cxrbench.training.compute import GpuSeat, gpu_seats
from cxrbench.training.fit import STATE_FILE, epochs_done
from cxrbench.training.history import ReportStep, Step, ignore_steps
from cxrbench.training.run import fit_run

__all__ = [
    "STATE_FILE",
    "GpuSeat",
    "ReportStep",
    "Step",
    "epochs_done",
    "fit_run",
    "gpu_seats",
    "ignore_steps",
]
