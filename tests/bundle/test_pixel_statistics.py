"""Inverted films and other pictures are found; films like the training films mostly are not."""

import cv2
import numpy as np
import pytest

from cxrbench.bundle.pixel_statistics import FILMS, PixelStatistics, miniature, spread_over
from cxrbench.data.geometry import pad_to_square, resize_square
from cxrbench.data.images import read_grey


def films(count, seed):
    """Miniatures of something like a chest: two dark fields whose size, place and grey vary."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16] / 15
    made = []
    for _ in range(count):
        shift, size, depth, tilt = rng.normal(0, 0.03), rng.normal(0.17, 0.015), rng.uniform(60, 120), rng.normal(0, 20)
        fields = sum(np.exp(-(((x - c - shift) / size) ** 2 + ((y - 0.5) / 0.35) ** 2)) for c in (0.27, 0.73))
        made.append(180 - depth * fields + tilt * (x - 0.5) + rng.normal(0, 6, (16, 16)))
    return np.clip(made, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def statistics():
    return PixelStatistics.fit(films(400, seed=0))


def share(statistics, miniatures):
    """Share of films that get a warning."""
    return np.mean([bool(statistics.warnings_of(each)) for each in miniatures])


def test_films_of_the_same_kind_seldom_get_a_warning(statistics):
    assert 0.001 < share(statistics, films(1000, seed=1)) < 0.06


def test_an_inverted_film_is_called_so(statistics):
    said = [statistics.warnings_of(255 - each) for each in films(50, seed=2)]
    assert all("likeness -" in one[0] for one in said)
    assert np.mean(["it looks inverted" in one[0] for one in said]) > 0.9


def test_exposure_alone_does_not_matter(statistics):
    film = films(1, seed=5)[0]
    assert statistics.measure((film // 2 + 20)[None])[0] == pytest.approx(statistics.measure(film[None])[0], abs=0.02)


@pytest.mark.parametrize("turns", [1, 2])
def test_another_picture_gets_a_warning(statistics, turns):
    rng = np.random.default_rng(3)
    pictures = np.stack([cv2.resize(rng.integers(0, 255, (4, 4)).astype(np.uint8), (16, 16)) for _ in range(30)])
    assert share(statistics, np.rot90(pictures, turns, (1, 2))) > 0.9
    assert "is it a frontal chest film, upright?" in statistics.warnings_of(pictures[0])[0]


def test_a_uniform_picture_gets_a_warning(statistics):
    for grey in (0, 90, 255):
        assert statistics.warnings_of(np.full((16, 16), grey, np.uint8)) == ("the image is uniform; it shows no chest",)


def test_measures_by_their_definition(statistics):
    film = films(1, seed=7)[0]
    mean, components = np.array(statistics.mean), np.array(statistics.components)
    assert components @ components.T == pytest.approx(np.eye(len(components)), abs=1e-9)
    standard = (film.ravel() - film.mean()) / film.std()
    likeness, strangeness = statistics.measure(film[None])
    assert likeness[0] == pytest.approx(np.corrcoef(film.ravel(), mean)[0, 1])
    best = np.linalg.lstsq(components.T, standard - mean, rcond=None)[0]
    assert strangeness[0] == pytest.approx(np.mean((standard - mean - components.T @ best) ** 2))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_films_are_enough_not_to_fail(count):
    fitted = PixelStatistics.fit(films(count, seed=0))
    assert np.isfinite([fitted.lowest_likeness, fitted.highest_strangeness]).all()


def test_at_most_so_many_films_are_looked_at():
    rows = spread_over(np.arange(3 * FILMS))
    assert (len(rows), rows[0], rows[-1]) == (FILMS, 0, 3 * FILMS - 1)
    assert spread_over(np.array([4, 7])).tolist() == [4, 7]


def of_folder(folder, every):
    paths = sorted(folder.rglob("*.png"))[::every]
    return np.stack([miniature(resize_square(pad_to_square(read_grey(path)), 64)) for path in paths])


def test_on_real_films_false_alarms_are_few_and_inverted_films_are_found(shared):
    learnt, others = of_folder(shared("nih-thumbs") / "images", 1), of_folder(shared("nih-sample") / "images", 5)
    fitted = PixelStatistics.fit(learnt)
    assert share(fitted, others) < 0.1
    assert share(fitted, 255 - others) > 0.99
    assert share(fitted, np.rot90(others, 1, (1, 2))) > 0.9
