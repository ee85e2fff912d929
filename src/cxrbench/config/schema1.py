"""What version 0.1 wrote, in today's words: its approaches, and the configurations of its runs (schema 1)."""

from collections.abc import Callable
from typing import Any

from cxrbench.files import digest_json

OLD_KEYS = frozenset({"backbone", "features"})
"""Keys of an approach that stood at the top in schema 1."""

LEAST_CROP = 0.8
"""Share of the shrunk film's side below which the evaluation crop must be written out."""


def is_schema_1_approach(raw: dict[str, Any]) -> bool:
    """Return whether an approach is spelt as in version 0.1."""
    return bool(OLD_KEYS & set(raw))


def map_approach(raw: dict[str, Any], *, weights_source: str | None = None) -> dict[str, Any]:
    """Return an approach of schema 1, or a part of one, with today's keys.

    Args:
        raw: Keys and values; those that are absent stay absent.
        weights_source: Where a run's pre-trained weights came from: ``hub``, ``file`` or ``stand-in``.
    """
    old = dict(raw.get("backbone") or {})
    network: dict[str, Any] = dict(raw.get("network") or {})
    result = {key: value for key, value in raw.items() if key not in {*OLD_KEYS, "network"}}
    if "start" in old:
        network["weights"] = _weights(old.pop("start"), weights_source)
    if "trained" in old:
        result["recipe"] = {**(raw.get("recipe") or {}), "trained": old.pop("trained")}
    if old:
        network["backbone"] = {"resnet": old}
    elif "backbone" in raw and raw["backbone"] and "extends" not in raw:
        network["backbone"] = {"resnet": {}}
    if "features" in raw:
        network["features"] = raw["features"]
    if network:
        result["network"] = network
    return result


def _weights(start: str, source: str | None) -> dict[str, Any]:
    if start == "random":
        return {"none": {}}
    if source == "file":
        return {"file": {"path": "unknown"}}  # only its digest was recorded
    return {source or "hub": {}}


LATER: tuple[tuple[Callable[[dict[str, Any]], dict[str, Any]], str], ...] = (
    (lambda fields: fields, "norm_batch"),
    (lambda fields: fields["approach"], "cached_views"),
)
"""Fields that schema 1 gained; null was left out of the hash."""

NOT_HASHED = frozenset({"hash", "feature_scaling"})


def hash_of(raw: dict[str, Any]) -> str:
    """Return the hash of a configuration of schema 1, as version 0.1 computed it.

    Args:
        raw: The content of ``config.json``.
    """
    fields = {key: value for key, value in raw.items() if key not in NOT_HASHED}
    fields["approach"] = dict(fields["approach"])
    for place, name in LATER:
        if place(fields).get(name) is None:
            place(fields).pop(name, None)
    return digest_json(fields)


def map_run(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of schema 1 as one of today's, without its hash."""
    fields = {key: value for key, value in raw.items() if key not in NOT_HASHED}
    weights = fields.get("weights")
    source = weights["source"] if weights else None
    fields["approach"] = with_crop(map_approach(fields["approach"], weights_source=source))
    return fields


def with_crop(approach: dict[str, Any]) -> dict[str, Any]:
    """Return an approach with its evaluation crop written out where today one so small must be."""
    seen = approach["input"]
    crop = seen["image_size"] / seen["store_size"]
    return approach if crop >= LEAST_CROP else {**approach, "input": {**seen, "evaluation_crop": crop}}
