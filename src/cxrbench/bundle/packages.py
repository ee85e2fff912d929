"""Code of other packages that builds a bundle's networks: what is recorded of it, and when it may be imported.

A network may be a function of somebody's module, or come from another package's entry point. Entry points belong to
packages that somebody installed. A module that only a bundle names is imported where the user allows it.
"""

from collections.abc import Collection, Iterator
from importlib import metadata
from typing import Any

from pydantic import Field

from cxrbench.config import BACKBONES, HEADS, Augmentation, Network, Part, Recipe, Registry, Settings
from cxrbench.config.code import source_digest, with_unread_parts
from cxrbench.config.network import Module
from cxrbench.config.registry import Absent, top_spec

REGISTRIES: dict[str, Registry] = {"backbone": BACKBONES, "head": HEADS}
"""Parts of a network that another package can bring, by their key in ``network``."""

TRAINING: dict[str, type[Settings]] = {"augmentation": Augmentation, "recipe": Recipe}
"""Sections of an approach that only training needs: no bundle builds their parts."""


class PackageRecord(Settings):
    """A package whose code builds a part of a network, as it was when the bundle was made."""

    kind: str = Field(description="backbone or head")
    part: str = Field(description="name of the part's entry")
    module: str = Field(description="dotted path of the module that builds it")
    package: str | None = Field(None, description="installed distribution; null where the module belongs to none")
    version: str | None = None
    sha256: str | None = Field(None, description="of the sources of the whole package; null where they have no file")

    def __str__(self) -> str:
        """Name part and package, for messages."""
        named = " ".join(filter(None, (self.package, self.version)))
        return f"{self.kind} {self.part} is built by {self.module}" + (f" of package {named}" if named else "")


def packages_of(network: Network) -> tuple[PackageRecord, ...]:
    """Return what is to be recorded of the packages that build a network's parts; empty where all are our own."""
    found = []
    for kind, part in _parts(network):
        entry = REGISTRIES[kind].find(part.name)
        if isinstance(part.settings, Module):
            module, package = part.settings.function.partition(":")[0], None
        elif entry.package is not None:
            module, package = entry.builder.partition(":")[0], entry.package
        else:
            continue
        found.append(_record(kind, part.name, module, package))
    return tuple(found)


def modules_of(network: Network) -> tuple[str, ...]:
    """Return the modules of a network that no installed entry point vouches for."""
    settings = [part.settings for _, part in _parts(network)]
    return tuple(each.function.partition(":")[0] for each in settings if isinstance(each, Module))


def obstacle_of(network: Network, packages: Collection[PackageRecord], *, allowed: Collection[str]) -> str | None:
    """Return why a network cannot be built here, with the remedy; None where it can. Nothing is imported.

    Args:
        network: Whose parts are to be built.
        packages: What the bundle records of their packages.
        allowed: Modules, or packages of modules, that the user lets a bundle import.
    """
    recorded = {record.kind: record for record in packages}
    for kind, part in _parts(network):
        if isinstance(part.settings, Absent):
            return f"{recorded[kind]}, which is not installed here; install it"
    for module in modules_of(network):
        if top_spec(module) is None:
            return f"its network is built by module {module}, which is not installed here; install it"
        if not any(module == name or module.startswith(f"{name}.") for name in allowed):
            return (
                f"its network is built by module {module}, which only the bundle names; look at that code first, then "
                f"allow it: --allow-module {module}"
            )
    return None


def code_notes(packages: Collection[PackageRecord]) -> tuple[str, ...]:
    """Say where the code that is installed is not the one that the bundle was made with."""
    notes = []
    for made in packages:
        now = _record(made.kind, made.part, made.module, made.package)
        here = _builder_here(made)
        if here not in {None, made.module}:
            notes.append(f"{made}; here it is built by {here}")
        elif now.version != made.version and now.version is not None:
            notes.append(f"{made}; version {now.version} is installed")
        elif now.sha256 != made.sha256 and now.sha256 is not None:
            notes.append(f"{made}, whose sources have changed since")
    return tuple(notes)


def _builder_here(made: PackageRecord) -> str | None:
    """Return the module that builds such a part in this installation; None where no entry has its name."""
    registry = REGISTRIES.get(made.kind)
    if registry is None or made.part not in registry.names or (entry := registry.find(made.part)).package is None:
        return None  # of our own entries only ``module`` is recorded, which names its module itself
    return entry.builder.partition(":")[0]


def with_absent_parts(member: Any) -> Any:
    """Return a member as a bundle describes it, its parts of packages that are not installed kept unread.

    Args:
        member: Keys and values; whatever else it may be is returned as it is.
    """
    try:
        named = {(record["kind"], record["part"]) for record in member["packages"]}
        network = dict(member["approach"]["network"])
        for kind, registry in REGISTRIES.items():
            (name, settings), *more = network[kind].items()
            if (kind, name) in named and name not in registry.names and not more:
                network[kind] = Part(name=name, settings=Absent(**settings))
        approach = {**member["approach"], "network": network}
        for key, model in TRAINING.items():
            if key in approach:
                approach[key] = with_unread_parts(approach[key], model)
        return {**member, "approach": approach}
    except (LookupError, TypeError, ValueError, AttributeError):
        return member  # its validation says what is wrong


def _parts(network: Network) -> Iterator[tuple[str, Part]]:
    """Parts that another package can bring, and their kinds."""
    yield from ((kind, getattr(network, kind)) for kind in REGISTRIES)


def _record(kind: str, part: str, module: str, package: str | None) -> PackageRecord:
    """What is known of a module's package now."""
    top = module.partition(".")[0]
    name = package or next(iter(metadata.packages_distributions().get(top, [])), None)
    return PackageRecord(
        kind=kind, part=part, module=module, package=name, version=_version(name), sha256=source_digest(module)
    )


def _version(package: str | None) -> str | None:
    try:
        return None if package is None else metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
