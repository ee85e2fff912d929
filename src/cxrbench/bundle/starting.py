"""A bundle as pre-trained weights: its network's backbone, and what the bundle says of its training."""

from pathlib import Path

from safetensors.torch import load_file

from cxrbench.bundle.loading import Bundle, load_bundle
from cxrbench.bundle.record import Member
from cxrbench.config import Approach
from cxrbench.config.network import TrainedWeights
from cxrbench.errors import BundleError, WeightsError
from cxrbench.models.weights.known import GENERATED, films_key
from cxrbench.models.weights.sources import Pretrained, facts_of_training, pretrained, trained


def from_bundle(settings: TrainedWeights, *, approach: Approach, stand_in_steps: int) -> Pretrained:
    """Return the backbone of a bundle of ours.

    Raises:
        WeightsError: It is no sound bundle, has several networks of which none is named, or another backbone.
    """
    del stand_in_steps
    bundle, member = open_member(settings.path, settings.member)
    tensors = load_file(bundle.weights_of(member))
    made = trained(tensors, member.approach, approach, where=f"bundle {settings.path}")
    run, archive = member.run, bundle.record.archive
    dataset = GENERATED if archive.is_phantom else archive.form
    key = films_key(archive.form, archive.archive, is_phantom=archive.is_phantom)
    facts = {
        "source": "bundle",
        "name": f"{run.approach} / {run.split} / seed {run.seed}",
        "origin_digest": bundle.digest,
        "split": run.split,
        "split_digest": run.split_digest,
        **facts_of_training(member.approach, run.pretraining, dataset=dataset, archive=key),
    }
    return pretrained(made, facts)


def open_member(folder: Path, number: int | None) -> tuple[Bundle, Member]:
    """Return a bundle and the network of it that settings name; the only one, where it has one."""
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        raise WeightsError(str(error)) from error
    count = len(bundle.members)
    if number is None and count > 1:
        raise WeightsError(
            f"{folder}: has {count} networks; name one, as in network.weights: {{bundle: {{member: 1}}}}"
        )
    if (number or 1) > count:
        raise WeightsError(f"{folder}: has {count} networks, no member {number}")
    return bundle, bundle.members[(number or 1) - 1]
