"""The part of the model card that is about the networks: what each sees, is made of and started from."""

from collections.abc import Iterable, Sequence
from typing import Any

from cxrbench.bundle.record import BundleRecord, Member
from cxrbench.config import Part

SHORT = 12
"""Digits of a digest that are shown."""


def member_sections(record: BundleRecord) -> dict[str, str]:
    """Return headings and Markdown, some of it empty."""
    return {
        "Input": _input(record),
        "Networks": _networks(record),
        "Members": _members(record),
        "Pre-trained weights": _pretraining(record),
        "Code of other packages": _packages(record),
    }


def _input(record: BundleRecord) -> str:
    rows = [(str(number), *_seen(member)) for number, member in enumerate(record.members, start=1)]
    head = ("Member", "Shrunk to", "Centre crop", "Network input", "Channels", "Mean / SD of grey 0..1", "Features")
    return (
        f"A film in grey, bones bright. Geometry: {record.geometry}. Then the centre crop, a share of the film's "
        f"padded side.\n\n{table(head, rows)}\n\nFeatures are age, sex and view position as far as the network "
        "takes them. One that is not known takes the mean of the training part, and the answer a warning."
    )


def _seen(member: Member) -> tuple[str, ...]:
    """How a film becomes the network's input."""
    own = member.approach.input
    mean, sd = own.normalisation
    size, features = f"{own.image_size} px", ", ".join(member.approach.network.features)
    return (
        f"{own.store_size} px",
        f"{own.crop:.1%}",
        size,
        str(own.channels),
        f"{_listed(mean)} / {_listed(sd)}",
        features or "none",
    )


def _networks(record: BundleRecord) -> str:
    """What each network is made of, and how much of it was trained."""
    parts = [(member.approach.network, member.approach.has_frozen_backbone) for member in record.members]
    rows = [
        (str(number), _said(own.backbone), _said(own.head), "head only" if is_frozen else "all")
        for number, (own, is_frozen) in enumerate(parts, start=1)
    ]
    return table(("Member", "Backbone", "Head", "Trained"), rows)


def _said(part: Part) -> str:
    """Return a part of a network as a reader is told it: its name, and the settings that are not off or empty."""
    values = part.settings.model_dump(mode="json")
    told = ", ".join(_setting(name, value) for name, value in values.items() if value)
    return f"{part.name} ({told})" if told else part.name


def _setting(name: str, value: Any) -> str:
    """One setting in words: a switch by its name, a list with hyphens."""
    words = name.replace("_", " ")
    if value is True:
        return words
    return f"{words} {'-'.join(map(str, value)) if isinstance(value, list) else value}"


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _members(record: BundleRecord) -> str:
    rows = [
        (
            str(number),
            member.run.approach,
            member.run.split,
            str(member.run.seed),
            member.run.profile,
            member.run.hash[:SHORT],
            member.weights.sha256[:SHORT],
        )
        for number, member in enumerate(record.members, start=1)
    ]
    return table(("Member", "Approach", "Split", "Seed", "Profile", "Settings", "Weights"), rows)


def _pretraining(record: BundleRecord) -> str:
    rows = [(str(number), *_origin(member)) for number, member in enumerate(record.members, start=1)]
    return table(("Member", "Started from", "Licence", "Chest X-ray archives seen", "SHA-256"), rows)


def _origin(member: Member) -> tuple[str, str, str, str]:
    weights = member.run.pretraining
    if weights is None:
        started = "pre-trained weights that version 0.1 did not record" if member.approach.network.has_weights else ""
        return ("a stand-in" if member.run.has_stand_in_weights else started or "random weights", "", "", "")
    seen = ", ".join(f"{each.archive} ({'with' if each.with_labels else 'without'} labels)" for each in weights.saw)
    licence = weights.licence + (f", seen {weights.licence_seen}" if weights.licence_seen else "")
    return (f"{weights.title} ({weights.source})", licence, seen or "none known", weights.digest[:SHORT])


def _packages(record: BundleRecord) -> str:
    """Packages whose code builds the networks; empty where all of it is cxrbench's own."""
    rows = [
        (
            str(number),
            f"{own.kind} {own.part}",
            own.module,
            own.package or "",
            own.version or "",
            (own.sha256 or "")[:SHORT],
        )
        for number, member in enumerate(record.members, start=1)
        for own in member.packages
    ]
    return table(("Member", "Part", "Module", "Package", "Version", "Sources"), rows) if rows else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines)
