"""Stand-in weights: pre-trained on generated pictures of shapes and textures, where ImageNet's are not available.

They make the transfer approaches runnable and testable; what they score says nothing about ImageNet weights,
so every report and bundle that rests on them says "not ImageNet".
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrbench.config import Part
from cxrbench.models.backbone import build_backbone

SEED = 20180306
BATCH = 32
SETTLING_BATCHES = 4

Picture = Callable[[Tensor, Tensor, Tensor], Tensor]

PICTURES: tuple[Picture, ...] = (
    lambda x, y, scale: (x**2 + y**2 < scale**2).float(),  # disc
    lambda x, y, scale: ((x**2 + y**2).sqrt() - scale).abs().lt(0.1).float(),  # ring
    lambda x, y, scale: (torch.maximum(x.abs(), y.abs()) < scale).float(),  # square
    lambda x, y, scale: ((y > -scale) & (y + 2 * x.abs() < scale)).float(),  # triangle
    lambda x, y, scale: (torch.minimum(x.abs(), y.abs()) < scale / 4).float(),  # cross
    lambda x, _, scale: torch.sin(6 * x / scale),  # stripes
    lambda x, y, scale: torch.sin(6 * x / scale) * torch.sin(6 * y / scale),  # checks
    lambda x, y, scale: torch.sin(6 * (x**2 + y**2).sqrt() / scale),  # ripples
    lambda x, y, scale: torch.exp(-(x**2 + y**2) / scale**2),  # soft blob
    lambda x, y, scale: torch.sin(3 * torch.atan2(y, x)) * torch.ones_like(scale),  # star
    lambda x, _, scale: torch.tanh(x / scale),  # edge
    lambda x, y, scale: torch.tanh(x / scale) * torch.tanh(y / scale),  # corner
)


def draw_pictures(count: int, *, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, size, size), about zero mean and unit spread, and the kind (N,) of each."""
    kinds = torch.randint(len(PICTURES), (count,), generator=generator)
    axis = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    def draw(kind: int) -> Tensor:
        angle, shift = uniform(-torch.pi, torch.pi, 1), uniform(-0.4, 0.4, 2)
        u = (x - shift[0]) * torch.cos(angle) + (y - shift[1]) * torch.sin(angle)
        v = (y - shift[1]) * torch.cos(angle) - (x - shift[0]) * torch.sin(angle)
        return PICTURES[kind](u, v, uniform(0.25, 0.6, 1))

    shapes = torch.stack([draw(int(kind)) for kind in kinds])[:, None]  # (N, 1, size, size)
    colour = uniform(-1.5, 1.5, count, 3, 1, 1)
    background = uniform(-0.5, 0.5, count, 3, 1, 1)
    noise = 0.3 * torch.randn(count, 3, size, size, generator=generator)
    return background + colour * shapes + noise, kinds


def stand_in_weights(backbone: Part, *, image_size: int, steps: int, seed: int = SEED) -> dict[str, Tensor]:
    """Weights for the three-channel form of ``backbone``, in timm's names, the same for the same arguments.

    With ``steps`` of zero the network is random and only its batch-norm statistics have met the pictures.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_backbone(backbone, channels=3, image_size=image_size)
        head = nn.Linear(network.pooled, len(PICTURES))
    generator = torch.Generator().manual_seed(seed)
    network.train()
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], lr=1e-3)
    for _ in range(steps):
        pictures, kinds = draw_pictures(BATCH, size=image_size, generator=generator)
        loss = functional.cross_entropy(head(network.pool(network(pictures))), kinds)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    if not steps:
        _settle_statistics(network, image_size=image_size, generator=generator)
    return {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}


@torch.no_grad()
def _settle_statistics(network: nn.Module, *, image_size: int, generator: torch.Generator) -> None:
    """Give every batch norm the mean and variance that its input really has."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # cumulative average
    for _ in range(SETTLING_BATCHES):
        network(draw_pictures(BATCH, size=image_size, generator=generator)[0])
    for norm in norms:
        norm.momentum = 0.1
