"""Frozen, validated settings: approaches, profiles and studies; YAML in and out."""

import re
from importlib import resources
from importlib.resources.abc import Traversable
from math import ceil, isclose
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cxrbench.errors import ConfigError
from cxrbench.files import digest_json

PAPER_APPROACHES = ("ots", "ots-meta", "ft", "ft-meta", "1channel", "1channel-meta", "large", "large-meta")
"""The eight ResNet-50 approaches; a study runs these unless told otherwise."""

PAPER_BLOCKS = {38: (3, 4, 2, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottleneck blocks per stage. The paper does not give those of ResNet-38: (3, 4, 2, 3) is our reading."""

PAPER_WIDTH = 64

HUB, STAND_IN = "hub", "stand-in"

LOCAL_CLUSTER = "ray"
"""The address that stands for a cluster of this machine alone, as long as a study takes."""

Feature = Literal["age", "sex", "view"]
Blocks = Annotated[int, Field(ge=1, le=256)]


class Settings(BaseModel):
    """Base of all settings: frozen; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Backbone(Settings):
    """Which residual network, from which weights, and what of it is trained."""

    depth: Literal[38, 50, 101] = 50
    start: Literal["imagenet", "random"]
    trained: Literal["all", "head"] = "all"
    extra_pool: bool = Field(False, description="one more max-pooling after the first bottleneck block")
    blocks: tuple[Blocks, Blocks, Blocks, Blocks] | None = Field(
        None, description="bottlenecks per stage; null: those of the depth"
    )
    width: int = Field(
        64, ge=4, le=4096, multiple_of=4, description="channels of the stem and of the first stage's bottleneck"
    )

    @property
    def stages(self) -> tuple[int, int, int, int]:
        """Bottlenecks per stage, resolved."""
        return self.blocks or PAPER_BLOCKS[self.depth]

    @model_validator(mode="after")
    def _frozen_backbone_needs_weights(self) -> Self:
        if self.trained == "head" and self.start == "random":
            raise ValueError("trained: head needs start: imagenet; a frozen random backbone learns nothing")
        return self


class Input(Settings):
    """What the network sees."""

    image_size: int = Field(ge=32, le=4096, multiple_of=32, description="side of the square input, pixels")
    store_size: int = Field(ge=32, le=4096, description="side of the shrunk image that crops are taken from, pixels")
    channels: Literal[1, 3]
    mean: tuple[float, ...] = Field(description="per channel, of grey values in 0..1")
    std: tuple[float, ...] = Field(description="per channel, of grey values in 0..1")

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} values each; got {self.mean} and {self.std}")
        if self.store_size < self.image_size:
            raise ValueError(f"store_size {self.store_size} is smaller than image_size {self.image_size}")
        return self


class Augmentation(Settings):
    """Random area, aspect, rotation and flip of training images, as one affine map."""

    area: tuple[float, float] = Field((0.08, 1.0), description="share of the image's area that is cropped")
    aspect: tuple[float, float] = Field((3 / 4, 4 / 3), description="width to height of the crop")
    rotation_degrees: float = Field(7.0, ge=0, le=180)
    flip: bool = True

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area needs 0 < low <= high <= 1; got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect needs 0 < low <= high; got {self.aspect}")
        return self


class Recipe(Settings):
    """How a network is optimised: Adam, the rate halved when the validation loss stops falling."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(16, ge=2)
    epochs: int = Field(40, ge=1, description="at most")
    halve_after: int = Field(2, ge=1, description="epochs without a lower validation loss before the rate is halved")
    stop_after: int = Field(6, ge=1, description="epochs without a lower validation loss before training stops")
    betas: tuple[float, float] = (0.9, 0.999)


class Approach(Settings):
    """One named recipe of the comparison; every field is part of a run's identity."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    summary: str
    backbone: Backbone
    input: Input
    features: tuple[Feature, ...] = Field((), description="non-image features joined to the pooled image features")
    augmentation: Augmentation = Augmentation()
    cached_views: int | None = Field(
        None,
        ge=1,
        description="the frozen backbone's features are computed once, and each epoch trains the head on them: 1, of "
        "the centre crop; more, of so many augmented views of each training image in turn; null: anew in every epoch",
    )
    recipe: Recipe

    @model_validator(mode="after")
    def _only_frozen_features_are_cached(self) -> Self:
        if self.cached_views is not None and self.backbone.trained == "all":
            raise ValueError("cached_views needs trained: head; a backbone that learns gives other features every time")
        return self


class RecipeChange(Settings):
    """Fields of the recipe that a profile or study sets for all approaches; null keeps the approach's own."""

    learning_rate: float | None = Field(None, gt=0)
    batch_size: int | None = Field(None, ge=2)
    epochs: int | None = Field(None, ge=1)
    halve_after: int | None = Field(None, ge=1)
    stop_after: int | None = Field(None, ge=1)

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe with the fields that are set here."""
        return recipe.model_copy(update=self.model_dump(exclude_none=True))


class Profile(Settings):
    """A size of everything: networks and images as published, or small ones for a demonstration on a CPU."""

    name: str
    summary: str
    blocks: dict[int, tuple[int, int, int, int]] = PAPER_BLOCKS
    width: int = PAPER_WIDTH
    sizes: dict[int, int] = Field({}, description="the paper's image and store sizes -> this profile's, pixels")
    recipe: RecipeChange = RecipeChange()
    augmentation: Augmentation | None = None
    stand_in_steps: int = Field(0, ge=0, description="steps of pre-training that stand-in weights get")

    def apply(self, approach: Approach) -> Approach:
        """The approach at this profile's size."""
        own = approach.backbone
        backbone = {
            "blocks": own.blocks or self.blocks[own.depth],
            "width": own.width * self.width // PAPER_WIDTH,
        }
        sizes = {name: self._size(approach, name) for name in ("image_size", "store_size")}
        return approach.model_copy(
            update={
                "backbone": own.model_copy(update=backbone),
                "input": approach.input.model_copy(update=sizes),
                "recipe": self.recipe.apply(approach.recipe),
                "augmentation": self.augmentation or approach.augmentation,
            }
        )

    def _size(self, approach: Approach, name: str) -> int:
        """An approach's image or store size at this profile."""
        paper = int(getattr(approach.input, name))
        if self.sizes and paper not in self.sizes:
            known = ", ".join(str(size) for size in self.sizes)
            raise ConfigError(
                f"approach {approach.name}: profile {self.name} has no {name} for {paper}; it has {known}"
            )
        return self.sizes.get(paper, paper)


class SplitPlan(Settings):
    """Which splits a study uses."""

    resamples: int = Field(5, ge=0)
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    folds: int = Field(0, ge=0)
    official: bool = Field(False, description="also the release's official lists")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not (self.resamples or self.folds or self.official):
            raise ValueError("no split asked for: set resamples, folds or official")
        if self.folds == 1:
            raise ValueError("one fold leaves nothing to train on: folds needs 0, or 2 and more")
        if min(self.fractions) <= 0 or not isclose(sum(self.fractions), 1):
            raise ValueError("fractions of train, val and test must be above 0 and add up to 1")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """What the splits are called: known before the archive is read."""
        drawn = [f"resample-{number + 1}" for number in range(self.resamples)]
        drawn += [f"fold-{number + 1}" for number in range(self.folds)]
        return (*drawn, *(["official"] if self.official else []))


class ClusterSettings(Settings):
    """Where the runs are made, and what each gets there; no part of a run's identity."""

    address: str | None = Field(
        None, description=f"{LOCAL_CLUSTER!r}, 'auto', host:port or ray://host:port of a Ray cluster; null: no cluster"
    )
    cpus: int = Field(1, ge=1, description="cores of each run, and its threads")
    gpus: float | None = Field(
        None, ge=0, description="GPUs of each run, or a fraction of one; null: one where there are any"
    )
    memory_gb: float | None = Field(None, gt=0, description="memory of each run; null: not counted")
    attempts: int = Field(4, ge=1, description="times that a run is begun whose node or process is lost")
    storage: str | None = Field(
        None, description="URL (s3://bucket/study ...) through which nodes get what they need; null: they see the study"
    )
    cache: Path | None = Field(
        None, description="folder of each node for what it gets from the storage; null: in its temporary folder"
    )

    @model_validator(mode="after")
    def _gpus_are_whole_or_shared(self) -> Self:
        if self.gpus is not None and self.gpus > 1 and self.gpus % 1:
            raise ValueError(f"gpus is a fraction of one GPU, or whole GPUs; got {self.gpus}")
        return self


class ComputeSettings(Settings):
    """How the arithmetic of runs is done; no part of a run's identity, as it changes nothing beyond noise.

    ``auto`` is resolved by the machine that makes the run, which records what it chose (docs/speed.md).
    """

    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="of training; predictions are always fp32")
    compile: Literal["auto", "on", "off"] = Field("auto", description="torch.compile; small batches as CUDA graphs")
    channels_last: Literal["auto", "on", "off"] = Field("auto", description="channels beside each other in memory")
    devices: int = Field(1, ge=1, description="GPUs that share each batch, batch norm taken over all of them")
    device_batch: int | None = Field(
        None, ge=2, description="images at a time on one device, gradients added up to the batch; null: all at once"
    )
    gpu_share: float = Field(1.0, gt=0, le=1, description="of a GPU's memory, for runs that share it")

    @field_validator("compile", "channels_last", mode="before")
    @classmethod
    def _yaml_reads_on_and_off_as_booleans(cls, value: Any) -> Any:
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value

    def accumulate(self, batch_size: int) -> int:
        """Parts that a batch is worked through in, one after the other, its gradients added up."""
        return 1 if self.device_batch is None else ceil(batch_size / (self.devices * self.device_batch))


AS_FITS_THE_MACHINE = ComputeSettings()


class StudySettings(Settings):
    """Approaches x splits of one archive."""

    data: Path = Field(description="folder of the archive")
    out: Path = Field(description="folder of the study")
    labels: Path | None = Field(None, description="label file when it is not in the archive's folder")
    table_format: Path | None = Field(None, description="YAML that names the columns of a CSV that is not NIH's")
    store: Path | None = Field(None, description="folder of the store; null: inside the study")
    allow_missing: bool = Field(False, description="go on with the images that are there and readable")
    approaches: tuple[str, ...] = Field(PAPER_APPROACHES, min_length=1)
    splits: SplitPlan = SplitPlan()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)
    profile: str = "paper"
    weights: str = Field(HUB, description=f"{HUB!r} (timm's hub), {STAND_IN!r}, or a file of ImageNet weights")
    recipe: RecipeChange = RecipeChange()
    workers: int | None = Field(
        None, ge=1, description="runs at a time; null: one, and on a cluster as many as it has room for"
    )
    cluster: ClusterSettings = ClusterSettings()
    compute: ComputeSettings = ComputeSettings()

    @field_validator("data", "out", "labels", "store")
    @classmethod
    def _is_in_a_file_system(cls, value: Path | None) -> Path | None:
        # A path has one of the two slashes of a URL left.
        if value is not None and re.search(r"(^|/)[a-z][a-z0-9+.-]+:/", str(value)):
            raise ValueError(
                "not a URL: this lies in a file system; nodes that see none get it through cluster.storage"
            )
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.approaches)) < len(self.approaches):
            raise ValueError("approaches names one twice")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds names one twice")
        return self

    @model_validator(mode="after")
    def _runs_at_a_time_have_a_device_each(self) -> Self:
        devices, is_here = self.compute.devices, self.cluster.address is None
        if is_here and devices > 1 and (self.workers or 1) > 1:
            raise ValueError(
                f"devices: {devices}, workers: {self.workers}: runs at a time have one device each; set one to 1"
            )
        if not is_here and devices > 1 and self.cluster.gpus is not None and 0 < self.cluster.gpus < devices:
            raise ValueError(
                f"devices: {devices}, but each run gets cluster.gpus: {self.cluster.gpus:g}; make them equal"
            )
        return self


AnySettings = TypeVar("AnySettings", bound=Settings)


def parse_settings(raw: Any, model: type[AnySettings], *, where: str) -> AnySettings:
    """Validate settings that came from ``where``.

    Raises:
        ConfigError: One line that names the first offending key, its value and the valid names.
    """
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: expected keys and values, got {type(raw).__name__}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_problem(error, model)}") from None


def _first_problem(error: ValidationError, model: type[Settings]) -> str:
    # An unknown key is often the misspelling of a missing one: it is the more telling of the two.
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in problem["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; valid keys here: {', '.join(_keys_at(model, problem['loc'][:-1]))}{more}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing{more}"
    message = problem["msg"].removeprefix("Value error, ")
    # Of what does not fit together, the message names the parts; all of it would be no line.
    got = "" if isinstance(problem["input"], dict) else f"; got {problem['input']!r:.80}"
    return f"{key + ': ' if key else ''}{message}{got}{more}"


def _keys_at(model: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        nested = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if isinstance(nested, type) and issubclass(nested, Settings):
            model = nested
    return sorted(model.model_fields)


def read_yaml(path: Path) -> Any:
    """Parse a YAML file.

    Raises:
        ConfigError: It is absent or is no YAML; the message says where.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{at}: broken YAML: {getattr(error, 'problem', error)}") from None


def load_study(path: Path, changes: dict[str, Any]) -> StudySettings:
    """Read a study's YAML and let ``changes`` (from the command line) override it; relative paths start at the file."""
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(raw).__name__}")
    for key in ("data", "out", "labels", "table_format", "store"):
        if isinstance(raw.get(key), str):
            raw[key] = _from(path, raw[key])
    if isinstance(raw.get("weights"), str) and raw["weights"] not in {HUB, STAND_IN}:
        raw["weights"] = _from(path, raw["weights"])
    if isinstance(raw.get("approaches"), list):
        raw["approaches"] = [_from(path, name) if is_path(name) else name for name in raw["approaches"]]
    return parse_settings(merged(raw, changes), StudySettings, where=str(path))


def _from(path: Path, name: str) -> str:
    """A path as the file at ``path`` means it."""
    return str(path.parent / Path(name).expanduser())


def is_path(approach: Any) -> bool:
    """Whether an approach is given by its YAML file."""
    return isinstance(approach, str) and approach.endswith((".yaml", ".yml"))


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes``, nested mappings merged key by key."""
    result = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if nested else value
    return result


def approach_names() -> list[str]:
    """Packaged approaches: the paper's eight first, then the other depths."""
    names = sorted(
        path.name.removesuffix(".yaml") for path in _packaged("approaches").iterdir() if path.name.endswith(".yaml")
    )
    return [*PAPER_APPROACHES, *(name for name in names if name not in PAPER_APPROACHES)]


def approach_text(name: str) -> str:
    """The packaged YAML of an approach, as written.

    Raises:
        ConfigError: No such approach; the message lists the names.
    """
    if name not in approach_names():
        raise ConfigError(f"unknown approach {name!r}; valid names: {', '.join(approach_names())}")
    return (_packaged("approaches") / f"{name}.yaml").read_text(encoding="utf-8")


def load_approach(name: str) -> Approach:
    """An approach by its packaged name, or from a YAML file when ``name`` ends in ``.yaml``."""
    if is_path(name):
        return parse_settings(_extended(read_yaml(Path(name)), name), Approach, where=name)
    return parse_settings(_raw_approach(name), Approach, where=f"approach {name}")


def _raw_approach(name: str) -> dict[str, Any]:
    return _extended(yaml.safe_load(approach_text(name)), name)


def _extended(raw: Any, where: str) -> dict[str, Any]:
    """Resolve ``extends: other``: the other approach's keys, overridden by this one's."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: expected keys and values, got {type(raw).__name__}")
    base = raw.pop("extends", None)
    return raw if base is None else merged(_raw_approach(str(base)), raw)


def load_profile(name: str) -> Profile:
    """A packaged profile by name.

    Raises:
        ConfigError: No such profile; the message lists the names.
    """
    names = sorted(
        path.name.removesuffix(".yaml") for path in _packaged("profiles").iterdir() if path.name.endswith(".yaml")
    )
    if name not in names:
        raise ConfigError(f"unknown profile {name!r}; valid names: {', '.join(names)}")
    raw = yaml.safe_load((_packaged("profiles") / f"{name}.yaml").read_text(encoding="utf-8"))
    return parse_settings(raw, Profile, where=f"profile {name}")


def _packaged(folder: str) -> Traversable:
    return resources.files("cxrbench") / folder


def settings_hash(settings: Settings) -> str:
    """SHA-256 (hex) of all fields, defaults too: a run is not reused after a default changes."""
    return digest_json(settings.model_dump(mode="json"))
