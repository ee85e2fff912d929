"""Weights into a network: every tensor must fit, what is left over must be known, and what was done is counted."""

import re
from collections import Counter
from dataclasses import dataclass

from torch import Tensor, nn

from cxrbench.errors import WeightsError
from cxrbench.models.backbone import Backbone
from cxrbench.models.weights.names import CLASSIFIERS, PRETEXT, UNCOUNTED, Tensors, filtered, in_order, namings
from cxrbench.models.weights.reading import Contents

BY_ORDER = "order"


@dataclass(frozen=True)
class Fitted:
    """Weights that fill a backbone, in its own names.

    Attributes:
        tensors: Every parameter and statistic of it.
        notes: What had to be adapted, in words.
    """

    tensors: Tensors
    notes: tuple[str, ...]

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(value.numel() for value in self.tensors.values())


@dataclass(frozen=True)
class _Match:
    """One naming of a file's tensors beside what the network needs."""

    tensors: Tensors
    wanted: Tensors
    problem: str | None = None

    @property
    def absent(self) -> list[str]:
        return [name for name in self.wanted if name not in self.tensors]

    @property
    def others(self) -> list[str]:
        return [name for name in self.tensors if name not in self.wanted and not name.endswith(UNCOUNTED)]

    @property
    def found(self) -> int:
        return len(self.wanted) - len(self.absent)


def fit(contents: Contents, network: Backbone, *, ignore: tuple[str, ...] = (), names: str = "own") -> Fitted:
    """Return the weights of a file in a network's names and shapes.

    Args:
        contents: What the file holds.
        network: The three-channel form of a backbone; it stays as it is.
        ignore: Beginnings of the names of tensors that are not needed, beside last layers and pre-training's parts.
        names: ``own``: the file's names count; ``order``: the tensors' order does.

    Raises:
        WeightsError: A tensor is absent, has another shape or is left over; the message names the first.
    """
    inner: nn.Module = getattr(network, network.prefix.rstrip(".")) if network.prefix else network
    wanted = {name: value for name, value in inner.state_dict().items() if not name.endswith(UNCOUNTED)}
    by_order = names == BY_ORDER
    match = _ordered(contents, wanted) if by_order else _best(contents, inner, wanted)
    stem = network.first_conv.removeprefix(network.prefix)
    tensors, notes = _with_stem(match.tensors, wanted, stem)
    _require_fit(contents, _Match(tensors, wanted, match.problem), ignore=ignore, by_order=by_order)
    notes = [*contents.notes, *notes, *_said(match, by_order=by_order)]
    own = {f"{network.prefix}{name}": _as(tensors[name], wanted[name]) for name in wanted}
    return Fitted(own, tuple(notes))


def _as(value: Tensor, own: Tensor) -> Tensor:
    return (value.float() if own.is_floating_point() else value.to(own.dtype)).contiguous().clone()


def _best(contents: Contents, inner: nn.Module, wanted: Tensors) -> _Match:
    """Return the naming under which most of the network's tensors are found."""
    best: _Match | None = None
    for named in namings(contents.tensors, next(iter(wanted))):
        try:
            match = _Match(filtered(named, inner), wanted)
        except Exception as error:  # noqa: BLE001 - a filter of timm's may expect other files
            reason = " ".join(str(error).split())[:120]
            match = _Match(named, wanted, f"{type(error).__name__}: {reason}")
        if best is None or match.found > best.found:
            best = match
        if not match.absent and not match.problem:
            return match
    if best is None:
        raise ValueError("no naming to choose from")
    return best


def _ordered(contents: Contents, wanted: Tensors) -> _Match:
    if not contents.has_order:
        raise WeightsError(
            f"weights from {contents.source}: a .safetensors file is sorted by name, so names: order cannot match it; "
            "give the file that torch saved"
        )
    tensors = in_order(contents.tensors, wanted)
    if tensors is None:
        raise WeightsError(
            f"weights from {contents.source}: cannot be matched by order; {_first_disorder(contents.tensors, wanted)}"
            f"{_seems(contents.tensors)}"
        )
    for name, value in tensors.items():
        if name.endswith("running_var") and bool((value < 0).any()):
            raise WeightsError(
                f"weights from {contents.source}: by order, {name!r} would be a variance below 0; the order is another"
            )
    return _Match(tensors, wanted)


def _first_disorder(tensors: Tensors, wanted: Tensors) -> str:
    left = [(name, value) for name, value in tensors.items() if not name.endswith(UNCOUNTED)]
    for (theirs, value), (ours, own) in zip(left, wanted.items(), strict=False):
        if value.shape != own.shape or theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
            return f"{theirs!r} of shape {tuple(value.shape)} meets {ours!r} of shape {tuple(own.shape)}"
    return f"it holds {len(left)} tensors, the network needs {len(wanted)}"


def _with_stem(tensors: Tensors, wanted: Tensors, stem: str) -> tuple[Tensors, list[str]]:
    """Spread a one-channel first layer over three channels, so that repeated grey gives the same."""
    own, theirs = wanted.get(stem), tensors.get(stem)
    if own is None or theirs is None or theirs.ndim != 4 or (own.shape[1], theirs.shape[1]) != (3, 1):
        return tensors, []
    return {**tensors, stem: theirs.repeat(1, 3, 1, 1) / 3}, ["its one-channel first layer was spread over three"]


def _require_fit(contents: Contents, match: _Match, *, ignore: tuple[str, ...], by_order: bool) -> None:
    source, seems = f"weights from {contents.source}", _seems(contents.tensors)
    if match.problem:
        raise WeightsError(
            f"{source}: cannot be adapted to the network ({match.problem}){seems}; give weights of this "
            "network, or choose the input.image_size they were made for"
        )
    if match.absent:
        hint = "" if by_order or not contents.has_order else _order_hint(contents.tensors, match.wanted)
        raise WeightsError(
            f"{source}: {match.absent[0]!r} is absent{_more(match.absent)}{seems}; "
            f"{hint or 'give weights of this network'}"
        )
    for name, own in match.wanted.items():
        if (theirs := match.tensors[name]).shape != own.shape:
            raise WeightsError(f"{source}: {_misshapen(name, theirs, own)}{seems}")
    known = (*CLASSIFIERS, *PRETEXT, *ignore)
    if surplus := [name for name in match.others if not name.startswith(known)]:
        raise WeightsError(
            f"{source}: {surplus[0]!r}{_more(surplus)} is not in the network{seems}; "
            "give weights of this network, or if these are not needed name their beginning under ignore in "
            "network.weights"
        )


def _misshapen(name: str, theirs: Tensor, own: Tensor) -> str:
    shapes = f"{name!r} has shape {tuple(theirs.shape)}, the network needs {tuple(own.shape)}"
    if "pos" in name:
        return f"{shapes}; these positions cannot be resampled, choose the input.image_size they were made for"
    return (
        f"{shapes}; published weights fit networks of the published size, such as those of profile 'paper', "
        "others need --weights stand-in"
    )


def _order_hint(tensors: Tensors, wanted: Tensors) -> str:
    if in_order(tensors, wanted) is None:
        return ""
    return "but order and shapes fit: names: order in network.weights matches them so"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _said(match: _Match, *, by_order: bool) -> list[str]:
    """Return what was matched otherwise than by name, and what was left out."""
    notes = [f"{match.found} tensors were matched by order and shape, not by name"] if by_order else []
    if match.others:
        beginnings = Counter(f"{name.split('.')[0]}" for name in match.others)
        notes.append(f"left out: {', '.join(f'{name} ({count} tensors)' for name, count in beginnings.items())}")
    return notes


RESNETS: dict[tuple[int, ...], str] = {
    (2, 2, 2, 2): "ResNet-18",
    (3, 4, 2, 3): "ResNet-38",
    (3, 4, 6, 3): "ResNet-50",
    (3, 4, 23, 3): "ResNet-101",
    (3, 8, 36, 3): "ResNet-152",
}
"""By blocks per stage, as they are usually called."""


def _seems(tensors: Tensors) -> str:
    """Return what a file seems to be for, to stand in a message."""
    count = sum(1 for name in tensors if not name.endswith(UNCOUNTED))
    millions = sum(value.numel() for value in tensors.values()) / 1e6
    return f"; the file seems to be for {_network_of(tensors)} ({count} tensors, {millions:.1f} million numbers)"


def _network_of(tensors: Tensors) -> str:
    names = "\n".join(tensors)
    stages = tuple(_numbers(rf"layer{stage}", names) for stage in range(1, 5))
    if all(stages):
        has_bottlenecks = "layer1.0.conv3." in names
        known = RESNETS.get(stages, "a residual network") if has_bottlenecks or stages[2] == 2 else "a residual network"
        return f"{known}, {', '.join(map(str, stages))} blocks"
    if "denseblock1" in names:
        return "a DenseNet"
    if "attn" in names and (blocks := _numbers("(?:blocks|layers?|resblocks)", names)):
        return f"a transformer of {blocks} blocks"
    return "another network"


def _numbers(word: str, names: str) -> int:
    """Return how many numbers follow a word in the names."""
    return len(set(re.findall(rf"(?:^|\.){word}\.(\d+)\.", names, re.MULTILINE)))


def load_weights(network: Backbone, weights: Tensors) -> None:
    """Put weights into a network, in place; a network for one channel gets the sum over the three."""
    weights = dict(weights)
    first = network.first_conv
    if first in weights and weights[first].shape[1] == 3 and network.state_dict()[first].shape[1] == 1:
        weights[first] = weights[first].sum(dim=1, keepdim=True)
    absent, unknown = network.load_state_dict(weights, strict=False)
    absent = [name for name in absent if not name.endswith(UNCOUNTED)]
    if absent or unknown:
        raise ValueError(f"weights do not fit: absent {absent[:3]}, unknown {unknown[:3]}")
