"""An approach: network, input, augmentation and recipe under one name; YAML in and out."""

from collections.abc import Mapping
from copy import deepcopy
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from cxrbench.config.augmentation import Augmentation, Views
from cxrbench.config.base import (
    Added,
    NotIdentity,
    Settings,
    changed,
    is_path,
    merged,
    packaged_names,
    packaged_text,
    parse_settings,
    read_yaml,
)
from cxrbench.config.network import Network, ResNet
from cxrbench.config.recipe import SIMPLE_KEYS, Recipe
from cxrbench.config.schema1 import LEAST_CROP, is_schema_1_approach, map_approach
from cxrbench.errors import ConfigError

PAPER_APPROACHES = ("ots", "ots-meta", "ft", "ft-meta", "1channel", "1channel-meta", "large", "large-meta")
"""The eight ResNet-50 approaches; a study runs these unless told otherwise."""

FOLDER = "approaches"


class Input(Settings):
    """What the network sees."""

    image_size: int = Field(
        ge=8, le=4096, description="side of the square input, pixels; a multiple of what the network needs"
    )
    store_size: int = Field(ge=8, le=4096, description="side of the shrunk image that crops are taken from, pixels")
    evaluation_crop: Annotated[float | None, Added(older=None)] = Field(
        None,
        gt=0,
        le=1,
        description="side of the centre crop that is judged, as a share of the film's; null: image_size / store_size",
    )
    channels: Literal[1, 3]
    mean: tuple[float, ...] | None = Field(
        None, description="per channel, of grey values in 0..1; null: what the weights learnt with"
    )
    std: tuple[float, ...] | None = Field(None, description="likewise")

    @property
    def crop(self) -> float:
        """Side of the centre crop as a share of the film's side."""
        return self.image_size / self.store_size if self.evaluation_crop is None else self.evaluation_crop

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per channel; resolved when the weights are.

        Raises:
            ConfigError: They are not resolved yet.
        """
        if self.mean is None or self.std is None:
            raise ConfigError("input.mean and input.std are not known before the weights are; prepare the study first")
        return self.mean, self.std

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both, or neither")
        if self.mean is not None and self.std is not None:
            if not len(self.mean) == len(self.std) == self.channels:
                raise ValueError(f"mean and std need {self.channels} values each; got {self.mean} and {self.std}")
            if min(self.std) <= 0:
                raise ValueError(f"std must be above 0; got {self.std}")
        if self.store_size < self.image_size:
            raise ValueError(f"store_size {self.store_size} is smaller than image_size {self.image_size}")
        return self

    @model_validator(mode="after")
    def _most_of_the_film_is_seen(self) -> Self:
        if self.evaluation_crop is None and self.crop < LEAST_CROP:
            raise ValueError(
                f"image_size {self.image_size} of store_size {self.store_size} looks at {self.crop**2:.0%} of the "
                f"film; for all of it write evaluation_crop: 1.0, or if that is meant evaluation_crop: {self.crop:.4g}"
            )
        return self


class Approach(Settings):
    """One named way to make a classifier; every value is part of a run's identity."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    summary: Annotated[str, NotIdentity()]
    network: Network
    input: Input
    augmentation: Augmentation = Augmentation()
    cached_views: int | None = Field(
        None,
        ge=1,
        description="the frozen backbone's features are computed once, and each epoch trains the head on them: 1, of "
        "the centre crop; more, of so many augmented views of each training image in turn; null: anew in every epoch",
    )
    test_time: Annotated[Views, Added(older=Views())] = Field(
        Views(), description="views of a film whose logits are averaged, in a study's predictions"
    )
    recipe: Recipe
    profiles: Annotated[dict[str, dict[str, Any]], NotIdentity()] = Field(
        {}, description="profile -> what changes at that size: paths such as network.backbone.timm.model, and values"
    )

    @property
    def has_frozen_backbone(self) -> bool:
        """Whether only the head is trained."""
        return self.recipe.trains_head_only

    @model_validator(mode="after")
    def _frozen_backbone_needs_weights(self) -> Self:
        brings_its_own = self.network.backbone.name == "module"
        if self.has_frozen_backbone and not self.network.has_weights and not brings_its_own:
            raise ValueError("recipe.trained: head needs network.weights; a frozen random backbone learns nothing")
        if not self.network.has_weights and self.input.mean is None:
            raise ValueError("input.mean and input.std are missing; without weights nothing else says them")
        return self

    @model_validator(mode="after")
    def _only_frozen_features_are_cached(self) -> Self:
        if self.cached_views is not None and not self.has_frozen_backbone:
            raise ValueError(
                "cached_views needs recipe.trained: head; a backbone that learns gives other features every time"
            )
        return self

    @model_validator(mode="after")
    def _films_are_there_to_be_changed(self) -> Self:
        if self.cached_views is None:
            return self
        if self.augmentation.operations:
            raise ValueError(
                f"augmentation.operations: {self.augmentation.operations[0].name} needs films; with cached_views there "
                "are only their features, so leave one of the two out"
            )
        if self.test_time.count > 1:
            raise ValueError("test_time needs films; with cached_views there are only features of the centre crop")
        return self

    @model_validator(mode="after")
    def _mixed_labels_are_understood(self) -> Self:
        if self.augmentation.mixing and not self.recipe.takes_soft_targets:
            raise ValueError(
                f"augmentation.operations: {self.augmentation.mixing[0]} gives labels between 0 and 1, which the loss "
                "does not take; leave it out, or choose another recipe.loss"
            )
        return self

    @model_validator(mode="after")
    def _views_differ(self) -> Self:
        if self.test_time.crops > 1 and self.input.crop == 1:
            raise ValueError(
                f"test_time.crops: {self.test_time.crops} needs a crop smaller than the film; here all of it is judged"
            )
        return self

    @model_validator(mode="after")
    def _size_fits_the_backbone(self) -> Self:
        if isinstance(self.network.backbone.settings, ResNet):
            require_multiple(self.input.image_size, 32, "resnet")
        return self


def require_multiple(image_size: int, multiple: int, backbone: str) -> None:
    """Refuse an input that a backbone cannot take.

    Raises:
        ValueError: The size is no multiple of what the backbone needs; the message offers the nearest.
    """
    if image_size % multiple:
        nearest = max(multiple, round(image_size / multiple) * multiple)
        raise ValueError(
            f"input.image_size {image_size} is no multiple of {multiple}, which {backbone} needs; try {nearest}"
        )


def approach_names(pattern: str = "*") -> list[str]:
    """Return the packaged approaches that match a pattern: the paper's eight first."""
    names = packaged_names(FOLDER)
    ordered = [*PAPER_APPROACHES, *(name for name in names if name not in PAPER_APPROACHES)]
    return [name for name in ordered if fnmatch(name, pattern)]


def approach_text(name: str) -> str:
    """Return the YAML of an approach as written: a packaged one by name, or a file's.

    Raises:
        ConfigError: No such approach; the message offers near names and lists the others.
    """
    if is_path(name):
        read_yaml(Path(name))  # says what is wrong with the file
        return Path(name).read_text(encoding="utf-8")
    return packaged_text(FOLDER, name, kind="approach", names=approach_names())


def load_approach(name: str) -> Approach:
    """Return an approach by its packaged name, or from a YAML file when ``name`` ends in ``.yaml``.

    Raises:
        ConfigError: No such approach, or one that is not valid.
    """
    return parse_settings(raw_approach(name), Approach, where=name if is_path(name) else f"approach {name}")


def raw_approach(name: str, *, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an approach's keys and values, ``extends`` resolved: the other's, overridden by its own."""
    if name in seen:
        raise ConfigError(f"{name}: extends itself, through {' and '.join(seen)}")
    raw = read_yaml(Path(name)) if is_path(name) else yaml.safe_load(approach_text(name))
    if not isinstance(raw, dict):
        raise ConfigError(f"{name}: expected keys and values, got {type(raw).__name__}")
    if is_schema_1_approach(raw):
        raw = map_approach(raw)
    raw = _parts_as_keys(raw)
    if is_path(name):
        _start_at(Path(name).parent, raw)
        _profiles_start_at(Path(name).parent, raw)
    base = raw.pop("extends", None)
    if base is None:
        return raw
    if is_path(base) and is_path(name):
        base = str(Path(name).parent / Path(base).expanduser())
    return _overridden(raw_approach(str(base), seen=(*seen, name)), raw)


PARTS = {"network": ("backbone", "weights", "head"), "recipe": ("loss", "sampler", "average_weights")}
"""Keys that choose an entry of a registry, and where they stand."""


def _parts_as_keys(raw: dict[str, Any]) -> dict[str, Any]:
    """Spell ``head: csra`` as ``head: {csra: {}}``."""
    spelt = dict(raw)
    for place, names in PARTS.items():
        own = raw.get(place)
        if isinstance(own, dict):
            spelt[place] = {
                key: {value: {}} if key in names and isinstance(value, str) else value for key, value in own.items()
            }
    return spelt


def _start_at(folder: Path, raw: dict[str, Any]) -> None:
    """Let the paths of weights start at the folder of the approach's file, in place."""
    network = raw.get("network")
    weights = network.get("weights") if isinstance(network, dict) else None
    if not isinstance(weights, dict):
        return
    for kind in {"file", "bundle", "run", "hub"} & set(weights):
        value = weights[kind]
        if isinstance(value, str) and kind != "hub":
            value = {"path": value}
        if isinstance(value, dict):
            paths = {key: value[key] for key in ("path", "study", "image_list") if isinstance(value.get(key), str)}
            weights[kind] = {**value, **{key: str(folder / Path(at).expanduser()) for key, at in paths.items()}}


def _profiles_start_at(folder: Path, raw: dict[str, Any]) -> None:
    """Let the paths of weights in profiles start there too, in place."""
    profiles = raw.get("profiles")
    if isinstance(profiles, dict):
        raw["profiles"] = {
            name: start_changes_at(folder, changes) if isinstance(changes, dict) else changes
            for name, changes in profiles.items()
        }


def start_changes_at(folder: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes by path, such as ``network.weights``, whose paths of weights' files start at a folder."""
    result = {}
    for path, value in changes.items():
        steps = str(path).split(".")
        nested = deepcopy(value)
        for step in reversed(steps):
            nested = {step: nested}
        _start_at(folder, nested)
        for step in steps:
            nested = nested[step]
        result[path] = nested
    return result


def _overridden(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Merge key by key; a part of another entry replaces the base's, and phases its simple recipe."""
    result = merged(base, changes)
    for place, names in PARTS.items():
        own, before = _keys_of(changes, place), _keys_of(base, place)
        for key in names:
            chosen, replaced = _keys_of(own, key), _keys_of(before, key)
            if chosen and replaced and set(chosen) != set(replaced):
                result[place][key] = chosen
    if "backbone" in _keys_of(changes, "network") and "profiles" not in changes:
        result.pop("profiles", None)  # the base's small sibling is of the base's network
    recipe = _keys_of(changes, "recipe")
    if recipe.get("phases"):
        result["recipe"] = {k: v for k, v in result["recipe"].items() if k in recipe or k not in SIMPLE_KEYS}
    return result


def _keys_of(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """Return what stands under a key where that is keys and values, else nothing."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def with_changes(approach: Approach, changes: dict[str, Any]) -> Approach:
    """Return the approach with the values at some paths replaced, validated again."""
    return changed(approach, changes, where=f"approach {approach.name}")
