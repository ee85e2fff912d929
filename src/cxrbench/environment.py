"""The machine a run is on: versions, hardware, threads, ports."""

import ctypes
import multiprocessing
import os
import platform
import random
import socket
import subprocess
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


def source_commit() -> str:
    """Commit of the checkout that the package runs from; empty where it was installed otherwise."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


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
