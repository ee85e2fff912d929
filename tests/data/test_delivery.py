"""Batches from the store."""

import numpy as np
import pytest
import torch

from cxrbench.config import Augmentation
from cxrbench.data.delivery import ALONE, EvaluationBatches, Part, Sharing, TrainingBatches

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


def batches(part, *, epoch=0, seed=0, batch_size=4, augmentation=STILL, sharing=ALONE):
    return TrainingBatches(
        part=part, augmentation=augmentation, batch_size=batch_size, seed=seed, epoch=epoch, sharing=sharing
    )


@pytest.mark.parametrize("which", ["training", "evaluation"])
def test_film_features_and_targets_belong_together(which):
    part = make_part()
    source = batches(part) if which == "training" else EvaluationBatches(part=part, batch_size=4)
    for film, features, targets, *_ in source:
        rows = film[:, 0, 5, 5] * 255
        torch.testing.assert_close(rows, targets[:, 0])
        torch.testing.assert_close(rows, features[:, 1])
        assert film.shape[1:] == (1, 32, 32)


def test_an_epoch_holds_every_image_once():
    part = make_part(11)
    seen = torch.cat([targets[:, 0] for _, _, targets, _ in batches(part)])
    assert sorted(seen.tolist()) == sorted(part.rows.tolist())


def test_evaluation_keeps_the_order():
    part = make_part(11)
    seen = torch.cat([targets[:, 0] for _, _, targets in EvaluationBatches(part=part, batch_size=4)])
    assert seen.tolist() == part.rows.tolist()


@pytest.mark.parametrize(("images", "expected"), [(8, 2), (9, 2), (10, 3), (2, 1), (1, 1)])
def test_a_last_batch_of_one_image_is_left_out(images, expected):
    source = batches(make_part(images))
    sizes = [len(film) for film, *_ in source]
    assert len(sizes) == len(source) == expected


def test_a_batch_depends_on_seed_and_epoch_alone():
    part, moving = make_part(), Augmentation()
    first = list(batches(part, epoch=3, augmentation=moving))
    again = list(batches(part, epoch=3, augmentation=moving))
    other = list(batches(part, epoch=4, augmentation=moving))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def joined(pieces):
    return torch.cat([film for film, *_ in pieces])


@pytest.mark.parametrize(("devices", "accumulate"), [(2, 1), (1, 3), (2, 2)])
def test_the_shares_of_a_batch_are_the_batch(devices, accumulate):
    part, moving = make_part(28), Augmentation()
    whole = list(batches(part, batch_size=12, augmentation=moving))  # the last holds 4
    shared = [
        list(
            batches(
                part,
                batch_size=12,
                augmentation=moving,
                sharing=Sharing(devices=devices, rank=rank, accumulate=accumulate),
            )
        )
        for rank in range(devices)
    ]
    shares = devices * accumulate
    expected = [batch for batch in whole if len(batch[0]) >= 2 * shares]
    assert {len(mine) for mine in shared} == {len(expected) * accumulate}
    for number, (film, _, targets, _) in enumerate(expected):
        pieces = [mine[number * accumulate + step] for step in range(accumulate) for mine in shared]
        torch.testing.assert_close(joined(pieces), film, rtol=0, atol=0)
        assert torch.equal(torch.cat([piece[2] for piece in pieces]), targets)


def test_the_weights_of_shares_make_the_loss_that_of_the_batch():
    part = make_part(12)
    rng = np.random.default_rng(0)
    part.targets[:] = np.where(rng.random(part.targets.shape) < 0.4, np.nan, rng.random(part.targets.shape))
    alone = next(iter(batches(part, batch_size=12)))
    assert alone[3] == 1
    shares = [next(iter(batches(part, batch_size=12, sharing=Sharing(devices=3, rank=rank)))) for rank in range(3)]
    mean = sum(float(targets.nanmean()) * weight for _, _, targets, weight in shares) / 3
    assert mean == pytest.approx(float(alone[2].nanmean()))
    assert {weight for *_, weight in shares} != {1.0}


@pytest.mark.parametrize("devices", [2, 3, 11])
def test_devices_evaluate_every_image_once(devices):
    part = make_part(11)
    seen = [
        targets[:, 0]
        for rank in range(devices)
        for _, _, targets in EvaluationBatches(part=part, batch_size=2, sharing=Sharing(devices=devices, rank=rank))
    ]
    assert torch.cat(seen).tolist() == part.rows.tolist()
