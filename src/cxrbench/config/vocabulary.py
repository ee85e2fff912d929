"""Vocabularies: the findings of a study, in order, each with its aliases, code and group.

Packaged vocabularies lie in ``cxrbench/vocabularies``; a study's own comes from the format of its labels or a YAML.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import field_validator, model_validator

from cxrbench.config.base import (
    Settings,
    is_path,
    packaged_names,
    packaged_text,
    parse_settings,
    read_yaml,
    unknown,
)
from cxrbench.config.finding import PRIVATE_SCHEME, Finding
from cxrbench.errors import ConfigError


class Vocabulary(Settings):
    """The findings that labels state or a study answers, in order."""

    name: str
    source: str = ""
    findings: tuple[Finding, ...]

    @field_validator("findings", mode="before")
    @classmethod
    def _names_alone_are_enough(cls, value: object) -> object:
        """Let a bare name stand for the finding as a packaged vocabulary has it."""
        return _with_known(value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        if not self.findings:
            raise ValueError("findings is empty; name one or more")
        names = Counter(each.name for each in self.findings)
        if repeated := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"findings names {repeated[0]!r} twice")
        owners: dict[str, str] = {}
        for each in self.findings:
            for text in (each.name, *each.aliases):
                if (owner := owners.setdefault(folded(text), each.name)) != each.name:
                    raise ValueError(f"two findings share the spelling {text!r}: {owner!r} and {each.name!r}")
        if len(none := [each.name for each in self.findings if each.means_none]) > 1:
            raise ValueError(f"means_none is true of {none[0]!r} and of {none[1]!r}; one label at most says it")
        return self

    @model_validator(mode="after")
    def _each_private_code_once(self) -> Self:
        private = Counter(each.coded.value for each in self.findings if each.coded.is_private)
        if shared := [value for value, count in private.items() if count > 1]:
            names = " and ".join(each.name for each in self.findings if each.coded.value == shared[0])
            raise ValueError(f"{names} have the same code {shared[0]} of {PRIVATE_SCHEME}; give one another code")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the findings, in order."""
        return tuple(finding.name for finding in self.findings)

    @property
    def pathologies(self) -> tuple[str, ...]:
        """Names of the findings that count in the mean: the pathologies, or all findings where none is one."""
        return tuple(finding.name for finding in self.findings if finding.is_pathology) or self.names

    @property
    def none_present(self) -> str | None:
        """Name of the label that says that no finding is present, such as "No Finding"; None without one."""
        return next((finding.name for finding in self.findings if finding.means_none), None)

    @cached_property
    def _by_spelling(self) -> dict[str, str]:
        return {folded(text): each.name for each in self.findings for text in (each.name, *each.aliases)}

    def canonical(self, name: str) -> str | None:
        """Return the vocabulary's own spelling of ``name``, or None when it is not in the vocabulary.

        Case, accents, blanks, ``_`` and ``-`` do not matter.
        """
        return self._by_spelling.get(folded(name))

    def __getitem__(self, name: str) -> Finding:
        """Return a finding by its own name; KeyError when there is none."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    def subset(self, names: Iterable[str]) -> Self:
        """Return the vocabulary of some of its findings, in its own order."""
        wanted = set(names)
        # Built anew: a copy would keep the spellings of the whole.
        return type(self)(
            name=self.name, source=self.source, findings=tuple(each for each in self.findings if each.name in wanted)
        )

    @classmethod
    def of(cls, findings: Iterable[str | Mapping[str, Any]], *, name: str = "own") -> Self:
        """Return a vocabulary of findings, or of their names alone; known names keep their codes and spellings.

        Raises:
            ConfigError: A name is no finding's, or two are alike.
        """
        return parse_settings({"name": name, "findings": list(findings)}, cls, where=f"vocabulary {name!r}")


def _with_known(findings: Sequence[object]) -> list[object]:
    """Replace bare names by the findings that a packaged vocabulary has; of two names of one finding, only the first.

    A finding keeps its own name, and gets no spelling that another one has.
    """
    taken = {folded(text) for each in findings for text in _spellings(each)}
    used: set[str] = set()
    result: list[object] = []
    for each in findings:
        known = _known(each) if isinstance(each, str) else None
        if known is None or known.name in used:
            result.append({"name": each} if isinstance(each, str) else each)
            continue
        used.add(known.name)
        aliases = [text for text in (known.name, *known.aliases) if folded(text) not in taken]
        result.append({**known.model_dump(), "name": each, "aliases": aliases})
    return result


def _known(name: str) -> Finding | None:
    """Return the finding that a packaged vocabulary has under a name."""
    for vocabulary in map(load_vocabulary, PREFERRED):
        if (own := vocabulary.canonical(name)) is not None:
            return vocabulary[own]
    return None


def _spellings(raw: object) -> tuple[str, ...]:
    """Return the name and aliases of a finding that may not be validated yet."""
    if isinstance(raw, Finding):
        return (raw.name, *raw.aliases)
    aliases = raw.get("aliases") if isinstance(raw, Mapping) else ()
    listed = (
        raw.get("name") if isinstance(raw, Mapping) else raw,
        *(aliases if isinstance(aliases, list | tuple) else ()),
    )
    return tuple(text for text in listed if isinstance(text, str))


NIH15 = "nih15"
"""The vocabulary of the paper: 14 pathologies and "No Finding"."""

PREFERRED = (NIH15,)
"""Vocabularies that give a bare name its code."""


LINKS = re.compile(r"[\s_-]+")
"""What may stand between words, or not."""


def folded(text: str) -> str:
    """Return a spelling without case, accents, blanks, ``_`` and ``-``, so that equal names compare equal."""
    # Once more after folding: a letter such as the double-struck H is a capital only when it is taken apart.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).casefold()
    spelt = "".join(letter for letter in plain.strip() if not unicodedata.combining(letter))
    return LINKS.sub("", spelt)


def vocabulary_names() -> list[str]:
    """Return the names of the packaged vocabularies."""
    return packaged_names("vocabularies")


def load_vocabulary(name: str = NIH15) -> Vocabulary:
    """Return a vocabulary by its packaged name, or from a YAML file when ``name`` ends in ``.yaml`` or ``.yml``.

    Raises:
        ConfigError: No such vocabulary, or one that is not valid.
    """
    if is_path(name):
        return parse_settings(read_yaml(Path(name)), Vocabulary, where=name)
    return _packaged_vocabulary(name)


@cache
def _packaged_vocabulary(name: str) -> Vocabulary:
    raw = yaml.safe_load(packaged_text("vocabularies", name, kind="vocabulary"))
    return parse_settings(raw, Vocabulary, where=f"vocabulary {name}")


def recorded_vocabulary(record: Mapping[str, Any], findings: Sequence[str] | None = None, *, where: Path) -> Vocabulary:
    """Return the vocabulary that a record such as ``study.json`` holds; version 0.1 wrote none, and used NIH's.

    Args:
        record: Content of the record.
        findings: Findings to keep, in the order wanted; all unless given. One that the record lacks has its name alone.
        where: Path of the record, to begin an error message.

    Raises:
        ConfigError: The recorded vocabulary is not valid.
    """
    raw = record.get("vocabulary")
    whole = load_vocabulary() if raw is None else parse_settings(raw, Vocabulary, where=f"{where}: vocabulary")
    if findings is None:
        return whole
    known = {each.name: each for each in whole.findings}
    chosen = tuple(known.get(name) or Finding(name=name) for name in findings)
    return Vocabulary(name=whole.name, source=whole.source, findings=chosen)


def require_findings(names: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the vocabulary's spelling of each name.

    Raises:
        ConfigError: One is not in the vocabulary; the message offers near names.
    """
    found = [(name, vocabulary.canonical(name)) for name in names]
    for name, own in found:
        if own is None:
            raise ConfigError(unknown("finding", name, vocabulary.names))
    return tuple(own for _, own in found if own is not None)
