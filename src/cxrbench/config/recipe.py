"""How a network is trained: phases of an optimiser and its schedule, loss, images, averaging, and the kept epoch."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from cxrbench.config.base import Added, Settings
from cxrbench.config.losses import LOSSES, SAMPLERS, Bce, Shuffled, takes_soft_targets
from cxrbench.config.optimisation import (
    AVERAGES,
    OPTIMISERS,
    PAPER_BETAS,
    SCHEDULES,
    Adam,
    Beta,
    Constant,
    NoAverage,
    Optimiser,
    Plateau,
)
from cxrbench.config.registry import Absent, Part

Trained = Literal["all", "head"]

Criterion = Literal["validation loss", "validation mean AUC"]

VALIDATION_LOSS: Criterion = "validation loss"
VALIDATION_AUC: Criterion = "validation mean AUC"

BCE = Part(name="bce", settings=Bce())
SHUFFLED = Part(name="shuffled", settings=Shuffled())
NO_AVERAGE = Part(name="none", settings=NoAverage())


class Phase(Settings):
    """Epochs in a row that train the same parts of the network in the same way."""

    epochs: int = Field(ge=1, description="at most")
    trained: Trained = Field("all", description="head: the backbone stays as it is, batch-norm statistics too")
    optimiser: Annotated[Part, OPTIMISERS]
    schedule: Annotated[Part, SCHEDULES] = Part(name="constant", settings=Constant())
    stop_after: int | None = Field(
        None, ge=1, description="epochs without a better one before the phase ends; null: it goes through"
    )

    @field_validator("optimiser")
    @classmethod
    def _has_a_rate(cls, part: Part) -> Part:
        if not isinstance(part.settings, Optimiser | Absent):
            raise ValueError(f"{part.name}: an optimiser's settings extend cxrbench.config.Optimiser; these do not")
        return part

    @model_validator(mode="after")
    def _warm_up_is_shorter(self) -> Self:
        warm_up = getattr(self.schedule.settings, "warm_up_epochs", 0)
        if warm_up >= self.epochs:
            raise ValueError(f"warm_up_epochs {warm_up:g} must be fewer than the phase's epochs {self.epochs}")
        return self


SIMPLE: Mapping[str, Any] = {
    "trained": "all",
    "epochs": 40,
    "halve_after": 2,
    "stop_after": 6,
    "betas": PAPER_BETAS,
}
"""What the simple recipe of one phase says where nothing is said; a recipe with phases has none of it."""

SIMPLE_KEYS = ("learning_rate", *SIMPLE)


class Recipe(Settings):
    """How a network is trained.

    The simple recipe is the paper's: one phase of Adam, its rate halved when the validation loss stops falling. A
    recipe with ``phases`` says everything of it per phase.
    """

    trained: Trained | None = Field(None, description="head: the backbone stays as its weights are")
    learning_rate: float | None = Field(None, gt=0)
    batch_size: int = Field(16, ge=2)
    epochs: int | None = Field(None, ge=1, description="at most; beside phases, what these are scaled to")
    halve_after: int | None = Field(None, ge=1, description="epochs without a better one before the rate is halved")
    stop_after: int | None = Field(None, ge=1, description="epochs without a better one before training stops")
    betas: tuple[Beta, Beta] | None = None
    phases: Annotated[tuple[Phase, ...], Added(older=())] = Field((), description="one after the other")
    loss: Annotated[Part, LOSSES, Added(older=BCE)] = BCE
    sampler: Annotated[Part, SAMPLERS, Added(older=SHUFFLED)] = SHUFFLED
    average_weights: Annotated[Part, AVERAGES, Added(older=NO_AVERAGE)] = NO_AVERAGE
    choose_epoch_by: Annotated[Criterion, Added(older=VALIDATION_LOSS)] = Field(
        VALIDATION_LOSS, description="what makes an epoch better than another, and which is kept"
    )
    clip_norm: Annotated[float | None, Added(older=None)] = Field(
        None, gt=0, description="the gradient is shortened to this length; null: never"
    )
    dropout_from: Annotated[Literal["epoch", "batch"], Added(older="epoch")] = Field(
        "epoch",
        description="what dropout and drop path are drawn from, besides the seed; a recipe with phases: batch",
    )

    @model_validator(mode="before")
    @classmethod
    def _simple_or_in_phases(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        optional = {*SIMPLE_KEYS, "phases"}
        given = {key: value for key, value in raw.items() if value is not None or key not in optional}
        if not given.get("phases"):
            if "learning_rate" not in given:
                raise ValueError("give learning_rate, or phases with an optimiser each")
            return {**SIMPLE, **given}
        if mixed := [name for name in SIMPLE_KEYS if name in given and name != "epochs"]:
            raise ValueError(
                f"{mixed[0]} and phases exclude each other; each phase has its own trained, optimiser, schedule and "
                "stop_after"
            )
        phases = scaled(given["phases"], given.get("epochs"))
        if phases is not None:
            given |= {"epochs": None, "phases": phases}
        return {"dropout_from": "batch", **given}

    @model_validator(mode="after")
    def _phases_are_scaled(self) -> Self:
        if self.phases and self.epochs is not None:
            raise ValueError(f"phases cannot be scaled to epochs {self.epochs}; write each phase's epochs as a number")
        return self

    @property
    def in_phases(self) -> tuple[Phase, ...]:
        """The phases; of a simple recipe, its one."""
        if self.phases:
            return self.phases
        rate, betas = cast("float", self.learning_rate), self.betas or PAPER_BETAS
        return (
            Phase(
                epochs=cast("int", self.epochs),
                trained=cast("Trained", self.trained),
                optimiser=Part(name="adam", settings=Adam(rate=rate, betas=betas)),
                schedule=Part(name="plateau", settings=Plateau(after=cast("int", self.halve_after))),
                stop_after=self.stop_after,
            ),
        )

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases together, at most."""
        return sum(phase.epochs for phase in self.in_phases)

    @property
    def trains_head_only(self) -> bool:
        """Whether the backbone stays as its weights are from beginning to end."""
        return all(phase.trained == "head" for phase in self.in_phases)

    @property
    def trained_parts(self) -> str:
        """What is trained, phase by phase: ``all``, or ``head, then all``."""
        parts = [phase.trained for phase in self.in_phases]
        return ", then ".join(part for part, before in zip(parts, [None, *parts], strict=False) if part != before)

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the loss takes targets between 0 and 1, as mixed images need."""
        return takes_soft_targets(self.loss.settings)


def scaled(phases: Any, total: Any) -> list[dict[str, Any]] | None:
    """Return raw phases whose epochs add up to ``total``: in proportion, each at least one.

    Lengths in the settings of their schedules, whose names end in ``_epochs``, go along. None: something is not valid.
    """
    if not (isinstance(phases, list | tuple) and isinstance(total, int) and total > 0):
        return None
    phases = [each.model_dump(mode="json") if isinstance(each, Settings) else each for each in phases]
    if not all(_has_epochs(phase) for phase in phases):
        return None
    before = sum(phase["epochs"] for phase in phases)
    after = [max(1, round(phase["epochs"] * total / before)) for phase in phases]
    left = max(total, len(phases)) - sum(after)
    for _ in range(abs(left)):  # what rounding left or took, the longest gets or gives
        after[after.index(max(after))] += 1 if left > 0 else -1
    return [_of_length(phase, epochs) for phase, epochs in zip(phases, after, strict=True)]


def _has_epochs(phase: Any) -> bool:
    return isinstance(phase, Mapping) and isinstance(phase.get("epochs"), int) and phase["epochs"] > 0


def _of_length(phase: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Return a raw phase of another length."""
    result, share = {**phase, "epochs": epochs}, epochs / phase["epochs"]
    schedule = phase.get("schedule")
    if isinstance(schedule, Mapping):
        result["schedule"] = {name: _stretched(own, share) for name, own in schedule.items()}
    return result


def _stretched(settings: Any, share: float) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return {
        key: value * share if key.endswith("_epochs") and isinstance(value, int | float) else value
        for key, value in settings.items()
    }
