"""Fit one run: an approach, on a split, from a seed; the only room for Lightning.

Order and augmentation of the batches are a pure function of seed and epoch, and after every epoch the whole
state of the fit is on disk, so a run that was stopped goes on as if it had not been.
"""

from cxrbench.environment import make_torchvision_importable

make_torchvision_importable()  # before Lightning is imported

from cxrbench.training.compute import GpuSeat, gpu_seats  # noqa: E402
from cxrbench.training.fit import STATE_FILE, epochs_done  # noqa: E402
from cxrbench.training.run import fit_run  # noqa: E402
from cxrbench.training.state import ReportStep, Step, ignore_steps  # noqa: E402

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
