"""Where a benchmark ran: written beside every result."""

import platform
from pathlib import Path

import numpy
import scipy


def describe_machine() -> dict[str, str]:
    """Processor and versions."""
    return {
        "processor": _processor(),
        "system": platform.system(),
        "Python": platform.python_version(),
        "NumPy": numpy.__version__,
        "SciPy": scipy.__version__,
    }


def _processor() -> str:
    """Model name, as the kernel tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line.split(":", 1)[1].strip() for line in information.read_text().splitlines() if "model name" in line]
        if names:
            return f"{names[0]}, {len(names)} cores visible"
    return platform.processor() or platform.machine()
