"""What the tests share: the real sample, where there is one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a real data set by name; the test skips where it is not at hand."""
    folder = Path(os.environ.get("CXRBENCH_SHARED", ROOT.parent / "shared"))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"needs {name} under CXRBENCH_SHARED ({folder}), which is absent")
        return folder / name

    return find
