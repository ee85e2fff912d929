"""A network in int8 through NNCF's post-training quantisation, calibrated on validation films.

Source: Jacob et al. 2018, doi:10.1109/CVPR.2018.00286; NNCF, doi:10.48550/arXiv.2002.08679.
"""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from cxrbench.export.own_films import OwnFilms
from cxrbench.predict.exported import FEATURES, FILM
from cxrbench.predict.runtimes import nncf_module, openvino_module

CALIBRATION_FILMS = 300
"""At most, of the validation part; NNCF's own default."""


def write_int8(onnx: Path, path: Path, own: OwnFilms, *, has_preprocessing: bool) -> tuple[Path, Path]:
    """Quantise an ONNX file's network and write it for OpenVINO.

    Args:
        onnx: The network in full precision.
        path: The description (``.xml``) to write; the weights (``.bin``) come beside it.
        own: Whose validation films show how large activations are; test films are never used.
        has_preprocessing: Whether the network takes films' squares.

    Raises:
        ConfigError: NNCF or OpenVINO is not installed.
    """
    nncf, openvino = nncf_module(), openvino_module()
    model = openvino.Core().read_model(str(onnx))
    names = [port.get_any_name() for port in model.inputs]
    items = [
        {name: one[name] for name in names} for one in calibration_inputs(own, has_preprocessing=has_preprocessing)
    ]
    # Attention keeps what it cannot do without in full precision; OpenVINO cannot run all of it in int8 either.
    has_attention = any(node.get_type_name() == "Softmax" for node in model.get_ops())
    kind = nncf.ModelType.TRANSFORMER if has_attention else None
    with redirect_stdout(io.StringIO()):  # its progress bars
        quantised = nncf.quantize(model, nncf.Dataset(items), subset_size=len(items), model_type=kind)
    openvino.save_model(quantised, str(path), compress_to_fp16=False)
    return path, path.with_suffix(".bin")


def calibration_inputs(own: OwnFilms, *, has_preprocessing: bool, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Inputs of single validation films, drawn at random where there are more than ``CALIBRATION_FILMS``."""
    images = own.told.validation.images
    chosen = np.random.default_rng(seed).permutation(images.height)[:CALIBRATION_FILMS]
    for sample in own.samples(images[np.sort(chosen).tolist()], batch_size=1):
        film, features = sample.for_export(own.member, has_preprocessing=has_preprocessing)
        yield {FILM: film, FEATURES: features}
