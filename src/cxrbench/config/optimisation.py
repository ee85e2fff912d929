"""How weights are moved: optimisers, schedules of their rates, and averages of the weights.

The builders live in ``cxrbench.training``; nothing here imports torch.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from cxrbench.config.base import Settings, unknown
from cxrbench.config.network import Module
from cxrbench.config.registry import Entry, Registry

Beta = Annotated[float, Field(ge=0, lt=1)]

PAPER_BETAS = (0.9, 0.999)


class Optimiser(Settings):
    """What every optimiser has: its rate, and how rate and decay differ between the network's parts."""

    rate: float = Field(gt=0, description="learning rate, of the backbone's last block and of the head")
    head_rate: float | None = Field(None, gt=0, description="of the head alone; null: rate")
    weight_decay: float = Field(0.0, ge=0, description="of matrices and convolutions; norms and biases have none")
    decay_all: bool = Field(False, description="weight decay of norms, biases and positions too")
    layer_decay: float | None = Field(
        None, gt=0, le=1, description="the rate of each block is so many times that of the block behind it; null: equal"
    )


class Adam(Optimiser):
    """Adam; its weight decay is a part of the gradient. Source: doi:10.48550/arXiv.1412.6980."""

    betas: tuple[Beta, Beta] = PAPER_BETAS
    eps: float = Field(1e-8, gt=0)


class AdamW(Optimiser):
    """Adam with weight decay beside the gradient. Source: doi:10.48550/arXiv.1711.05101."""

    weight_decay: float = Field(0.01, ge=0, description="of matrices and convolutions; norms and biases have none")
    betas: tuple[Beta, Beta] = PAPER_BETAS
    eps: float = Field(1e-8, gt=0)


class Sgd(Optimiser):
    """Stochastic gradient descent with momentum."""

    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


TIMM_OPTIMISERS = (
    "adabelief",
    "adafactorbv",
    "adan",
    "adopt",
    "lamb",
    "laprop",
    "lion",
    "madgrad",
    "mars",
    "nadamw",
    "radam",
    "rmsproptf",
)
"""Optimisers of timm that pass the shared test of all optimisers here, resuming bit for bit included."""


class TimmOptimiser(Optimiser):
    """An optimiser of timm."""

    name: str
    options: dict[str, bool | int | float | str | tuple[float, ...]] = Field(
        {}, description="passed to the optimiser as they are"
    )

    @model_validator(mode="after")
    def _is_tested(self) -> Self:
        if self.name not in TIMM_OPTIMISERS:
            raise ValueError(unknown("tested optimiser of timm", self.name, TIMM_OPTIMISERS))
        return self


class OwnOptimiser(Optimiser, Module):
    """An optimiser of the user's own."""


_OPTIMISERS = "cxrbench.training.optimisers"

OPTIMISERS = Registry(
    "optimiser",
    (
        Entry("adam", Adam, f"{_OPTIMISERS}:adam", "the paper's", main="rate"),
        Entry("adamw", AdamW, f"{_OPTIMISERS}:adamw", "Adam with weight decay beside the gradient", main="rate"),
        Entry("sgd", Sgd, f"{_OPTIMISERS}:sgd", "gradient descent with momentum", main="rate"),
        Entry("timm", TimmOptimiser, f"{_OPTIMISERS}:from_timm", "a tested optimiser of timm, by name", main="name"),
        Entry("module", OwnOptimiser, f"{_OPTIMISERS}:own", "a function of your own package", main="function"),
    ),
    group="cxrbench.optimisers",
)


class Schedule(Settings):
    """Base of the schedules. Settings whose name ends in ``_epochs`` shrink and grow with their phase."""


class Constant(Schedule):
    """The rate stays, after a linear warm-up if wanted."""

    warm_up_epochs: float = Field(0.0, ge=0)
    start: float = Field(0.01, ge=0, le=1, description="share of the rate at the first step of the warm-up")


class Plateau(Schedule):
    """The paper's: the rate falls when the epochs no longer get better."""

    after: int = Field(2, ge=1, description="epochs without a better one before the rate falls")
    factor: float = Field(0.5, gt=0, lt=1, description="share of the rate that is left then")


class Cosine(Schedule):
    """Half a cosine from the rate down, after a linear warm-up if wanted. Source: doi:10.48550/arXiv.1608.03983."""

    warm_up_epochs: float = Field(0.0, ge=0)
    start: float = Field(0.01, ge=0, le=1, description="share of the rate at the first step of the warm-up")
    end: float = Field(0.0, ge=0, le=1, description="share of the rate that the last step nears")


class OneCycle(Schedule):
    """Up to the rate and down again, both as half a cosine. Source: doi:10.48550/arXiv.1708.07120."""

    rise: float = Field(0.3, gt=0, lt=1, description="share of the steps until the rate is reached")
    start: float = Field(0.04, ge=0, le=1, description="share of the rate at the first step")
    end: float = Field(4e-6, ge=0, le=1, description="share of the rate at the last step")


_SCHEDULES = "cxrbench.training.schedules"

SCHEDULES = Registry(
    "schedule",
    (
        Entry("constant", Constant, f"{_SCHEDULES}:constant", "the rate stays, after a warm-up if wanted"),
        Entry("plateau", Plateau, f"{_SCHEDULES}:Plateau", "the paper's: falls when epochs no longer get better"),
        Entry("cosine", Cosine, f"{_SCHEDULES}:cosine", "half a cosine, after a warm-up if wanted"),
        Entry("one-cycle", OneCycle, f"{_SCHEDULES}:one_cycle", "up to the rate, and down again"),
        Entry("module", Module, f"{_SCHEDULES}:own", "a function of your own package", main="function"),
    ),
    group="cxrbench.schedules",
)


class NoAverage(Settings):
    """The weights as they are after the epoch."""


class Ema(Settings):
    """Exponential moving average of all weights and norm statistics, updated with every step."""

    decay: float = Field(0.9999, gt=0, lt=1, description="share of the average that a step leaves")
    warm_up: bool = Field(True, description="the decay rises from 0 as in timm, so that a short training has one too")


AVERAGES = Registry(
    "average",
    (
        Entry("none", NoAverage, "cxrbench.training.averages:none", "the weights as they are"),
        Entry("ema", Ema, "cxrbench.training.averages:Ema", "exponential moving average", main="decay"),
    ),
)
