"""Code of other packages that settings name: which modules they are, and a digest of their sources.

A function of the user's own, or a part from another package's entry point, decides what a run learns. Its sources are
therefore part of the run's identity. Nothing is imported for that.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from cxrbench.config.base import Settings
from cxrbench.config.network import Module
from cxrbench.config.registry import Absent, Part, Registry, top_spec


def parts_of(settings: Settings) -> Iterator[tuple[Registry, Part]]:
    """Yield the exchangeable parts of settings and the registry of each, those of nested settings too."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        registries = list(_registries((*field.metadata, field.annotation)))
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Part):
                yield from ((registry, each) for registry in registries)
                yield from parts_of(each.settings)
            elif isinstance(each, Settings):
                yield from parts_of(each)


def _registries(marks: Iterable[Any]) -> Iterator[Registry]:
    """Registries in the annotation of a field, such as ``tuple[Annotated[Part, HEADS], ...]``."""
    for mark in marks:
        if isinstance(mark, Registry):
            yield mark
        else:
            yield from _registries(get_args(mark))


def with_unread_parts(raw: Any, model: type[Settings], *, also_installed: bool = False) -> Any:
    """Return raw settings whose parts of packages that are not installed are kept unread.

    Args:
        raw: Keys and values, as recorded; whatever else it may be is returned as it is.
        model: The settings they are meant for.
        also_installed: Keep the parts of all other packages unread.
    """
    if not isinstance(raw, Mapping):
        return raw
    marks = {name: (*field.metadata, field.annotation) for name, field in model.model_fields.items()}
    return {
        key: _unread(value, marks[key], also_installed=also_installed) if key in marks else value
        for key, value in raw.items()
    }


def _unread(value: Any, marks: tuple[Any, ...], *, also_installed: bool) -> Any:
    """A field's value, or each of its values, with absent parts."""
    if isinstance(value, list | tuple):
        return [_unread(each, marks, also_installed=also_installed) for each in value]
    for registry in _registries(marks):
        return _absent(value, registry, also_installed=also_installed)
    for model in _models(marks):
        return with_unread_parts(value, model, also_installed=also_installed)
    return value


def _absent(value: Any, registry: Registry, *, also_installed: bool) -> Any:
    """A part as recorded, or kept unread where another package brings it."""
    known = [entry.name for entry in registry.own] if also_installed else registry.names
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    ((name, settings),) = value.items()
    is_ours = registry.group is None or name in known
    return value if is_ours or not isinstance(settings, Mapping) else Part(name=name, settings=Absent(**settings))


def _models(marks: Iterable[Any]) -> Iterator[type[Settings]]:
    """Models of settings in the annotation of a field."""
    for mark in marks:
        if isinstance(mark, type) and issubclass(mark, Settings):
            yield mark
        else:
            yield from _models(get_args(mark))


def module_of(registry: Registry, part: Part) -> str | None:
    """Return the module of another package that builds a part; None where the part is our own, or not installed."""
    if isinstance(part.settings, Absent):
        return None
    if isinstance(part.settings, Module):
        return part.settings.function.partition(":")[0]
    entry = registry.find(part.name)
    return None if entry.package is None else entry.builder.partition(":")[0]


def code_of(settings: Settings) -> dict[str, str] | None:
    """Return the digests of the sources of other packages whose code settings name, by top package; None without any.

    A package without source files has no digest and is left out.
    """
    modules = filter(None, (module_of(registry, part) for registry, part in parts_of(settings)))
    tops = sorted({module.partition(".")[0] for module in modules})
    found = {top: digest for top in tops if (digest := source_digest(top))}
    return found or None


def changed_code(recorded: Mapping[str, str] | None, now: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return the top packages whose sources are others now than recorded, or are only on one side."""
    old, new = recorded or {}, now or {}
    return tuple(sorted(top for top in {*old, *new} if old.get(top) != new.get(top)))


def source_digest(module: str) -> str | None:
    """Return the SHA-256 (hex) of the Python files of a module's top package, by name; None where it has none."""
    spec = top_spec(module)
    if spec is None:
        return None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [(path.relative_to(folder).as_posix(), path) for folder in folders for path in folder.rglob("*.py")]
    if not folders and spec.origin and Path(spec.origin).is_file():
        files = [(Path(spec.origin).name, Path(spec.origin))]
    if not files:
        return None
    digest = hashlib.sha256()
    for name, path in sorted(files):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
