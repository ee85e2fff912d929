"""Batches from the store."""

import numpy as np
import pytest
import torch

from cxrbench.config import Augmentation
from cxrbench.data.delivery import EvaluationBatches, Part, TrainingBatches

STILL = Augmentation(area=(1, 1), aspect=(1, 1), rotation_degrees=0, flip=False)


def make_part(count=11, *, store=30, features=2):
    rng = np.random.default_rng(0)
    rows = rng.permutation(store)[:count]
    pixels = np.broadcast_to(np.arange(store, dtype=np.uint8)[:, None, None], (store, 36, 36))
    targets = rows[:, None].astype(np.float32)  # each image's target names its row
    return Part(
        pixels=pixels,
        rows=rows,
        targets=targets,
        features=np.repeat(targets, features, axis=1),
        image_size=32,
    )


def batches(part, *, epoch=0, seed=0, batch_size=4, augmentation=STILL):
    return TrainingBatches(part=part, augmentation=augmentation, batch_size=batch_size, seed=seed, epoch=epoch)


@pytest.mark.parametrize("which", ["training", "evaluation"])
def test_film_features_and_targets_belong_together(which):
    part = make_part()
    source = batches(part) if which == "training" else EvaluationBatches(part=part, batch_size=4)
    for film, features, targets in source:
        rows = film[:, 0, 5, 5] * 255
        torch.testing.assert_close(rows, targets[:, 0])
        torch.testing.assert_close(rows, features[:, 1])
        assert film.shape[1:] == (1, 32, 32)


def test_an_epoch_holds_every_image_once():
    part = make_part(11)
    seen = torch.cat([targets[:, 0] for _, _, targets in batches(part)])
    assert sorted(seen.tolist()) == sorted(part.rows.tolist())


def test_evaluation_keeps_the_order():
    part = make_part(11)
    seen = torch.cat([targets[:, 0] for _, _, targets in EvaluationBatches(part=part, batch_size=4)])
    assert seen.tolist() == part.rows.tolist()


@pytest.mark.parametrize(("images", "expected"), [(8, 2), (9, 2), (10, 3), (2, 1), (1, 1)])
def test_a_last_batch_of_one_image_is_left_out(images, expected):
    source = batches(make_part(images))
    sizes = [len(film) for film, _, _ in source]
    assert len(sizes) == len(source) == expected


def test_a_batch_depends_on_seed_and_epoch_alone():
    part, moving = make_part(), Augmentation()
    first = list(batches(part, epoch=3, augmentation=moving))
    again = list(batches(part, epoch=3, augmentation=moving))
    other = list(batches(part, epoch=4, augmentation=moving))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(first, other, strict=True))
