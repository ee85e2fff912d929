"""Features of a frozen backbone, computed once."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from cxrbench.config import Approach, WeightsRecord, load_approach, load_profile, with_changes
from cxrbench.data.delivery import EvaluationBatches
from cxrbench.data.geometry import centre_affine
from cxrbench.errors import TrainingError
from cxrbench.models.classifier import build_classifier
from cxrbench.models.weights.stand_in import stand_in_weights
from cxrbench.runs import WEIGHTS_FILE
from cxrbench.training import cached_features as cached_module
from cxrbench.training.cached_features import FOLDER, cached_features
from cxrbench.training.parts import deliver_to, make_parts
from fitting import changed, fit, logits, losses
from tiny_networks import HEADS

CPU = torch.device("cpu")


def frozen_approach(name="ots-meta", **changes):
    known = {"input.mean": [0.485, 0.456, 0.406], "input.std": [0.229, 0.224, 0.225]}
    return with_changes(load_profile("small").apply(with_changes(load_approach(name), known)), changes)


@pytest.fixture(scope="module")
def weights():
    return stand_in_weights(frozen_approach().network.backbone, image_size=64, steps=0)


@pytest.fixture
def frozen(config):
    record = WeightsRecord(source="stand-in", digest="0" * 64, is_stand_in=True)
    config = config.model_copy(update={"approach": frozen_approach(), "weights": record})
    return changed(config, epochs=4, learning_rate=0.01)


def with_approach(config, **changes):
    paths = {name.replace("__", "."): value for name, value in changes.items()}
    return config.model_copy(update={"approach": with_changes(config.approach, paths)})


def cached(config, views=1):
    return with_approach(config, cached_views=views)


def centre(rng, augmentation, *, count, source, size):
    """As ``draw_affines``, but the centre crop every time."""
    return np.repeat(centre_affine(source=source, size=size), count, axis=0)


@pytest.mark.parametrize("head", HEADS)
def test_cached_features_give_the_losses_of_the_backbone_without_augmentation(
    frozen, materials, weights, tmp_path, monkeypatch, head
):
    spec = {"mlp": {"hidden": [16]}} if head == "mlp" else HEADS[head]  # dropout is drawn otherwise
    frozen = changed(with_approach(frozen, network__head=spec), epochs=2)
    monkeypatch.setattr("cxrbench.data.delivery.draw_affines", centre)
    run = fit(frozen, tmp_path / "recomputed", materials, weights=weights)
    once = fit(cached(frozen), tmp_path / "cached", materials, weights=weights)
    np.testing.assert_allclose(losses(once), losses(run), rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits(once), logits(run), rtol=0, atol=1e-4)
    assert np.ptp(losses(run)[:, 0]) > 1e-3


def kept_files(materials):
    return {path.name for path in (materials.store.folder / FOLDER).glob("*.npy")}


def network_of(config, weights):
    return build_classifier(config.approach, findings=15, seed=config.seed, weights=weights)


def features_of(config, materials, weights):
    classifier = network_of(config, weights)
    return cached_features(config, store=materials.store, classifier=classifier, device=CPU)


def test_what_is_kept_is_what_the_head_takes(frozen, materials, weights):
    pooled = features_of(cached(frozen), materials, weights)[0]
    maps = features_of(cached(with_approach(frozen, network__head={"csra": {}})), materials, weights)[0]
    assert isinstance(pooled, np.memmap)
    assert isinstance(maps, np.memmap)
    assert (pooled.dtype, maps.dtype) == (np.float32, np.float32)
    assert pooled.shape == maps.shape[:2]
    assert maps.shape[2:] == (2, 2)
    np.testing.assert_allclose(maps.mean(axis=(2, 3)), pooled, rtol=1e-4, atol=1e-6)


def test_heads_that_take_the_same_share_a_file(frozen, materials, weights):
    features_of(cached(frozen), materials, weights)
    features_of(cached(with_approach(frozen, network__head={"csra": {}})), materials, weights)
    before = kept_files(materials)
    for head in ({"mlp": {}}, {"attention": {}}):
        features_of(cached(with_approach(frozen, network__head=head)), materials, weights)
    assert kept_files(materials) == before


def test_the_crop_is_the_one_that_is_judged(frozen, materials, weights):
    narrow = with_approach(frozen, input__evaluation_crop=0.5)
    parts, _ = make_parts(narrow, table=materials.table, store=materials.store, split=materials.splits[0])
    film, _, _ = next(iter(EvaluationBatches(part=parts.val, batch_size=4)))
    with torch.inference_mode():
        expected = network_of(narrow, weights).eval().image_features(film).numpy()
    found = features_of(cached(narrow), materials, weights)[0][parts.val.rows[:4]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(features_of(cached(frozen), materials, weights)[0][parts.val.rows[:4]], expected)


def test_a_stopped_run_goes_on_from_the_same_features(frozen, materials, weights, tmp_path):
    config = cached(with_approach(frozen, network__head={"csra": {}}), views=2)
    whole = fit(config, tmp_path / "whole", materials, weights=weights)

    def stop(step):
        if step.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(BaseException):  # noqa: B017, PT011 - a trainer may turn it into SystemExit
        fit(config, tmp_path / "stopped", materials, weights=weights, report=stop)
    fit(config, tmp_path / "stopped", materials, weights=weights)
    assert (tmp_path / "stopped" / WEIGHTS_FILE).read_bytes() == (whole / WEIGHTS_FILE).read_bytes()
    assert np.array_equal(losses(tmp_path / "stopped"), losses(whole))


def test_the_backbone_runs_once_for_all_seeds(frozen, materials, weights, tmp_path, monkeypatch):
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

    monkeypatch.setattr(cached_module, "in_turn", turn)
    monkeypatch.setattr(cached_module, "_make", None)
    (features,) = features_of(config, materials, weights)
    assert (features == 7).all()
    assert features.shape == shape


def parts_of(config, materials, weights):
    parts, _ = make_parts(config, table=materials.table, store=materials.store, split=materials.splits[0])
    network = network_of(config, weights)
    return deliver_to(parts, CPU, config=config, store=materials.store, classifier=network, gpu_share=1.0)


def test_each_view_is_another_and_epochs_take_them_in_turn(frozen, materials, weights):
    parts = parts_of(cached(frozen, views=3), materials, weights)

    def features(part):
        return torch.cat([found for found, _, _ in EvaluationBatches(part=part, batch_size=64)])

    seen = [features(parts.training(epoch)) for epoch in range(4)]
    assert torch.equal(seen[0], seen[3])
    assert not torch.allclose(seen[0], seen[1])
    assert not torch.allclose(seen[1], seen[2])
    assert torch.equal(features(parts.val), features(parts_of(cached(frozen), materials, weights).val))


def test_other_weights_have_other_features(frozen, materials, weights):
    features_of(cached(frozen), materials, weights)
    before = kept_files(materials)
    record = frozen.weights.model_copy(update={"digest": "1" * 64})
    features_of(cached(frozen.model_copy(update={"weights": record})), materials, weights)
    assert len(kept_files(materials) - before) == 1


def test_weights_that_nobody_recorded_are_told_apart_by_themselves(frozen, materials, weights):
    """A network of the user's own brings its weights, or draws them from the run's seed."""
    unrecorded = cached(frozen).model_copy(update={"weights": None})
    features_of(unrecorded, materials, weights)
    before = kept_files(materials)
    features_of(unrecorded.model_copy(update={"seed": 1}), materials, weights)
    assert kept_files(materials) == before
    features_of(unrecorded, materials, {name: value + 0.1 for name, value in weights.items()})
    assert len(kept_files(materials) - before) == 1


def test_a_folder_that_cannot_be_written_is_named(frozen, materials, weights, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cached_module, "_make", full)
    record = frozen.weights.model_copy(update={"digest": "2" * 64})
    with pytest.raises(TrainingError, match=r"store/features: features of ots-meta cannot be kept \(No space left"):
        features_of(cached(frozen.model_copy(update={"weights": record})), materials, weights)


def test_only_a_frozen_backbone_has_features_to_keep():
    raw = load_approach("ft").model_dump(mode="json") | {"cached_views": 1}
    with pytest.raises(ValueError, match=r"cached_views needs recipe\.trained: head"):
        Approach.model_validate(raw)


def test_what_is_kept_is_part_of_the_runs_identity(frozen):
    assert len({frozen.hash, cached(frozen).hash, cached(frozen, 2).hash}) == 3
