"""Pre-trained weights: from the hub, a file, a run of ours, or a stand-in; never silently random."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cxrbench.config import (
    HUB,
    STAND_IN,
    WEIGHTS,
    Approach,
    ArchiveSeen,
    WeightsRecord,
    parse_settings,
    read_run,
)
from cxrbench.config.network import FileWeights, HubWeights, NoWeights, StandInWeights, TrainedWeights
from cxrbench.errors import ConfigError, StudyError, WeightsError
from cxrbench.files import digest_file
from cxrbench.models.backbone import Backbone, build_backbone
from cxrbench.models.weights.fitting import Fitted, fit
from cxrbench.models.weights.hub import fetch
from cxrbench.models.weights.known import GENERATED, as_mean_and_std, films_key, find_known, known_by_file, stated
from cxrbench.models.weights.reading import Contents, read_weights
from cxrbench.models.weights.stand_in import stand_in_weights
from cxrbench.runs import CONFIG_FILE, STUDY_FILE, WEIGHTS_FILE


@dataclass(frozen=True)
class Pretrained:
    """Weights for the three-channel form of an approach's backbone, in its own names, and what is known about them.

    The record's digest is empty: it is that of the file they are kept in.
    """

    tensors: dict[str, Tensor]
    record: WeightsRecord


def obtain_weights(approach: Approach, *, stand_in_steps: int) -> Pretrained:
    """Return the weights that an approach starts from: every parameter and statistic, checked by name and shape.

    Args:
        approach: Resolved by a profile; it starts from weights.
        stand_in_steps: Steps of pre-training on generated pictures that stand-in weights get.

    Raises:
        WeightsError: They are not available, or for another network; the message begins with the approach.
    """
    try:
        made: Pretrained = WEIGHTS.build(approach.network.weights, approach=approach, stand_in_steps=stand_in_steps)
    except WeightsError as error:
        raise WeightsError(f"approach {approach.name}: {error}") from error
    return made


def no_weights(settings: NoWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Refuse: an approach without weights has none to obtain."""
    raise ValueError(f"approach {approach.name} starts from no weights ({settings}, {stand_in_steps})")


def from_hub(settings: HubWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return published weights from a hub."""
    del stand_in_steps
    published = fetch(settings, approach.network.backbone)
    fitted = fit(published.contents, three_channels(approach))
    return pretrained(fitted, {"source": HUB, "name": published.name, **published.facts})


def from_file(settings: FileWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return the weights of a file."""
    del stand_in_steps
    contents = read_weights(settings.path, table=settings.table)
    fitted = fit(contents, three_channels(approach), ignore=settings.ignore, names=settings.names)
    facts = {"source": "file", "name": settings.path.name, "origin_digest": digest_file(settings.path)}
    return pretrained(fitted, {**facts, **_known_of_file(settings), **_stated_in(settings)})


def _known_of_file(settings: FileWeights) -> dict[str, Any]:
    """Return what is known of a file: by the record that the settings name, or by the file's name."""
    if settings.known is not None:
        return stated(find_known(settings.known))
    found = known_by_file(settings.path.name)
    if found is None:
        return {}
    facts = stated(found[1])
    return {**facts, "notes": (f"known by the file's name as {found[0]}", *facts.get("notes", ()))}


def _stated_in(settings: FileWeights) -> dict[str, Any]:
    """Return what the settings say of the file, which goes before what is known."""
    given = settings.model_dump(exclude_defaults=True)
    fields = ("dataset", "licence", "licence_seen", "mean", "std", "interpolation")
    facts = {key: given[key] for key in fields if key in given} | as_mean_and_std(settings.input_range)
    if settings.mean is not None:
        facts["input_range"] = None
    if settings.archives:
        facts["saw"] = tuple(
            ArchiveSeen(archive=archive, with_labels=settings.with_labels) for archive in settings.archives
        )
    return facts


def stand_in(settings: StandInWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return weights that stand in for published ones."""
    del settings
    size = approach.input.image_size
    tensors = stand_in_weights(approach.network.backbone, image_size=size, steps=stand_in_steps)
    facts = {"source": STAND_IN, "is_stand_in": True, "dataset": "generated pictures"}
    return pretrained(Fitted(tensors, ()), facts)


def from_run(settings: TrainedWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return the backbone of a finished run of ours.

    Raises:
        WeightsError: There is no finished run, or its backbone is another.
    """
    del stand_in_steps
    path = settings.path / CONFIG_FILE
    try:
        config = read_run(json.loads(path.read_text(encoding="utf-8")), where=path).config
        tensors = load_file(settings.path / WEIGHTS_FILE)
    except (StudyError, ConfigError) as error:
        raise WeightsError(f"{settings.path}: its backbone cannot be taken ({error})") from None
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{settings.path}: no finished run to take a backbone from ({reason})") from None
    name = f"{config.approach.name} / {config.split} / seed {config.seed}"
    dataset, archive = _archive_of_study(settings.path)
    made = trained(tensors, config.approach, approach, where=f"run {settings.path}")
    facts = {
        "source": "run",
        "name": name,
        "origin_digest": digest_file(settings.path / WEIGHTS_FILE),
        "split": config.split,
        "split_digest": config.split_digest,
    }
    more = facts_of_training(config.approach, config.weights, dataset=dataset, archive=archive)
    return pretrained(made, {**facts, **more})


def _archive_of_study(run: Path) -> tuple[str, str]:
    """Return what a run learnt from, and the key of its archive; ``unknown`` where its study does not say."""
    try:
        path = run.absolute().parents[3] / STUDY_FILE
        facts = json.loads(path.read_text(encoding="utf-8"))["archive"]
        form, is_phantom = str(facts["form"]), bool(facts["is_phantom"])
        key = films_key(form, facts.get("archive"), is_phantom=is_phantom)
        return GENERATED if is_phantom else form, key
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "unknown", "unknown"


def trained(tensors: dict[str, Tensor], theirs: Approach, approach: Approach, *, where: str) -> Fitted:
    """Return the backbone of a network that we trained, for an approach's own.

    Args:
        tensors: All of the classifier.
        theirs: The approach it was trained by.
        approach: The approach that starts from it.
        where: Where it lies, for messages.
    """
    if theirs.network.backbone.identity() != approach.network.backbone.identity():
        raise WeightsError(
            f"{where}: its backbone is {theirs.network.backbone.identity()}, "
            f"the approach's {approach.network.backbone.identity()}"
        )
    network = three_channels(approach)
    start = f"backbone.{network.prefix}"
    own = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
    return fit(Contents(where, own), network)


def facts_of_training(theirs: Approach, weights: WeightsRecord | None, *, dataset: str, archive: str) -> dict[str, Any]:
    """Return what the record says of weights that we trained.

    Args:
        theirs: The approach they were trained by.
        weights: What they started from; None: random weights.
        dataset: What they learnt from, in words.
        archive: Key of its archive.
    """
    mean, std = theirs.input.normalisation
    before = () if weights is None else weights.saw
    started = "random weights" if weights is None else weights.title
    return {
        "dataset": dataset,
        "licence": "unknown" if weights is None else weights.licence,
        "licence_seen": None if weights is None else weights.licence_seen,
        "mean": mean,
        "std": std,
        "is_stand_in": False,
        "saw": (ArchiveSeen(archive=archive, with_labels=True), *before),
        "notes": (f"trained from {started}",),
    }


def pretrained(fitted: Fitted, facts: dict[str, Any]) -> Pretrained:
    """Return weights with their record: the facts, and how many tensors and numbers matched."""
    notes = (*facts.get("notes", ()), *fitted.notes)
    counts = {"tensors": len(fitted.tensors), "parameters": fitted.parameters, "notes": notes}
    raw = {"digest": "", **facts, **counts}
    if "saw" in raw:
        raw["saw"] = [each.model_dump() for each in raw["saw"]]
    return Pretrained(fitted.tensors, parse_settings(raw, WeightsRecord, where="record of the weights"))


def three_channels(approach: Approach) -> Backbone:
    """Return the three-channel form of an approach's backbone."""
    return build_backbone(approach.network.backbone, channels=3, image_size=approach.input.image_size)
