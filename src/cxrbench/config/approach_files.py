"""Approaches as YAML files, packaged or the user's: their names, what they extend, and where their paths start."""

from collections.abc import Mapping
from copy import deepcopy
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from cxrbench.config.approach import PAPER_APPROACHES, Approach
from cxrbench.config.base import is_path, merged, packaged_names, packaged_text, parse_settings, read_yaml
from cxrbench.config.recipe import SIMPLE_KEYS
from cxrbench.config.schema1 import is_schema_1_approach, map_approach
from cxrbench.errors import ConfigError

FOLDER = "approaches"


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
