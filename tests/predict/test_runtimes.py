"""Other runtimes are opened quietly, or their package is named."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from cxrbench.errors import ConfigError
from cxrbench.predict.runtimes import optional_module


def test_a_package_that_is_absent_is_named():
    with pytest.raises(ConfigError, match=r"this needs no_such_runtime: pip install 'cxrbench\[export\]'"):
        optional_module("no_such_runtime")


@pytest.mark.parametrize("module", ["openvino", "nncf"])
def test_nothing_is_reported_to_the_maker(tmp_path, module):
    """Imported as it is, it makes an identity for this user in the home folder, and sends that it was imported."""
    if find_spec(module) is None:
        pytest.skip(f"needs {module}: pip install 'cxrbench[export]'")
    script = (
        f"import sys; from cxrbench.predict.runtimes import {module}_module; {module}_module();"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    )
    # It sends nothing where it believes to be tested, and nothing from a home folder that it cannot find.
    told = {key: value for key, value in os.environ.items() if key not in {"CI", "TF_BUILD", "JENKINS_URL"}}
    done = subprocess.run(
        [sys.executable, "-c", script], env=told | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert not list(tmp_path.iterdir())
