"""Bundles of version 0.1 (format version 2) in today's words.

They know NIH's 15 findings, and answered all of them. What their networks never saw is withheld now.
"""

from pathlib import Path
from typing import Any

from cxrbench.bundle.population import Population
from cxrbench.bundle.record import FORMAT_VERSION
from cxrbench.config import STAND_IN, Vocabulary, load_vocabulary
from cxrbench.config.schema1 import map_approach, with_crop
from cxrbench.errors import BundleError

VERSION = 2


def upgraded(raw: dict[str, Any], path: Path, *, remedy: str) -> dict[str, Any]:
    """Return the content of a ``bundle.json`` of format version 2 as today's.

    Args:
        raw: Keys and values, their digest checked.
        path: Path of the file, for messages.
        remedy: What to do where it cannot be used; ends the message.

    Raises:
        BundleError: Its values are not those of a bundle.
    """
    try:
        findings = tuple(raw["findings"])
        return {
            **raw,
            "format_version": FORMAT_VERSION,
            "vocabulary": _vocabulary(findings).model_dump(mode="json"),
            "withheld": Population.model_validate(raw["population"]).unlearnt(),
            "left_out": {},
            "members": [{**member, "approach": _approach(member)} for member in raw["members"]],
        }
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        said = " ".join(str(error).split())[:160]
        raise BundleError(f"{path}: damaged ({type(error).__name__}: {said}); {remedy}") from None


def _vocabulary(findings: tuple[str, ...]) -> Vocabulary:
    """Return the vocabulary of the findings; version 0.1 had NIH's only."""
    nih = load_vocabulary()
    return Vocabulary(name=nih.name, source=nih.source, findings=tuple(nih[name] for name in findings))


def _approach(member: dict[str, Any]) -> dict[str, Any]:
    """Return a member's approach with today's keys."""
    source = STAND_IN if member["run"]["has_stand_in_weights"] else None
    return with_crop(map_approach(member["approach"], weights_source=source))
