"""Where gradient methods read a network: its layers as stages, their maps, and the logit's gradient in them.

Stage 1 is the backbone's shallowest layer. No layer is known by name: a backbone says which it has.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from cxrbench.errors import ConfigError
from cxrbench.models.backbone import Backbone, Layer
from cxrbench.models.classifier import Classifier

FINE_CELLS = 8
"""Cells along a side that a fine stage has at least."""


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


def stage_layers(backbone: Backbone) -> tuple[Layer, ...]:
    """Return the layers of all stages, shallow to deep.

    A backbone that names none, or none that it has (timm's of MViT), is read at its last maps.
    """
    modules = {name for name, _ in backbone.named_modules()}
    found = tuple(layer for layer in backbone.layers if layer.module in modules)
    return found or (Layer("", backbone.channels, backbone.multiple),)


def check_stage(backbone: Backbone, stage: int) -> None:
    """Refuse a stage that the backbone does not have.

    Raises:
        ConfigError: The message says which it has.
    """
    last = len(stage_layers(backbone))
    if not 1 <= stage <= last:
        raise ConfigError(f"no stage {stage}: the network has stages 1 to {last}; choose one of them")


def fine_stage(backbone: Backbone, image_size: int) -> int:
    """Return the last stage with ``FINE_CELLS`` cells or more along a side; where none has, the last of the finest."""
    cells = [image_size // layer.stride for layer in stage_layers(backbone)]
    enough = min(FINE_CELLS, max(cells))
    return max(stage for stage, count in enumerate(cells, start=1) if count >= enough)


def activations(classifier: Classifier, asked: Asked, *, stage: int) -> tuple[Tensor, Tensor]:
    """Return a stage's maps and the logit's gradient in them, each (B, C, h, w).

    Where the logit does not hang on the places of the stage (a class token alone is read of the last block), they are
    those of the stage before it.

    Where a layer norm alone takes the places of the stage, they are read behind it. It does not see how large the
    values of a place are, so before it values times gradients add up to zero at each place, whatever that says; behind
    it they are what the place adds.

    Raises:
        ConfigError: No such stage, or it gives neither maps nor a square grid of tokens.
    """
    check_stage(classifier.backbone, stage)
    layers = stage_layers(classifier.backbone)
    is_bypassed = bool(classifier.backbone.prefix_tokens) and stage > 1  # possibly; only the gradient tells
    read = _read(classifier, asked, layers[stage - 2 if is_bypassed else stage - 1 : stage])
    return next((pair for pair in reversed(read) if pair[1].any()), read[-1])


def _read(classifier: Classifier, asked: Asked, layers: Sequence[Layer]) -> list[tuple[Tensor, Tensor]]:
    """Maps and gradients of some layers, from one pass forwards and one backwards."""
    backbone = classifier.backbone
    with torch.enable_grad(), _outputs(backbone, layers) as kept:
        # The film asks for a gradient too: where the backbone is frozen nothing else would.
        logits = classifier(asked.film.detach().requires_grad_(), asked.features)
        if lacking := [layer.module for layer in layers if layer not in kept]:
            raise ConfigError(f"layer {lacking[0]} gives nothing when the network runs; no map can be read there")
        outputs = [each for layer in layers for each in kept[layer]]
        logit, has_norms = logits[:, asked.finding].sum(), len(outputs) > len(layers)
        found = torch.autograd.grad(logit, outputs, retain_graph=has_norms, allow_unused=True, materialize_grads=True)
        gradients = iter(found)
        return [_as_read(backbone, layer, [(each, next(gradients)) for each in kept[layer]]) for layer in layers]


def _as_read(backbone: Backbone, layer: Layer, taken: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Maps and gradient of a layer's output, or of its norm where that alone takes its places to the logit."""
    plain, *normed = [
        tuple(_as_maps(backbone, each, layer) for each in (output.detach(), gradient)) for output, gradient in taken
    ]
    if not normed:
        return plain[0], plain[1]
    (output, _), (norm, gradient) = taken
    (through,) = torch.autograd.grad(norm, output, gradient)
    is_all = torch.allclose(_as_maps(backbone, through, layer), plain[1], rtol=1e-4, atol=1e-4 * float(plain[1].std()))
    maps, own = normed[0] if is_all else plain
    return maps, own


@contextmanager
def _outputs(backbone: Backbone, layers: Sequence[Layer]) -> Iterator[dict[Layer, list[Tensor]]]:
    """What the layers give while the network runs, each followed by its norm where a layer norm takes it as it is."""
    kept: dict[Layer, list[Tensor]] = {}

    def keep(layer: Layer, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        kept[layer] = [output]

    def keep_norm(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        for outputs in kept.values():
            if len(outputs) == 1 and outputs[0] is inputs[0]:
                outputs.append(output)

    hooks = [backbone.get_submodule(layer.module).register_forward_hook(partial(keep, layer)) for layer in layers]
    norms = [module for module in backbone.modules() if isinstance(module, nn.LayerNorm)]
    hooks += [norm.register_forward_hook(keep_norm) for norm in norms]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _as_maps(backbone: Backbone, output: Tensor, layer: Layer) -> Tensor:
    """A layer's output, or the gradient in it, as maps (B, C, h, w)."""
    return backbone.as_maps(output, layer) if layer.module else backbone.maps(output)
