"""The machine a run is on: versions, hardware, threads, ports."""

import ctypes
import multiprocessing
import os
import platform
import random
import socket
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

PACKAGES = ("cxrbench", "torch", "timm", "numpy", "opencv-python-headless", "polars", "pydicom", "scipy")

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Names of glibc's mallopt(3)."""
LARGEST_INT = 2**31 - 1
PATIENCE = {"GOMP_SPINCOUNT": "10000"}
"""How many looks a thread of OpenMP that waits for others takes before it sleeps. As OpenMP comes they are so many that
whoever shares the cores starves; without any, small networks take twice as long (``benchmarks/waiting_threads.py``)."""
TOP_PAD_BYTES = 256 * 2**20
LOCALHOST = "127.0.0.1"
PORTS = range(10_000, 32_000)
"""Below those that systems give to outgoing connections, which may take a port between its choice and its use."""


def describe_environment(*, device: str, threads: int) -> dict[str, object]:
    """Versions and hardware as a JSON value; no host or user names."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": threads,
        "device": device,
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def free_port() -> int:
    """A port of this machine that nothing listens on now.

    Raises:
        OSError: None was found.
    """
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as one, suppress(OSError):
            one.bind((LOCALHOST, port))
            return port
    raise OSError("no port is free")


def share_cores() -> None:
    """Have threads that wait spin for a moment only, unless the user has said otherwise; before torch is loaded."""
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)


def make_torchvision_importable() -> None:
    """Let timm import a torchvision whose compiled operators do not fit the installed PyTorch.

    So it is with a PyTorch for CPUs only beside a torchvision built for CUDA. Nothing here uses its operators, but it
    stops where it describes two that it does not find; they are declared, without a body.
    """
    import torch  # noqa: PLC0415 - reports are made without it

    try:
        import torchvision  # type: ignore[import-untyped] # noqa: F401, PLC0415
    except ImportError:
        return  # what needs it will say so
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor boxes) -> Tensor")
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_memory_mapped() -> bool:
    """Have glibc keep large blocks after they are freed, for the rest of this process.

    Else every activation, and every decoded film, is mapped, zeroed page by page and unmapped anew. Whether it worked.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: LARGEST_INT, M_TOP_PAD: TOP_PAD_BYTES}
    return [mallopt(option, value) for option, value in wanted.items()] == [1] * len(wanted)


def follow_parent() -> None:
    """End this process when its parent was killed: it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
