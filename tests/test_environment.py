"""Versions and hardware; a torchvision that does not fit the installed PyTorch."""

import socket
import subprocess
import sys

import pytest

from cxrbench import environment
from cxrbench.environment import describe_environment

BROKEN = """
import torch

def require(name):
    if not torch._C._dispatch_has_kernel_for_dispatch_key(f"torchvision::{name}", "Meta"):
        torch._C._dispatch_find_schema_or_throw(f"torchvision::{name}", "")

require("nms")
require("qnms")
"""


def test_nobody_is_named():
    described = describe_environment(device="cpu", threads=3)
    assert described["threads"] == 3
    assert set(described) == {"python", "system", "processor", "cores", "threads", "device", "versions"}


def test_a_torchvision_without_its_operators_can_be_imported(tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(BROKEN)
    script = "import cxrbench.models, torchvision"
    for imported, code in (("import torchvision", 1), (script, 0)):
        call = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {imported}"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr


def test_a_free_port_is_one_that_nothing_has(monkeypatch):
    with socket.socket() as taken, socket.socket() as other:
        taken.bind((environment.LOCALHOST, environment.free_port()))
        monkeypatch.setattr(environment, "PORTS", [taken.getsockname()[1]] * 100)
        with pytest.raises(OSError, match="no port is free"):
            environment.free_port()
        monkeypatch.undo()
        other.bind((environment.LOCALHOST, environment.free_port()))
