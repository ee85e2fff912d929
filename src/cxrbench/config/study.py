"""A study in settings: which approaches on which splits of which archive, and how the work is done."""

import re
from collections.abc import Mapping
from math import ceil, isclose
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, field_validator, model_validator

from cxrbench.config.approach import PAPER_APPROACHES
from cxrbench.config.approach_files import start_changes_at
from cxrbench.config.base import Settings, is_path, merged, packaged_names, packaged_text, parse_settings, read_yaml
from cxrbench.config.network import HUB, STAND_IN
from cxrbench.errors import ConfigError

LOCAL_CLUSTER = "ray"
"""The address that stands for a cluster of this machine alone, as long as a study takes."""


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
    table_format: Path | None = Field(
        None, description="format of the labels: a packaged name or a YAML; null: as seen"
    )
    store: Path | None = Field(None, description="folder of the store; null: inside the study")
    allow_missing: bool = Field(False, description="go on with the images that are there and readable")
    approaches: tuple[str, ...] = Field(PAPER_APPROACHES, min_length=1)
    splits: SplitPlan = SplitPlan()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)
    profile: str = "paper"
    weights: str = Field(HUB, description=f"in place of {HUB!r} in the approaches: {STAND_IN!r}, or a file of weights")
    vocabulary: str | None = Field(
        None, description="findings to read: a packaged vocabulary or a YAML file; null: those of the labels' format"
    )
    min_patients: int = Field(
        1, ge=1, description="positive, and negative, patients in every training part that a finding needs to be learnt"
    )
    overrides: dict[str, Any] = Field({}, description="paths into every approach, and values; such as recipe.epochs: 3")
    workers: int | None = Field(
        None, ge=1, description="runs at a time; null: one, and on a cluster as many as it has room for"
    )
    cluster: ClusterSettings = ClusterSettings()
    compute: ComputeSettings = ComputeSettings()

    @model_validator(mode="before")
    @classmethod
    def _recipe_is_short_for_overrides(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "recipe" not in raw:
            return raw
        recipe = raw["recipe"]
        if not isinstance(recipe, Mapping):
            raise ValueError("recipe: expected keys and values, such as epochs: 3")
        short = {f"recipe.{key}": value for key, value in recipe.items() if value is not None}
        rest = {key: value for key, value in raw.items() if key != "recipe"}
        return {**rest, "overrides": {**short, **(raw.get("overrides") or {})}}

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


PATHS = ("data", "out", "labels", "store")
"""Fields that are paths, relative to the study's file."""


def load_study(source: Path | str, changes: dict[str, Any]) -> StudySettings:
    """Read a study's YAML and let ``changes`` (from the command line) override it.

    Args:
        source: A YAML file, whose relative paths start at its folder; or the name of a packaged study.
        changes: Fields of the study, nested.

    Raises:
        ConfigError: No such study, or one that is not valid.
    """
    path = Path(source)
    if not (is_path(path) or path.is_file()):
        return parse_settings(merged(_packaged_study(str(source)), changes), StudySettings, where=f"study {source}")
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(raw).__name__}")
    for key in PATHS:
        if isinstance(raw.get(key), str):
            raw[key] = _from(path, raw[key])
    if isinstance(raw.get("weights"), str) and raw["weights"] not in {HUB, STAND_IN}:
        raw["weights"] = _from(path, raw["weights"])
    raw |= {key: _from(path, raw[key]) for key in ("vocabulary", "table_format") if is_path(raw.get(key))}
    if isinstance(raw.get("approaches"), list):
        raw["approaches"] = [_from(path, name) if is_path(name) else name for name in raw["approaches"]]
    own = {**raw, **_overrides(path, raw)}
    return parse_settings(merged(own, changes), StudySettings, where=str(path))


def _overrides(path: Path, raw: dict[str, Any]) -> dict[str, Any]:
    """The overrides of a study's file, the paths of weights' files in them as the file means them."""
    own = raw.get("overrides")
    return {"overrides": start_changes_at(path.parent, own)} if isinstance(own, dict) else {}


def study_names() -> list[str]:
    """Return the names of the packaged studies."""
    return packaged_names("studies")


def _packaged_study(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(packaged_text("studies", name, kind="study", names=study_names()))
    return raw


def _from(path: Path, name: str) -> str:
    """Return a path as the file at ``path`` means it."""
    return str(path.parent / Path(name).expanduser())
