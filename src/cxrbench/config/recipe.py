"""How a network is optimised."""

from typing import Literal

from pydantic import Field

from cxrbench.config.base import Settings


class Recipe(Settings):
    """How a network is optimised: Adam, the rate halved when the validation loss stops falling."""

    trained: Literal["all", "head"] = Field("all", description="head: the backbone stays as its weights are")
    learning_rate: float = Field(gt=0)
    batch_size: int = Field(16, ge=2)
    epochs: int = Field(40, ge=1, description="at most")
    halve_after: int = Field(2, ge=1, description="epochs without a lower validation loss before the rate is halved")
    stop_after: int = Field(6, ge=1, description="epochs without a lower validation loss before training stops")
    betas: tuple[float, float] = (0.9, 0.999)
