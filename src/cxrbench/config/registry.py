"""Kinds of exchangeable parts, such as backbones and heads: each entry is one place, and other packages add their own.

An entry holds a name, the model of its settings and the dotted path of its builder, which is imported when something
is built. Entry points of installed packages are listed from their metadata; a package is imported only when a
configuration names its entry.
"""

import sys
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module, metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationError, model_serializer
from pydantic_core import CoreSchema, core_schema

from cxrbench.config.base import Settings, first_problem, near_names, unknown
from cxrbench.errors import ConfigError


@dataclass(frozen=True)
class Entry:
    """One part that a configuration can name.

    Attributes:
        name: The word in a YAML.
        settings: Model of what can be set.
        builder: Dotted path, ``package.module:function``, of what builds the part from its settings.
        summary: One line for listings and documentation.
        main: Field that a bare value stands for, so that ``{timm: convnext_tiny}`` is enough.
        package: Distribution that brings the entry; None for our own.
    """

    name: str
    settings: type[Settings]
    builder: str
    summary: str
    main: str | None = None
    package: str | None = None


class Part(Settings):
    """A part that was chosen: the name of its entry, and its settings; in YAML ``{name: {setting: value}}``."""

    name: str
    settings: Settings

    @model_serializer
    def _as_one_key(self) -> dict[str, Any]:
        return {self.name: self.settings.model_dump(mode="json")}

    def identity(self) -> dict[str, Any]:
        """Return the entry's name and the identity of its settings."""
        return {self.name: self.settings.identity()}


class Absent(Settings):
    """Settings of an entry whose package is not installed here: kept as they are, never built."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True)
class Registry:
    """All entries of one kind: our own, and those of installed packages.

    Attributes:
        kind: What an entry is called in messages.
        own: The entries of this package.
        group: Entry-point group under which other packages offer theirs; None where they cannot.
    """

    kind: str
    own: tuple[Entry, ...]
    group: str | None = None
    _cache: dict[str, Entry] = field(default_factory=dict, compare=False)

    @cached_property
    def _foreign(self) -> dict[str, list[metadata.EntryPoint]]:
        """Entry points by name; a name that several packages offer has several."""
        if self.group is None:
            return {}
        taken = {entry.name for entry in self.own}
        found: dict[str, list[metadata.EntryPoint]] = {}
        for point in metadata.entry_points(group=self.group):
            if point.name not in taken:
                found.setdefault(point.name, []).append(point)
        return found

    @property
    def names(self) -> list[str]:
        """Names of all entries; nothing is imported for it."""
        return [*(entry.name for entry in self.own), *sorted(self._foreign)]

    @property
    def listing(self) -> list[str]:
        """Names of all entries for a reader: those of other packages with the packages that offer them."""
        own = [entry.name for entry in self.own]
        return [*own, *(f"{name} (of {_packages(points)})" for name, points in sorted(self._foreign.items()))]

    def find(self, name: str) -> Entry:
        """Return an entry by its name; imports the package that brings it.

        Raises:
            ConfigError: No such entry, or the package that offers it cannot be imported.
        """
        for entry in self.own:
            if entry.name == name:
                return entry
        if name not in self._foreign:
            raise ConfigError(unknown(self.kind, name, self.names, listing=self.listing))
        if name not in self._cache:
            self._cache[name] = self._load(self._only(name))
        return self._cache[name]

    def _only(self, name: str) -> metadata.EntryPoint:
        """The entry point of a name, where one package alone offers it."""
        first, *others = self._foreign[name]
        if others:
            raise ConfigError(
                f"{self.kind} {name!r}: offered by {_packages([first, *others])}; uninstall all but one of them"
            )
        return first

    def _load(self, point: metadata.EntryPoint) -> Entry:
        package = _package(point)
        try:
            entry = point.load()
        except Exception as error:
            raise ConfigError(
                f"{self.kind} {point.name!r}: package {package} cannot be imported ({type(error).__name__}: {error})"
            ) from error
        if not isinstance(entry, Entry):
            raise ConfigError(
                f"{self.kind} {point.name!r}: {point.value} of package {package} is a {type(entry).__name__}, "
                "not a cxrbench Entry"
            )
        return Entry(point.name, entry.settings, entry.builder, entry.summary, entry.main, package)

    def parse(self, value: Any) -> Part:
        """Read a part as YAML spells it: ``name``, ``{name: {setting: value}}`` or ``{name: value}``.

        Raises:
            ValueError: No such entry, or settings that are not valid; one line.
        """
        if isinstance(value, Part) and isinstance(value.settings, Absent):
            return value
        if isinstance(value, Part):
            value = {value.name: value.settings}
        if isinstance(value, str):
            value = {value: {}}
        if not isinstance(value, dict) or len(value) != 1:
            got = " and ".join(map(str, value)) if isinstance(value, dict) else type(value).__name__
            raise ValueError(f"name one {self.kind}, as in {{{self.names[0]}: {{...}}}}; got {got or 'nothing'}")
        [(name, given)] = value.items()
        try:
            entry = self.find(str(name))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return Part(name=entry.name, settings=self._settings(entry, given))

    def _settings(self, entry: Entry, given: Any) -> Settings:
        if isinstance(given, Settings):
            given = given.model_dump(mode="json")
        if given is None:
            given = {}
        if not isinstance(given, dict):
            if entry.main is None:
                raise ValueError(f"{entry.name}: expected keys and values, got {given!r}")
            given = {entry.main: given}
        try:
            return entry.settings.model_validate(given)
        except ValidationError as error:
            raise ValueError(f"{entry.name}: {first_problem(error, entry.settings)}") from None

    def title(self, part: Part) -> str:
        """Return a part's name for messages, such as ``backbone timm convnext_tiny``."""
        main = self.find(part.name).main
        own = [] if main is None else [str(getattr(part.settings, main))]
        return " ".join([self.kind, part.name, *own])

    def build(self, part: Part, **context: Any) -> Any:
        """Build a part: call the builder of its entry with the settings and ``context``.

        Raises:
            ConfigError: The builder cannot be imported.
        """
        return self.builder(part)(part.settings, **context)

    def builder(self, part: Part) -> Any:
        """Return what builds a part, imported.

        Raises:
            ConfigError: It cannot be imported.
        """
        return imported(self.find(part.name).builder, what=f"{self.kind} {part.name!r}")

    # What pydantic sees where a field is annotated with ``Annotated[Part, registry]``.
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate a field by this registry."""
        return core_schema.no_info_before_validator_function(self.parse, handler(source))


def _package(point: metadata.EntryPoint) -> str:
    """The distribution that offers an entry point."""
    return point.dist.name if point.dist else point.value


def _packages(points: list[metadata.EntryPoint]) -> str:
    return " and ".join(sorted(_package(point) for point in points))


def top_spec(module: str) -> ModuleSpec | None:
    """Find a module's top package, installed or in the current folder, without importing anything; None without one."""
    top = module.partition(".")[0]
    try:
        return find_spec(top) or PathFinder.find_spec(top, [str(Path.cwd())])
    except (ImportError, ValueError):
        return None


def imported(path: str, *, what: str) -> Any:
    """Import ``package.module:name``; what is not installed may lie in the current folder.

    Raises:
        ConfigError: The module cannot be imported, or has no such name; ``what`` begins the message.
    """
    module_name, _, name = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and find_spec(module_name.partition(".")[0]) is None and top_spec(module_name):
        sys.path.append(here)
    module = _module(module_name, what=what)
    try:
        return getattr(module, name)
    except AttributeError:
        there = [each for each in dir(module) if not each.startswith("_")]
        raise ConfigError(
            f"{what}: {module_name} has no {name!r}; {near_names(name, there)}name a function of it"
        ) from None


def _module(name: str, *, what: str) -> ModuleType:
    """Import a module; whatever its code raises is told on one line."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"{what}: {name} cannot be imported ({error}); is its package installed?") from error
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{what}: {name} cannot be imported ({said}); correct its code") from error
