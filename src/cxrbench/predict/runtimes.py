"""Exported networks at work: ONNX Runtime and OpenVINO, in single precision on the CPU."""

import logging
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxrbench.environment import usable_cores
from cxrbench.errors import ConfigError
from cxrbench.predict.exported import FEATURES, FILM

Logits = NDArray[np.float32]


class OnnxNetwork:
    """One network in ONNX Runtime; arrays in, logits out."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            ConfigError: ONNX Runtime is not installed.
        """
        runtime = optional_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        # Spinning threads starve each other where others use the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [each.name for each in self._session.get_inputs()]

    def __call__(self, films: NDArray[Any], features: NDArray[np.float32]) -> Logits:
        """Films (B, ...) and features (B, F), as the network was exported to take them -> logits (B, L)."""
        given = {FILM: films, FEATURES: features}
        logits: Logits = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        return logits


class OpenVinoNetwork:
    """One network in OpenVINO; arrays in, logits out."""

    def __init__(self, path: Path) -> None:
        """Open and compile a file.

        Raises:
            ConfigError: OpenVINO is not installed.
        """
        # Left to itself it computes in bfloat16 where the processor can, and ties its own threads to cores: where the
        # thread that asks happens to run on one of those, both halves of the work wait for the same core.
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": usable_cores(),
            "ENABLE_CPU_PINNING": False,
        }
        self._model = openvino_module().Core().compile_model(str(path), "CPU", options)
        names = {name for port in self._model.inputs for name in port.get_names()}
        self._inputs = [name for name in (FILM, FEATURES) if name in names]

    def __call__(self, films: NDArray[Any], features: NDArray[np.float32]) -> Logits:
        """Films (B, ...) and features (B, F), as the network was exported to take them -> logits (B, L)."""
        given = {FILM: films, FEATURES: features}
        logits: Logits = self._model({name: given[name] for name in self._inputs})[0]
        return logits


def optional_module(name: str) -> ModuleType:
    """A module of the extra ``export``.

    Raises:
        ConfigError: It is not installed; the message says how to.
    """
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(f"this needs {name}: pip install 'cxrbench[export]'") from None


def openvino_module() -> ModuleType:
    """OpenVINO, which would report its mere import to its maker: what reads patients' films reports nothing.

    Raises:
        ConfigError: It is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # then OpenVINO takes its own stub
    return optional_module("openvino")


def nncf_module() -> ModuleType:
    """NNCF, likewise: where it does not find OpenVINO's telemetry it reports nothing either.

    Raises:
        ConfigError: It, or OpenVINO, is not installed.
    """
    openvino_module()
    nncf = optional_module("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf
