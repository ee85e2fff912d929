"""A member's network -> ONNX and OpenVINO files."""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cxrbench.export.graph import BATCH, Exported
from cxrbench.predict.exported import FEATURES, FILM, LOGITS, TensorRecord
from cxrbench.predict.runtimes import openvino_module, optional_module

OPSET = 18
"""Of ONNX's operators; the first that torch's exporter writes without conversion, read by runtimes since 2023."""
EXAMPLES = 2
"""Films in the batch that the exporter follows; 1 would be taken for a constant."""


def write_onnx(module: Exported, inputs: tuple[TensorRecord, ...], path: Path, *, about: Mapping[str, Any]) -> None:
    """Write one network, its weights inside, any number of films at once.

    Args:
        module: What to write.
        inputs: What it takes.
        path: The file.
        about: What whoever has the file alone must know; kept as JSON in its metadata.

    Raises:
        ConfigError: ONNX or its exporter is not installed.
    """
    for needed in ("onnx", "onnxscript"):
        optional_module(needed)
    examples = tuple(_example(record) for record in inputs)
    batch = torch.export.Dim(BATCH)
    names = [record.name for record in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about its own insides
        logging.getLogger("onnxscript").setLevel(logging.ERROR)  # likewise
        program = torch.onnx.export(
            module,
            examples,
            input_names=names,
            output_names=[LOGITS],
            opset_version=OPSET,
            dynamic_shapes={name: {0: batch} for name in (FILM, FEATURES)[: len(names)]},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program; it does when dynamo=True")
    _forget_machine(program.model)
    program.model.metadata_props.update({key: json.dumps(value, ensure_ascii=False) for key, value in about.items()})
    program.save(path, external_data=False)


def write_openvino(onnx: Path, path: Path) -> tuple[Path, Path]:
    """Convert an ONNX file, weights in full precision.

    Returns:
        The description (``.xml``) and the weights (``.bin``) beside it.

    Raises:
        ConfigError: OpenVINO is not installed.
    """
    openvino = openvino_module()
    model = openvino.Core().read_model(str(onnx))
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path, path.with_suffix(".bin")


def _example(record: TensorRecord) -> torch.Tensor:
    rest = [side for side in record.shape[1:] if isinstance(side, int)]
    return torch.zeros((EXAMPLES, *rest), dtype=getattr(torch, record.type))


def _forget_machine(model: Any) -> None:
    """Take out what the exporter notes of the source code: it holds paths of the machine that exports."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
