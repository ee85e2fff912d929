"""Mappings: which finding of one vocabulary is which of another, by exact name, each with its reason."""

from functools import cache

import yaml
from pydantic import Field

from cxrbench.config.base import Settings, packaged_names, packaged_text, parse_settings

FOLDER = "mappings"


class MappedName(Settings):
    """One name of an archive and the finding it is."""

    theirs: str = Field(min_length=1)
    ours: str = Field(min_length=1)
    reason: str = Field(min_length=1, description="why the two are one finding, or one a kind of the other")


class Mapping(Settings):
    """Names of one vocabulary's archive -> findings of another vocabulary."""

    source: str = ""
    names: tuple[MappedName, ...]

    @property
    def as_dict(self) -> dict[str, str]:
        """Their names and ours."""
        return {each.theirs: each.ours for each in self.names}


@cache
def find_mapping(theirs: str, ours: str) -> Mapping | None:
    """Return the packaged mapping between two vocabularies, or None where there is none."""
    name = f"{theirs}-to-{ours}"
    names = packaged_names(FOLDER)
    if name not in names:
        return None
    raw = yaml.safe_load(packaged_text(FOLDER, name, kind="mapping", names=names))
    return parse_settings(raw, Mapping, where=f"mapping {name}")
