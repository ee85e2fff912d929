"""Features of a frozen backbone, computed once."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from cxrbench.config import Approach, WeightsRecord, load_approach, load_profile
from cxrbench.data.augment import centre_affine
from cxrbench.data.delivery import EvaluationBatches
from cxrbench.errors import TrainingError
from cxrbench.files import digest_json
from cxrbench.models.classifier import build_classifier
from cxrbench.models.weights.stand_in import stand_in_weights
from cxrbench.training import pooling
from cxrbench.training.parts import deliver_to, make_parts
from cxrbench.training.pooling import FOLDER
from fitting import changed, fit, logits, losses

SMALL = load_profile("small")


@pytest.fixture(scope="module")
def weights():
    return stand_in_weights(SMALL.apply(load_approach("ots")).network.backbone, image_size=64, steps=0)


@pytest.fixture
def frozen(config):
    approach = SMALL.apply(load_approach("ots-meta"))
    record = WeightsRecord(source="test", digest="0" * 64, is_stand_in=True)
    return changed(config.model_copy(update={"approach": approach, "weights": record}), epochs=4, learning_rate=0.01)


def cached(config, views=1):
    return config.model_copy(update={"approach": config.approach.model_copy(update={"cached_views": views})})


def centre(rng, augmentation, *, count, source, size):
    return np.repeat(centre_affine(source=source, size=size), count, axis=0)


def test_cached_features_give_the_losses_of_the_backbone_without_augmentation(
    frozen, materials, weights, tmp_path, monkeypatch
):
    monkeypatch.setattr("cxrbench.data.delivery.draw_affines", centre)
    run = fit(frozen, tmp_path / "recomputed", materials, weights=weights)
    once = fit(cached(frozen), tmp_path / "cached", materials, weights=weights)
    np.testing.assert_allclose(losses(once), losses(run), rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits(once), logits(run), rtol=0, atol=1e-4)
    assert np.ptp(losses(run)[:, 0]) > 0.01


def test_the_backbone_runs_once_for_all_seeds_and_heads(frozen, materials, weights, tmp_path, monkeypatch):
    fit(cached(frozen), tmp_path / "first", materials, weights=weights)
    monkeypatch.setattr("cxrbench.models.classifier.Classifier.encode", None)
    again = cached(frozen).model_copy(update={"seed": 5})
    fit(again, tmp_path / "again", materials, weights=weights)
    assert len(losses(tmp_path / "again")) == 4


def test_features_that_another_run_makes_are_waited_for(frozen, materials, weights, monkeypatch):
    record = frozen.weights.model_copy(update={"digest": "3" * 64})
    config = cached(frozen.model_copy(update={"weights": record}))
    shape = (len(materials.store.pixels(config.approach.input.store_size)), 4)

    @contextmanager
    def turn(path):
        np.save(path, np.full(shape, 7, np.float32))  # the other was first
        yield

    monkeypatch.setattr(pooling, "in_turn", turn)
    monkeypatch.setattr(pooling, "_make", None)
    (features,) = pooling.pooled_features(config, store=materials.store, classifier=None, device=torch.device("cpu"))
    assert (features == 7).all()
    assert features.shape == shape


def parts_of(config, materials, weights):
    parts, _ = make_parts(config, table=materials.table, store=materials.store, split=materials.splits[0])
    network = build_classifier(config.approach, findings=15, seed=0, weights=weights)
    device = torch.device("cpu")
    return deliver_to(parts, device, config=config, store=materials.store, classifier=network, gpu_share=1.0)


def test_each_view_is_another_and_epochs_take_them_in_turn(frozen, materials, weights):
    parts = parts_of(cached(frozen, views=3), materials, weights)

    def features(part):
        return torch.cat([pooled for pooled, _, _ in EvaluationBatches(part=part, batch_size=64)])

    seen = [features(parts.training(epoch)) for epoch in range(4)]
    assert torch.equal(seen[0], seen[3])
    assert not torch.allclose(seen[0], seen[1])
    assert not torch.allclose(seen[1], seen[2])
    assert torch.equal(features(parts.val), features(parts_of(cached(frozen), materials, weights).val))


def test_other_weights_have_other_features(frozen, materials, weights):
    def files():
        return {path.name for path in (materials.store.folder / FOLDER).glob("*.npy")}

    parts_of(cached(frozen), materials, weights)
    before = files()
    record = frozen.weights.model_copy(update={"digest": "1" * 64})
    parts_of(cached(frozen.model_copy(update={"weights": record})), materials, weights)
    assert len(files() - before) == 1


def test_a_folder_that_cannot_be_written_is_named(frozen, materials, weights, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cxrbench.training.pooling._make", full)
    record = frozen.weights.model_copy(update={"digest": "2" * 64})
    with pytest.raises(TrainingError, match=r"store/pooled: features of ots-meta cannot be kept \(No space left"):
        parts_of(cached(frozen.model_copy(update={"weights": record})), materials, weights)


def test_only_a_frozen_backbone_has_features_to_keep():
    raw = load_approach("ft").model_dump() | {"cached_views": 1}
    with pytest.raises(ValueError, match="cached_views needs trained: head"):
        Approach.model_validate(raw)


def test_a_field_that_came_later_leaves_earlier_runs_their_identity(frozen):
    fields = frozen.model_dump(mode="json")
    del fields["norm_batch"], fields["approach"]["cached_views"]
    assert frozen.hash == digest_json(fields)
    assert len({frozen.hash, cached(frozen).hash, cached(frozen, 2).hash}) == 3
    assert frozen.model_copy(update={"norm_batch": 4}).hash != frozen.hash
