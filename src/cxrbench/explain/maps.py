"""Heat maps: which parts of what the network sees speak for a finding.

Signs: a positive cell raises the finding's logit. ``cam`` and ``hires-cam`` and ``occlusion`` also have negative cells,
which lower it; ``grad-cam`` and ``layer-cam`` are never negative. Maps are not normalised.

``cam`` is given only where it is what it says: for networks that end in the plain mean of their maps and one linear
layer its mean is what the image adds to the logit (a -meta approach's logit also has what the non-image features add,
and every logit its bias); ``csra`` heads define it as the score of each place. For the former ``hires-cam`` at the last
maps is ``cam`` and ``grad-cam`` its positive part of the channel-wise sum, up to a factor. What differs is found at
earlier stages, whose cells are finer.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from cxrbench.errors import ConfigError
from cxrbench.explain.activations import Asked, activations, fine_stage, stage_layers
from cxrbench.models.backbone import Backbone
from cxrbench.models.classifier import Classifier

Method = Literal["cam", "grad-cam", "layer-cam", "hires-cam", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)
USUAL: tuple[Method, ...] = ("cam", "layer-cam")
USUAL_WITHOUT_CAM: tuple[Method, ...] = ("grad-cam", "layer-cam")

NO_SCORES = "its head gives no score at each place"
NO_MEAN = "its pooling is not the plain mean of its maps"
CAM_TOLERANCE = 1e-4
"""Share of a map's mean size by which its mean may miss the image's part of the logit."""

OCCLUSION_CELLS = 14
"""Cells of occlusion's grid along a side; the patch that covers one is two cells wide and has it in its middle."""
OCCLUDED_AT_ONCE = 64
"""Occluded films per pass; bounds memory."""


def heat_maps(classifier: Classifier, asked: Asked, method: Method, *, stage: int | None = None) -> np.ndarray:
    """Raw maps (B, h, w) float32 of one finding, on the network's own grid over what it sees.

    Args:
        classifier: In evaluation mode.
        asked: Films, features and the finding.
        method: One of ``METHODS``.
        stage: Of the backbone, 1 the shallowest, for the methods that read a gradient; None: each method's own.

    Raises:
        ConfigError: No such stage, or a method that the network does not have; the message lists those that work.
        ValueError: A network in training mode.
    """
    if classifier.training:
        raise ValueError("heat maps need a network in evaluation mode: batch statistics would mix the films")
    if method == "occlusion":
        maps = occlusion(classifier, asked)
    elif method == "cam":
        maps = cam(classifier, asked)
    else:
        maps = POOLINGS[method](*_activations(classifier, asked, method, stage))
    return np.asarray(maps.float().cpu().numpy(), np.float32)


def default_stage(backbone: Backbone, method: Method, image_size: int) -> int:
    """Return the stage that a gradient method reads where none is asked for: the last, or the last fine one."""
    if method == "grad-cam" or not backbone.has_fine_stages:
        return len(stage_layers(backbone))
    return fine_stage(backbone, image_size)


def _activations(classifier: Classifier, asked: Asked, method: Method, stage: int | None) -> tuple[Tensor, Tensor]:
    """Return maps and gradients at the stage asked for, or at the method's own."""
    if stage is None:
        stage = default_stage(classifier.backbone, method, asked.film.shape[-1])
    return activations(classifier, asked, stage=stage)


def checked_methods(names: Sequence[str] | None) -> tuple[Method, ...]:
    """Return methods by name, each once; for none an empty tuple, which stands for a network's usual ones.

    Raises:
        ConfigError: Unknown; the message lists the names.
    """
    chosen = dict.fromkeys(names or ())
    if unknown := [name for name in chosen if name not in METHODS]:
        raise ConfigError(f"unknown method {unknown[0]!r}; valid names: {', '.join(METHODS)}")
    return tuple(method for method in METHODS if method in chosen)


def answered_methods(asked: Sequence[Method], cam_problem: str | None) -> tuple[Method, ...]:
    """Return the methods asked for; for none the usual ones that the network answers.

    Args:
        asked: As ``checked_methods`` gives them.
        cam_problem: Of the network, as ``cam_problem`` gives it.

    Raises:
        ConfigError: The network refuses one of them; the message lists those that work.
    """
    if cam_problem is None:
        return tuple(asked) or USUAL
    if "cam" in asked:
        raise _refused(cam_problem)
    return tuple(asked) or USUAL_WITHOUT_CAM


@torch.inference_mode()
def cam_problem(classifier: Classifier, *, image_size: int) -> str | None:
    """Return why a network has no class activation maps, in a few words; None where it has.

    Args:
        classifier: In evaluation mode.
        image_size: Side of its input, pixels.
    """
    backbone, head = classifier.backbone, classifier.head
    if head.score_map(classifier.mean.new_zeros(1, backbone.channels, 1, 1), 0) is None:
        return NO_SCORES
    if head.takes == "maps" or backbone.has_mean_pooling:
        return None
    film = torch.rand(1, 1, image_size, image_size, generator=torch.Generator().manual_seed(0))
    encoded = classifier.encode(film.to(classifier.mean.device))
    pooled, mean = backbone.pool(encoded), backbone.maps(encoded).mean(dim=(2, 3))
    is_mean = pooled.shape == mean.shape and torch.allclose(pooled, mean, rtol=CAM_TOLERANCE, atol=1e-6)
    return None if is_mean else NO_MEAN


def _refused(problem: str) -> ConfigError:
    others = ", ".join(method for method in METHODS if method != "cam")
    return ConfigError(f"the network has no class activation maps (cam): {problem}; methods that work: {others}")


@torch.inference_mode()
def cam(classifier: Classifier, asked: Asked) -> Tensor:
    """Class activation maps (B, h, w), signed: their mean is what the image adds to the logit.

    Of a head over maps, such as ``csra``, they are its score of each place instead.

    Source: Zhou et al. 2016, doi:10.1109/CVPR.2016.319.

    Raises:
        ConfigError: The network has none, or on these films the mean is not what the image adds.
    """
    encoded = classifier.encode(asked.film)
    maps = classifier.head.score_map(classifier.backbone.maps(encoded), asked.finding)  # (B, h, w)
    if maps is None:
        raise _refused(NO_SCORES)
    if classifier.head.takes == "pooled" and not _has_mean(maps, classifier, encoded, asked):
        raise _refused(NO_MEAN)
    return maps


def _has_mean(maps: Tensor, classifier: Classifier, encoded: Tensor, asked: Asked) -> bool:
    """Return whether the means (B,) of the maps are what the image adds to the logits: without it the rest remains."""
    pooled = classifier.backbone.pool(encoded)
    logits, rest = (classifier.head(image, asked.features)[:, asked.finding] for image in (pooled, 0 * pooled))
    miss = (maps.mean(dim=(1, 2)) + rest - logits).abs()
    rounding = 1e-6 * (logits.abs() + rest.abs())
    return not (miss > CAM_TOLERANCE * maps.abs().mean(dim=(1, 2)) + rounding).any()


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
