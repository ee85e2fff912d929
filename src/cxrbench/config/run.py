"""What makes a run the run it is: equal hashes, equal runs; and the reader of what earlier versions recorded."""

import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from cxrbench.config import schema1
from cxrbench.config.approach import Approach
from cxrbench.config.base import Added, NotIdentity, Settings, parse_settings
from cxrbench.config.code import with_unread_parts
from cxrbench.config.study import ComputeSettings
from cxrbench.errors import ConfigError, StudyError
from cxrbench.files import digest_json

SCHEMA = 2
"""Of ``config.json``; 1 had no such key."""


class ArchiveSeen(Settings):
    """A chest X-ray archive that pre-trained weights saw."""

    archive: str
    with_labels: bool = Field(False, description="the weights learnt its labels too")
    split: str | None = Field(None, description="which part of it, where that is known")
    images: str | None = Field(None, description="where a list of its images is")


class WeightsRecord(Settings):
    """Where a run's pre-trained weights came from; the digest alone identifies them."""

    source: Annotated[str, NotIdentity()] = Field(description="hub, file, stand-in, bundle or run")
    digest: str = Field(description="SHA-256 (hex) of the file that the study keeps them in")
    is_stand_in: Annotated[bool, NotIdentity()] = False
    name: Annotated[str | None, NotIdentity()] = Field(None, description="the hub's id, the file's name, or the run's")
    origin_digest: Annotated[str | None, NotIdentity()] = Field(
        None, description="SHA-256 (hex) of the file they were in"
    )
    dataset: Annotated[str, NotIdentity()] = "unknown"
    licence: Annotated[str, NotIdentity()] = "unknown"
    licence_seen: Annotated[str | None, NotIdentity()] = Field(None, description="date on which the licence was read")
    mean: Annotated[tuple[float, ...] | None, NotIdentity()] = Field(None, description="of their input, grey 0..1")
    std: Annotated[tuple[float, ...] | None, NotIdentity()] = None
    input_range: Annotated[tuple[float, float] | None, NotIdentity()] = Field(
        None, description="what grey 0 and 1 become, where that is how their input is described"
    )
    interpolation: Annotated[str | None, NotIdentity()] = None
    saw: Annotated[tuple[ArchiveSeen, ...], NotIdentity()] = Field(
        (), description="archives it learnt from; of a run or bundle, its own archive comes first"
    )
    split: Annotated[str | None, NotIdentity()] = Field(
        None, description="of a run or bundle, the split it learnt from"
    )
    split_digest: Annotated[str | None, NotIdentity()] = None
    tensors: Annotated[int | None, NotIdentity()] = Field(None, description="tensors that matched the network")
    parameters: Annotated[int | None, NotIdentity()] = Field(None, description="numbers in these tensors")
    notes: Annotated[tuple[str, ...], NotIdentity()] = Field((), description="what had to be adapted, in words")

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence forbids commercial use, as far as its name tells."""
        words = set(re.split(r"[^a-z]+", self.licence.lower()))
        return bool(words & NON_COMMERCIAL) or "non-commercial" in self.licence.lower()

    @property
    def title(self) -> str:
        """What the weights are, in a few words: ``resnet50.tv_in1k, trained on ImageNet-1k``."""
        if self.is_stand_in:
            return "stand-in, trained on generated pictures"
        trained = "unknown data" if self.dataset == "unknown" else self.dataset
        return f"{self.name or self.source}, trained on {trained}"


EVERY = "*"
"""Stands for all approaches that start from weights, as in studies of version 0.1, which had one file for all."""


def weights_by_approach(raw: Any) -> dict[str, WeightsRecord]:
    """Return the records of pre-trained weights in ``study.json``, by approach.

    Version 0.1 had one record for all approaches, or null; it comes under ``EVERY``.
    """
    if not raw:
        return {}
    records = {EVERY: raw} if isinstance(raw.get("digest"), str) else raw
    return {name: parse_settings(each, WeightsRecord, where=f"weights of {name}") for name, each in records.items()}


NON_COMMERCIAL = frozenset({"nc", "noncommercial", "research", "amlr", "msrla", "seer"})
"""Words in the names of licences that forbid commercial use."""


class RunConfig(Settings):
    """Everything that decides what a run learns; equal hashes, equal runs."""

    approach: Approach
    profile: str
    weights: WeightsRecord | None
    split: str
    split_digest: str
    store_digest: str
    table_digest: str
    seed: int
    findings: tuple[str, ...]
    norm_batch: int | None = Field(None, description="images that batch norm is taken over; null: the batch")
    code: Annotated[dict[str, str] | None, Added(older=None)] = Field(
        None, description="package of others that the approach uses -> SHA-256 (hex) of its sources; null: none"
    )

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the identity: a run is not reused after a default changes."""
        return digest_json({"schema": SCHEMA, **self.identity()})

    def record(self) -> dict[str, Any]:
        """Return what ``config.json`` holds."""
        return {"schema": SCHEMA, **self.model_dump(mode="json"), "hash": self.hash}


def norm_batch(compute: ComputeSettings, approach: Approach) -> int | None:
    """Return the number of images that batch norm is taken over where it is not the batch.

    The one thing of ``compute`` that changes a run. Devices do not count: batch norm is taken over all of them.
    """
    batch = approach.recipe.batch_size
    has_own_statistics = not approach.has_frozen_backbone and compute.accumulate(batch) > 1
    return ceil(batch / compute.accumulate(batch)) if has_own_statistics else None


@dataclass(frozen=True)
class StoredRun:
    """A run's configuration as a finished run recorded it.

    Attributes:
        config: In today's settings, whatever schema it was written in.
        hash: As it was recorded; verified.
        schema: Of the file.
        feature_scaling: How the run scaled its non-image features, as recorded.
    """

    config: RunConfig
    hash: str
    schema: int
    feature_scaling: dict[str, Any]


def read_run(raw: Any, *, where: Path) -> StoredRun:
    """Read the content of a run's ``config.json``, of any schema so far.

    Raises:
        StudyError: It is of a later schema, damaged, not what its hash says, or needs a package that is not here.
    """
    if not isinstance(raw, dict):
        raise StudyError(
            f"{where}: expected keys and values, got {type(raw).__name__}; delete the run and train it again"
        )
    schema = raw.get("schema", 1)
    if not isinstance(schema, int) or not 1 <= schema <= SCHEMA:
        raise StudyError(
            f"{where}: schema {schema!r} is of a later version of cxrbench; this one reads up to {SCHEMA}; use that "
            "version, or delete the run and train it again"
        )
    try:
        own = schema1.map_run(raw) if schema == 1 else {k: v for k, v in raw.items() if k not in _NOT_SETTINGS}
        recorded = str(raw["hash"])
        expected = schema1.hash_of(raw) if schema == 1 else None
    except (LookupError, TypeError, AttributeError) as error:
        raise StudyError(
            f"{where}: damaged ({type(error).__name__}: {error}); delete the run and train it again"
        ) from None
    try:
        config = parse_settings(own, RunConfig, where=str(where))
    except ConfigError as error:
        raise StudyError(f"{error}; {_cause(own)}") from None
    if recorded != (expected or config.hash):
        raise StudyError(
            f"{where}: its values do not match its recorded hash, so the file has changed. Delete the run and train it "
            "again"
        )
    return StoredRun(config, recorded, schema, raw.get("feature_scaling") or {})


def _cause(own: dict[str, Any]) -> str:
    """Say why settings cannot be read: because of another package's part, or because the file has changed."""
    try:
        parse_settings(with_unread_parts(own, RunConfig, also_installed=True), RunConfig, where="run")
    except ConfigError:
        return "the file has changed. Delete the run and train it again"
    return "is the package that brings it installed, in the version that the run was trained with?"


def check_hash(raw: dict[str, Any], *, where: Path) -> None:
    """Refuse a configuration of version 0.1 whose values do not match its hash; later ones have a manifest.

    Raises:
        StudyError: The file was changed.
    """
    if "schema" not in raw and raw.get("hash") != schema1.hash_of(raw):
        raise StudyError(
            f"{where}: its values do not match its recorded hash, so the file has changed. Delete the run and train it "
            "again"
        )


_NOT_SETTINGS = frozenset({"schema", "hash", "feature_scaling"})
