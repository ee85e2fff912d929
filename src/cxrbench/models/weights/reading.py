"""Files of weights: one table of named tensors out of whatever a training script wrote, and nothing executed."""

import argparse
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.config import HUB, STAND_IN
from cxrbench.errors import WeightsError

TABLES = ("state_dict", "model", "teacher", "student", "model_state_dict", "module", "net", "network", "model_ema")
"""Where scripts keep the network in a file that holds more, best first."""

SAFETENSORS = ".safetensors"

# What scripts keep beside the tensors: plain records and numbers, whose construction runs no code of the file's.
HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(each for name, each in vars(np.dtypes).items() if name.endswith("DType")),
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),  # type: ignore[attr-defined]
]


@dataclass(frozen=True)
class Contents:
    """What a file of weights holds.

    Attributes:
        source: The file, or whatever else the tensors came from, for messages.
        tensors: By the names that the file gives them, in its order.
        has_order: The order is the network's; safetensors files are sorted by name.
        notes: Which part of the file they are, where it has several.
    """

    source: str
    tensors: dict[str, Tensor]
    has_order: bool = True
    notes: tuple[str, ...] = ()


def read_weights(path: Path, *, table: str | None = None) -> Contents:
    """Read the tensors of a weights file; nothing in it is executed.

    Args:
        path: A ``.safetensors`` file, or one that torch saved.
        table: Key of the table to take from a file that holds several; None: the first of ``TABLES``.

    Raises:
        WeightsError: No such file, no weights in it, or none that can be read safely.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; give a .safetensors or .pth file, {HUB!r} or {STAND_IN!r}")
    found = _loaded(path)
    chosen, at, others = _table(found, table, where=path)
    notes = [f"the file's {' / '.join(at)} was taken"] if at else []
    notes += [f"it also holds {', '.join(others)}; name one under table to take that"] if others and not table else []
    tensors = {str(name): value for name, value in chosen.items() if isinstance(value, Tensor)}
    return Contents(str(path), tensors, has_order=path.suffix != SAFETENSORS, notes=tuple(notes))


def _loaded(path: Path) -> Any:
    try:
        if path.suffix == SAFETENSORS:
            return load_file(path)
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: not a file of weights that can be read safely ({_refused(error)})") from None
    except (safetensors.SafetensorError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{path}: not a file of weights that can be read safely ({reason})") from None


def _refused(error: pickle.UnpicklingError) -> str:
    """Return what torch would not build, on one line."""
    said = " ".join(str(error).split())
    _, found, rest = said.partition("Unsupported global: GLOBAL ")
    if not found:
        return said[:120]
    return (
        f"it holds Python objects, {rest.split()[0]}; save the network's state_dict() alone, where you trust the file"
    )


def _table(found: Any, name: str | None, *, where: Path) -> tuple[Mapping[Any, Any], tuple[str, ...], list[str]]:
    """Return the table of tensors, the keys that lead to it, and the keys of other tables beside it."""
    if _is_table(found) and name is None:
        return found, (), []
    nested = {str(key): each for key, each in found.items() if isinstance(each, Mapping)} if _is_map(found) else {}
    if name is not None and name not in nested:
        raise WeightsError(f"{where}: has no table {name!r}; it holds {_listed(found)}")
    key = name or next((each for each in TABLES if each in nested), None)
    if key is None:
        raise WeightsError(f"{where}: holds no table of named tensors; it holds {_listed(found)}")
    chosen, deeper, _ = _table(nested[key], None, where=where)
    others = [each for each, value in nested.items() if each != key and _is_table(value)]
    return chosen, (key, *deeper), others


def _is_map(found: Any) -> bool:
    return isinstance(found, Mapping)


def _is_table(found: Any) -> bool:
    """Return whether tensors stand in a mapping by name; numbers and words may stand among them."""
    if not isinstance(found, Mapping):
        return False
    plain = all(isinstance(value, Tensor | int | float | str | None) for value in found.values())
    return plain and any(isinstance(value, Tensor) for value in found.values())


def _listed(found: Any) -> str:
    if not isinstance(found, Mapping):
        return f"a {type(found).__name__}"
    return ", ".join(str(key) for key in list(found)[:8]) or "nothing"
