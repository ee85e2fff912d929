"""Heat maps: which parts of what the network sees speak for a finding.

Signs: a positive cell raises the finding's logit. ``cam`` and ``hires-cam`` and ``occlusion`` also have negative cells,
which lower it; ``grad-cam`` and ``layer-cam`` are never negative. Maps are not normalised.

The networks end in global average pooling and one linear layer. So at the last stage ``cam`` is exact: its mean is what
the image adds to the logit (a -meta approach's logit also has what the non-image features add, and every logit its
bias); ``hires-cam`` is ``cam`` and ``grad-cam`` its positive part of the channel-wise sum, up to a factor. What differs
is found at earlier stages, whose cells are finer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from cxrbench.errors import ConfigError
from cxrbench.models.classifier import Classifier

Method = Literal["cam", "grad-cam", "layer-cam", "hires-cam", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)
USUAL: tuple[Method, ...] = ("cam", "layer-cam")

STAGES = (1, 2, 3, 4)
"""Of the backbone; each has half the resolution of the one before it."""
FINE_CELLS = 8
"""Unless told otherwise, ``layer-cam`` and ``hires-cam`` read the last stage with as many cells along a side."""

OCCLUSION_CELLS = 14
"""Cells of occlusion's grid along a side; the patch that covers one is two cells wide and has it in its middle."""
OCCLUDED_AT_ONCE = 64
"""Occluded films per pass; bounds memory."""


@dataclass(frozen=True)
class Asked:
    """What is explained.

    Attributes:
        film: (B, 1, H, W) grey values in 0..1.
        features: (B, F) scaled.
        finding: Which output.
    """

    film: Tensor
    features: Tensor
    finding: int


def heat_maps(classifier: Classifier, asked: Asked, method: Method, *, stage: int | None = None) -> np.ndarray:
    """Raw maps (B, h, w) float32 of one finding, on the network's own grid over what it sees.

    Args:
        classifier: In evaluation mode.
        asked: Films, features and the finding.
        method: One of ``METHODS``.
        stage: Of the backbone, 1 to 4, for the methods that read a gradient; the others take no notice.

    Raises:
        ValueError: No such stage, or a network in training mode.
    """
    if classifier.training:
        raise ValueError("heat maps need a network in evaluation mode: batch statistics would mix the films")
    if stage is not None and stage not in STAGES:
        raise ValueError(f"the backbone has stages 1 to 4, not {stage}")
    if method == "occlusion":
        maps = occlusion(classifier, asked)
    elif method == "cam":
        maps = cam(classifier, asked)
    else:
        own = STAGES[-1] if method == "grad-cam" else fine_stage(classifier, asked.film.shape[-1])
        maps = POOLINGS[method](*activations(classifier, asked, stage=stage or own))
    return np.asarray(maps.float().cpu().numpy(), np.float32)


def checked_methods(names: Sequence[str] | None) -> tuple[Method, ...]:
    """Methods by name, each once; the usual ones for none.

    Raises:
        ConfigError: Unknown; the message lists the names.
    """
    chosen = dict.fromkeys(names or USUAL)
    if unknown := [name for name in chosen if name not in METHODS]:
        raise ConfigError(f"unknown method {unknown[0]!r}; valid names: {', '.join(METHODS)}")
    return tuple(method for method in METHODS if method in chosen)


def fine_stage(classifier: Classifier, image_size: int) -> int:
    """The last stage with ``FINE_CELLS`` cells or more along a side; the first where none has."""
    has_extra_pool = not isinstance(classifier.backbone.extra_pool, nn.Identity)
    cells = image_size // (64 if has_extra_pool else 32)  # of the last stage
    return next((stage for stage in STAGES[::-1] if cells << (STAGES[-1] - stage) >= FINE_CELLS), STAGES[0])


@torch.inference_mode()
def cam(classifier: Classifier, asked: Asked) -> Tensor:
    """Class activation maps (B, h, w), signed: their mean is what the image adds to the logit.

    Source: Zhou et al. 2016, doi:10.1109/CVPR.2016.319.
    """
    scores = classifier.head.score_maps(classifier.maps(asked.film))  # (B, L, h, w)
    if scores is None:
        raise ValueError("the network's head has no class activation maps")
    return scores[:, asked.finding]


def activations(classifier: Classifier, asked: Asked, *, stage: int) -> tuple[Tensor, Tensor]:
    """Output of a stage and the logit's gradient in it, each (B, C, h, w)."""
    kept: list[Tensor] = []
    hook = classifier.backbone.get_submodule(f"layer{stage}").register_forward_hook(
        lambda _module, _inputs, output: kept.append(output)
    )
    try:
        with torch.enable_grad():
            # The film asks for a gradient too: where the backbone is frozen nothing else would.
            logits = classifier(asked.film.detach().requires_grad_(), asked.features)
            (gradient,) = torch.autograd.grad(logits[:, asked.finding].sum(), kept[0])
    finally:
        hook.remove()
    return kept[0].detach(), gradient


def grad_cam(maps: Tensor, gradient: Tensor) -> Tensor:
    """Channels weighted by their mean gradient, positive part (B, h, w).

    Source: Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74.
    """
    return (maps * gradient.mean(dim=(2, 3), keepdim=True)).sum(dim=1).relu()


def layer_cam(maps: Tensor, gradient: Tensor) -> Tensor:
    """Each cell weighted by its own positive gradient (B, h, w); made for early stages.

    Source: Jiang et al. 2021, doi:10.1109/TIP.2021.3089943.
    """
    return (maps * gradient.relu()).sum(dim=1).relu()


def hires_cam(maps: Tensor, gradient: Tensor) -> Tensor:
    """Each cell weighted by its own gradient, signed (B, h, w).

    Source: Draelos and Carin 2020, doi:10.48550/arXiv.2011.08891.
    """
    return (maps * gradient).sum(dim=1)


POOLINGS: dict[Method, Callable[[Tensor, Tensor], Tensor]] = {
    "grad-cam": grad_cam,
    "layer-cam": layer_cam,
    "hires-cam": hires_cam,
}


@torch.inference_mode()
def occlusion(classifier: Classifier, asked: Asked) -> Tensor:
    """How far the logit falls when a patch takes the film's mean grey, cell by cell (B, n, n).

    It needs no gradient, but one pass of the network per cell.

    Source: Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53.
    """
    n = OCCLUSION_CELLS
    falls = torch.empty(len(asked.film), n * n)
    for row, (film, features) in enumerate(zip(asked.film, asked.features, strict=True)):
        whole = classifier(film[None], features[None])[0, asked.finding]
        hidden = torch.stack([_hidden(film, *divmod(cell, n)) for cell in range(n * n)])
        for chosen in torch.split(torch.arange(n * n), OCCLUDED_AT_ONCE):
            logits = classifier(hidden[chosen], features.expand(len(chosen), -1))[:, asked.finding]
            falls[row, chosen] = (whole - logits).cpu()
    return falls.reshape(-1, n, n)


def _hidden(film: Tensor, row: int, column: int) -> Tensor:
    """The film (1, H, W) with one patch covered; at the rim the patch is cut."""
    (top, bottom), (left, right) = (
        (max(0, round((cell - 0.5) * side / OCCLUSION_CELLS)), round((cell + 1.5) * side / OCCLUSION_CELLS))
        for cell, side in ((row, film.shape[1]), (column, film.shape[2]))
    )
    covered = film.clone()
    covered[:, top:bottom, left:right] = film.mean()
    return covered
