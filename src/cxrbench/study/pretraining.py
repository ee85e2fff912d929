"""Pre-trained weights of a study: fetched once and kept with their record; and the input that they learnt with."""

import json
import shutil
from collections.abc import Mapping, Sequence
from math import isclose
from pathlib import Path
from statistics import fmean

from safetensors.torch import save_file

from cxrbench.config import (
    HUB,
    STAND_IN,
    Approach,
    Profile,
    ResNet,
    WeightsRecord,
    parse_settings,
    with_changes,
)
from cxrbench.errors import ConfigError, WeightsError
from cxrbench.files import atomic_file, digest_file, digest_json, write_json
from cxrbench.models.classifier import described
from cxrbench.models.weights.sources import obtain_weights

WEIGHTS_FOLDER = "weights"

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and spread for stand-in weights where an approach states none: their pictures have about mean 0, spread 1."""

TOLERANCE = 0.02
"""Share of the spread by which two statements of one input may differ, as 127 / 255 and 0.5 do."""

Kept = tuple[Path, WeightsRecord]
Channels = tuple[float, ...]


def prepare_weights(study: Path, approaches: Sequence[Approach], profile: Profile) -> dict[str, Kept]:
    """Bring pre-trained weights onto disk before anything trains: one file per network and source.

    Args:
        study: Folder of the study.
        approaches: Resolved by the profile.
        profile: Says how long stand-in weights are trained.

    Returns:
        The file and the record of each approach that starts from weights.

    Raises:
        WeightsError: Some are not available, or for another network.
    """
    kept: dict[str, Kept] = {}
    result = {}
    for approach in approaches:
        if approach.network.has_weights:
            key = _key(approach, profile)
            if key not in kept:
                kept[key] = _kept(study, approach, profile, key)
            result[approach.name] = kept[key]
    return result


def _key(approach: Approach, profile: Profile) -> str:
    """Return the name of what a file of weights depends on: the network, and where they come from."""
    network = approach.network
    is_stand_in = network.weights.name == STAND_IN
    # Positions and windows of transformers depend on the size of the input.
    has_sizes = is_stand_in or not isinstance(network.backbone.settings, ResNet)
    steps, size = profile.stand_in_steps if is_stand_in else 0, approach.input.image_size if has_sizes else 0
    chosen = [network.backbone.identity(), network.weights.model_dump(mode="json"), steps, size]
    return f"{network.weights.name}-{digest_json(chosen)[:12]}"


def _kept(study: Path, approach: Approach, profile: Profile, key: str) -> Kept:
    """Bring an approach's weights onto disk, with their record beside them."""
    path = study / WEIGHTS_FOLDER / f"{key}.safetensors"
    about = path.with_suffix(".json")
    _keep_of_0_1(study, approach, path, about)
    # A file, a bundle or a run may have been exchanged since.
    if not (path.exists() and about.exists()) or approach.network.weights.name not in {HUB, STAND_IN}:
        pretrained = obtain_weights(approach, stand_in_steps=profile.stand_in_steps)
        with atomic_file(path) as scratch:
            save_file(pretrained.tensors, scratch)
        write_json(about, pretrained.record.model_dump(mode="json"))
    raw = json.loads(about.read_text(encoding="utf-8"))
    return path, parse_settings({**raw, "digest": digest_file(path)}, WeightsRecord, where=str(about))


def describe_own_weights(approaches: Sequence[Approach]) -> tuple[str, ...]:
    """Say where a frozen backbone's weights come from code of the user's own, so that nothing is known of them."""
    return tuple(
        f"approach {each.name}: its function gives the frozen backbone its weights; nothing is known of them"
        for each in approaches
        if each.has_frozen_backbone and not each.network.has_weights
    )


def describe_weights(records: Mapping[str, WeightsRecord]) -> list[str]:
    """Return what each approach starts from, in words, and a warning of licences that forbid commercial use."""
    notes = []
    for name, record in records.items():
        if record.tensors is not None and record.parameters is not None and not record.is_stand_in:
            adapted = "".join(f"; {note}" for note in record.notes)
            notes.append(
                f"{name} starts from {record.title}: {record.tensors:,} tensors with {record.parameters:,} numbers "
                f"matched{adapted}"
            )
        if record.is_non_commercial:
            notes.append(f"{name}: the licence of its weights, {record.licence}, forbids commercial use")
    return notes


def _keep_of_0_1(study: Path, approach: Approach, path: Path, about: Path) -> None:
    """Take up the weights that version 0.1 kept under another name, so that its study goes on with the same."""
    backbone, kind = approach.network.backbone.settings, approach.network.weights.name
    if path.exists() or not isinstance(backbone, ResNet) or kind not in {HUB, STAND_IN}:
        return
    stages = "-".join(str(blocks) for blocks in backbone.stages)
    earlier = study / WEIGHTS_FOLDER / f"{kind}-{stages}-width-{backbone.width}.safetensors"
    if earlier.exists():
        shutil.copyfile(earlier, path)
        record = WeightsRecord(source=kind, digest="", is_stand_in=kind == STAND_IN, notes=("kept by version 0.1",))
        write_json(about, record.model_dump(mode="json"))


def check_networks(approaches: Sequence[Approach]) -> None:
    """See that every network can be built and takes its input before anything is made; nothing is downloaded.

    Raises:
        ConfigError: One cannot; the message begins with the approach.
    """
    for approach in approaches:
        try:
            described(_with_some_range(approach), findings=1)
        except ConfigError as error:
            raise ConfigError(f"approach {approach.name}: {error}") from error


def _with_some_range(approach: Approach) -> Approach:
    """Any mean and spread for an input that takes those of weights which are not there yet."""
    if approach.input.mean is not None:
        return approach
    mean, std = (_as_channels(values, approach.input.channels) for values in IMAGENET)
    return with_changes(approach, {"input.mean": list(mean), "input.std": list(std)})


def resolve_inputs(approaches: Sequence[Approach], weights: Mapping[str, Kept]) -> tuple[Approach, ...]:
    """Return the approaches with the mean and spread of their input, which the weights state where they do not.

    Raises:
        WeightsError: Neither states them, or the two contradict each other.
    """
    return tuple(
        resolve_input(approach, weights[approach.name][1]) if approach.name in weights else approach
        for approach in approaches
    )


def resolve_input(approach: Approach, record: WeightsRecord) -> Approach:
    """Return an approach whose input is the one that its weights learnt with.

    Raises:
        WeightsError: Neither states mean and spread, or the two contradict each other.
    """
    own, theirs = approach.input, _stated(record, approach.input.channels)
    if theirs is None and own.mean is None:
        raise WeightsError(
            f"approach {approach.name}: nothing says which input the weights {record.name} learnt with; write "
            "input.mean and input.std in the approach, or mean and std, or input_range, in network.weights"
        )
    if theirs is None:
        return approach
    if own.mean is None or own.std is None:
        return with_changes(approach, {"input.mean": list(theirs[0]), "input.std": list(theirs[1])})
    if not record.is_stand_in and not _agree((own.mean, own.std), theirs):
        raise WeightsError(
            f"approach {approach.name}: input.mean {_said(own.mean)} and std {_said(own.std)} contradict the weights "
            f"{record.name}, which learnt with mean {_said(theirs[0])} and std {_said(theirs[1])}; leave input.mean "
            "and input.std out, or correct what is said of the weights"
        )
    return approach


def _stated(record: WeightsRecord, channels: int) -> tuple[Channels, Channels] | None:
    """Return the mean and spread that a record states, for as many channels."""
    if record.is_stand_in:
        return _as_channels(IMAGENET[0], channels), _as_channels(IMAGENET[1], channels)
    if record.mean is None or record.std is None:
        return None
    return _as_channels(record.mean, channels), _as_channels(record.std, channels)


def _as_channels(values: Channels, channels: int) -> Channels:
    """Repeat one value for all channels; several become their mean where there is one channel."""
    if len(values) == channels:
        return values
    return (values[0] if len(values) == 1 else float(f"{fmean(values):.6g}"),) * channels


def _agree(own: tuple[Channels, Channels], theirs: tuple[Channels, Channels]) -> bool:
    means = all(abs(a - b) <= TOLERANCE * s for a, b, s in zip(own[0], theirs[0], theirs[1], strict=True))
    return means and all(isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(own[1], theirs[1], strict=True))


def _said(values: Channels) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
