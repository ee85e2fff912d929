"""Frozen, validated settings: parsing with one-line errors, changes by path, and the identity of a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from cxrbench.errors import ConfigError


@dataclass(frozen=True)
class Added:
    """Marks a field that came later: runs made before it had the value ``older``, and only then it is not hashed."""

    older: Any


@dataclass(frozen=True)
class NotIdentity:
    """Marks a field that does not change what a run learns, such as a summary."""


class Settings(BaseModel):
    """Base of all settings: frozen; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def identity(self) -> dict[str, Any]:
        """Return all values, defaults included, as the JSON value whose hash identifies them."""
        result = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            later = [mark for mark in field.metadata if isinstance(mark, Added)]
            if any(isinstance(mark, NotIdentity) for mark in field.metadata):
                continue
            if later and value == later[0].older:
                continue
            result[name] = _identity_of(value)
        return result


def _identity_of(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.identity()
    if isinstance(value, Mapping):
        return {str(key): _identity_of(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_identity_of(each) for each in value]
    return str(value) if isinstance(value, Path) else value


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
        raise ConfigError(f"{where}: {first_problem(error, model)}") from None


def first_problem(error: ValidationError, model: type[Settings]) -> str:
    """Return the first problem of a failed validation on one line."""
    # An unknown key is often the misspelling of a missing one: it is the more telling of the two.
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in problem["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; valid keys here: {', '.join(_keys_at(model, problem['loc'][:-1]))}{more}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing{more}"
    message = problem["msg"].removeprefix("Value error, ")
    # Of values that do not fit together, the message names the parts; all of them would be no line.
    got = "" if isinstance(problem["input"], dict | Settings) else f"; got {problem['input']!r:.80}"
    return f"{key + ': ' if key else ''}{message}{got}{more}"


def _keys_at(model: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        nested = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        for each in (nested, *get_args(nested)):  # tuple[Phase, ...] leads to Phase
            if isinstance(each, type) and issubclass(each, Settings):
                model = each
    return sorted(model.model_fields)


def changed(settings: AnySettings, changes: Mapping[str, Any], *, where: str) -> AnySettings:
    """Return the settings with the values at some paths replaced, validated again as a whole.

    Args:
        settings: The settings to start from; they stay as they are.
        changes: Paths such as ``recipe.epochs`` or ``recipe.phases.1.epochs``, and the new values.
        where: What the changes are for, to begin an error message.

    Raises:
        ConfigError: A path leads nowhere, or the result is not valid.
    """
    if not changes:
        return settings
    raw = settings.model_dump(mode="json")
    for path, value in changes.items():
        _set(raw, path, value, where=where)
    return parse_settings(raw, type(settings), where=where)


def _set(raw: dict[str, Any], path: str, value: Any, *, where: str) -> None:
    """Put a value where a path leads; the last step may be new, as an optional key is."""
    *steps, last = path.split(".")
    at: Any = raw
    try:
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at[step]
        if isinstance(at, list):
            at[int(last)] = value
        else:
            at.update({last: value})
    except (LookupError, ValueError, TypeError, AttributeError):
        raise ConfigError(f"{where}: no {path!r} to change; keys here: {', '.join(raw)}") from None


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes``, nested mappings merged key by key."""
    result = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if nested else value
    return result


def read_yaml(path: Path) -> Any:
    """Parse a YAML file.

    Raises:
        ConfigError: The file is absent or is no YAML; the message says where.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: a folder, not a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{at}: broken YAML: {getattr(error, 'problem', error)}") from None


def packaged(folder: str) -> Traversable:
    """Return a folder of data files inside the package."""
    return resources.files("cxrbench") / folder


def packaged_names(folder: str) -> list[str]:
    """Return the names of the packaged YAML files of one kind, sorted."""
    files = (path.name for path in packaged(folder).iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


def packaged_text(folder: str, name: str, *, kind: str, names: Sequence[str] | None = None) -> str:
    """Return a packaged YAML file as written.

    Raises:
        ConfigError: No such name; the message offers near ones and lists the others.
    """
    names = packaged_names(folder) if names is None else names
    if name not in names:
        raise ConfigError(unknown(kind, name, names))
    return (packaged(folder) / f"{name}.yaml").read_text(encoding="utf-8")


def unknown(kind: str, name: str, names: Sequence[str], *, listing: Sequence[str] | None = None) -> str:
    """Return the message for an unknown name: the nearest valid ones first, then all, as ``listing`` spells them."""
    return f"unknown {kind} {name!r}; {near_names(name, names)}valid names: {', '.join(listing or names)}"


def near_names(name: str, names: Sequence[str]) -> str:
    """Return ``did you mean a or b?`` with a blank after it, for a message; empty where no name is near."""
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}? " if near else ""


def is_path(name: Any) -> bool:
    """Return whether an approach, vocabulary or format is given by its YAML file."""
    return isinstance(name, str | Path) and str(name).endswith((".yaml", ".yml"))
