"""What a run ran on: versions, hardware, threads."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ("cxrbench", "torch", "lightning", "timm", "numpy", "opencv-python-headless", "polars", "pydicom", "scipy")


def describe_environment() -> dict[str, object]:
    """Versions, hardware and threads as a JSON value; no host or user names."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
