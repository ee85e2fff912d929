"""Operations on films: every registered one passes the shared tests; each agrees with an independent definition."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as reference

from cxrbench.config import AUGMENTATIONS, Augmentation
from cxrbench.data import alteration
from cxrbench.data.delivery import ALONE, Part, Sharing, TrainingBatches
from cxrbench.data.operations import build_operations, draw_boxes, draw_operations
from cxrbench.errors import ConfigError

SIZE = 32
SEEDS = (3, 1, 2)  # of the run, the epoch, the batch
NONE = {  # no strength at all, besides a probability of zero
    "brightness": {"strength": 0},
    "contrast": {"strength": 0},
    "gamma": {"strength": 0},
    "noise": {"strength": 0},
    "erasing": {"area": [0, 0], "probability": 1},
    "mixup": {"alpha": 0},
    "cutmix": {"alpha": 0},
    "module": {"strength": 0},
}
NEEDED = {"module": {"function": "own_operation:tilted"}}

every_operation = pytest.mark.parametrize("name", AUGMENTATIONS.names)


def augmentation(*operations):
    return Augmentation(area=(1, 1), aspect=(1, 1), rotation_degrees=0, flip=False, operations=operations)


def drawn(*operations, seeds=SEEDS, count=8):
    return draw_operations(build_operations(augmentation(*operations)), seeds, count=count, size=SIZE)


def always(name, **settings):
    return {name: {"probability": 1, **NEEDED.get(name, {}), **settings}}


def films(count=8, *, seed=0):
    return torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def applied(operations, film):
    return operations.apply(film, np.arange(len(film)))


@every_operation
def test_films_keep_shape_type_and_range_and_are_changed(name):
    film = films()
    before = film.clone()
    found = applied(drawn(always(name)), film)
    assert (found.shape, found.dtype) == (film.shape, torch.float32)
    assert found.min() >= 0
    assert found.max() <= 1
    assert not torch.equal(found, film)
    assert torch.equal(film, before)


@every_operation
def test_the_numbers_are_a_function_of_seed_epoch_and_batch(name):
    first, again = (applied(drawn(always(name)), films()) for _ in range(2))
    assert torch.equal(first, again)
    for other in ((4, 1, 2), (3, 0, 2), (3, 1, 3)):
        assert not torch.equal(first, applied(drawn(always(name), seeds=other), films()))


@every_operation
@pytest.mark.parametrize("settings", ["no strength", "never"])
def test_without_strength_or_probability_nothing_changes(name, settings):
    chosen = NONE[name] if settings == "no strength" else {"probability": 0}
    operations, values = drawn(always(name, **chosen)), labels()
    torch.testing.assert_close(applied(operations, films()), films(), rtol=0, atol=0)
    np.testing.assert_array_equal(operations.mix(values), values)


@every_operation
def test_an_operation_draws_the_same_whatever_comes_after_it(name):
    alone, more = drawn(always(name)), drawn(always(name), "noise")
    for key, values in alone.numbers[0].items():
        np.testing.assert_array_equal(values, more.numbers[0][key])


@every_operation
def test_about_as_many_films_are_changed_as_the_probability_says(name):
    film = films(400)
    found = applied(drawn(always(name, probability=0.25), count=400), film)
    is_changed = (found != film).flatten(1).any(dim=1)
    assert 0.15 < is_changed.float().mean() < 0.35


def labels(count=8, *, findings=3, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2, (count, findings)).astype(np.float32)
    return np.where(rng.random(values.shape) < 0.3, np.float32("nan"), values)


def part(count=24, *, seed=0):
    rng = np.random.default_rng(seed)
    return Part(
        pixels=rng.integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8),
        rows=rng.permutation(count),
        targets=labels(count),
        features=rng.random((count, 2), dtype=np.float32),
        image_size=SIZE,
    )


def batches(*operations, sharing=ALONE):
    return list(
        TrainingBatches(
            part=part(), augmentation=augmentation(*operations), batch_size=12, seed=5, epoch=2, sharing=sharing
        )
    )


@every_operation
@pytest.mark.parametrize(("devices", "accumulate"), [(2, 1), (1, 3), (2, 2)])
def test_shares_of_a_batch_are_the_batch_with_labels_that_are_not_stated(name, devices, accumulate):
    chain = (always(name), "brightness", always(name))
    shares = [
        batches(*chain, sharing=Sharing(devices=devices, rank=rank, accumulate=accumulate)) for rank in range(devices)
    ]
    for number, (film, features, targets, _) in enumerate(batches(*chain)):
        pieces = [mine[number * accumulate + step] for step in range(accumulate) for mine in shares]
        for place, whole in enumerate((film, features, targets)):
            joined = torch.cat([piece[place] for piece in pieces])
            torch.testing.assert_close(joined, whole, rtol=0, atol=0, equal_nan=True)
        mean = sum(float(piece[2].nanmean()) * piece[3] for piece in pieces) / len(pieces)
        assert mean == pytest.approx(float(targets.nanmean()))


@every_operation
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_what_the_cpu_gives(name):
    operations = drawn(always(name))
    found = applied(operations, films().cuda()).cpu()
    torch.testing.assert_close(found, applied(operations, films()), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (alteration.brightened, reference.adjust_brightness),
        (alteration.with_contrast, reference.adjust_contrast),
        (alteration.with_gamma, reference.adjust_gamma),
    ],
    ids=["brightness", "contrast", "gamma"],
)
def test_grey_values_change_as_torchvision_changes_them(ours, theirs):
    film, numbers = films(4), torch.tensor([0.5, 0.9, 1.0, 1.6])
    expected = torch.stack([theirs(one, float(number)) for one, number in zip(film, numbers, strict=True)])
    torch.testing.assert_close(ours(film, numbers), expected)


def test_noise_is_normal_with_the_drawn_spread():
    grey = torch.full((200, 1, SIZE, SIZE), 0.5)
    added = applied(drawn({"noise": 0.05}, count=200), grey) - 0.5
    spread = added.flatten(1).std(dim=1)
    assert abs(float(added.mean())) < 0.001
    assert spread.max() < 0.055
    assert abs(float(spread.mean()) - 0.025) < 0.003  # even between 0 and 0.05
    standard = (added / spread[:, None, None, None]).flatten()
    assert abs(float((standard.abs() < 1).float().mean()) - 0.683) < 0.01


@pytest.mark.parametrize(("grey", "filled"), [(0.25, 0.25), (float("nan"), 0.5)])
def test_erasing_fills_the_rectangle(grey, filled):
    film = torch.arange(16.0).reshape(1, 1, 4, 4) / 15  # mean grey 0.5
    found = alteration.erased(film, torch.tensor([[1, 0, 3, 2]]), torch.tensor([grey]))
    expected = reference.erase(film, 1, 0, 2, 2, torch.tensor(filled))
    torch.testing.assert_close(found, expected)


def test_rectangles_have_the_area_and_shape_that_were_drawn_and_lie_inside():
    rng = np.random.default_rng(0)
    area, aspect = rng.uniform(0.02, 0.2, 500), rng.uniform(0.5, 2, 500)
    top, left, bottom, right = draw_boxes(rng, area=area, aspect=aspect, size=448).T
    assert min(top.min(), left.min()) >= 0
    assert max(bottom.max(), right.max()) <= 448
    np.testing.assert_allclose((bottom - top) * (right - left) / 448**2, area, rtol=0.04)
    np.testing.assert_allclose((right - left) / (bottom - top), aspect, rtol=0.04)
    assert draw_boxes(rng, area=np.ones(1), aspect=np.ones(1), size=9).tolist() == [[0, 0, 9, 9]]


def test_mixup_mixes_films_features_and_labels_by_hand():
    operations = drawn({"mixup": 1.0}, count=3)
    operations.numbers[0]["partner"][:] = [2, 0, 1]
    operations.numbers[0]["share"][:] = [0.75, 1.0, 0.5]
    film = torch.tensor([0.0, 0.4, 1.0]).reshape(3, 1, 1, 1).expand(3, 1, SIZE, SIZE)
    assert applied(operations, film)[:, 0, 0, 0].tolist() == pytest.approx([0.25, 0.4, 0.7])
    nan = float("nan")
    targets = np.array([[1, 0, 1], [0, 1, nan], [0, nan, 1]], np.float32)
    np.testing.assert_allclose(operations.mix(targets), [[0.75, nan, 1], [0, 1, nan], [0, nan, nan]])


def test_cutmix_puts_a_rectangle_in_place_and_counts_its_pixels():
    operations = drawn({"cutmix": 1.0}, count=2)
    numbers = operations.numbers[0]
    numbers["partner"][:] = [1, 0]
    film = torch.stack([torch.zeros(1, SIZE, SIZE), torch.ones(1, SIZE, SIZE)])
    found = applied(operations, film)
    top, left, bottom, right = numbers["box"][0]
    expected = torch.zeros(SIZE, SIZE)
    expected[top:bottom, left:right] = 1
    assert torch.equal(found[0, 0], expected)
    assert float(found[0].mean()) == pytest.approx(1 - numbers["share"][0])
    assert operations.mix(np.array([[0.0], [1.0]], np.float32))[:, 0] == pytest.approx(found.mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_follow_the_beta_distribution(alpha):
    share = drawn({"mixup": alpha}, count=4000).numbers[0]["share"]
    assert share.mean() == pytest.approx(0.5, abs=0.02)
    assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.01)  # of Beta(a, a)


def test_a_function_of_ones_own_gets_options_and_its_range_is_cut():
    found = applied(drawn({"module": {"function": "own_operation:tilted", "options": {"twice": True}}}), films())
    number = drawn({"module": "own_operation:tilted"}).numbers[0]["number"]
    ramp = 2 * np.linspace(-0.5, 0.5, SIZE)
    expected = np.clip(films().numpy() + number[:, None, None, None] * ramp, 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_function_of_ones_own_that_does_something_else_is_named():
    with pytest.raises(ConfigError, match=r"module own_operation:halved: returned \(8, 1, 32, 16\), expected films"):
        applied(drawn({"module": "own_operation:halved"}), films())
    with pytest.raises(ConfigError, match="module own_operation:absent: own_operation has no 'absent'"):
        drawn({"module": "own_operation:absent"})


def test_operations_leave_the_affine_map_as_it_was():
    moving = {"area": (0.5, 1.0), "rotation_degrees": 7, "flip": True}
    plain, changed = (
        next(
            iter(
                TrainingBatches(
                    part=part(), augmentation=Augmentation(**moving, operations=chain), batch_size=12, seed=5, epoch=2
                )
            )
        )
        for chain in ((), ({"brightness": {"probability": 0.5}},))
    )
    is_same = (plain[0] == changed[0]).flatten(1).all(dim=1)
    assert 0 < is_same.sum() < 12
    assert torch.equal(plain[1], changed[1])
