"""Films that are dark, pale, or cut to black and white are told, though their look is that of the training films."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cxrbench.bundle.grey_levels import GreyLevels
from cxrbench.bundle.pixel_statistics import PixelStatistics, miniature
from cxrbench.data.geometry import shrink
from cxrbench.data.images import decode
from dicom_film import film_dataset


def films(count, seed):
    """(N, 64, 64) films of something like a chest, whose exposure and contrast vary as those of real ones."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] / 63
    fields = sum(np.exp(-(((x - c) / 0.17) ** 2 + ((y - 0.5) / 0.35) ** 2)) for c in (0.27, 0.73))
    made = [rng.normal(165, 12) - rng.uniform(90, 130) * fields + rng.normal(0, 6, (64, 64)) for _ in range(count)]
    return np.clip(made, 0, 255).astype(np.uint8)


def small(pixels):
    return miniature(shrink(pixels, [64])[64])


@pytest.fixture(scope="module")
def statistics():
    return PixelStatistics.fit(np.stack([small(film) for film in films(400, seed=0)]))


def test_of_films_of_the_same_kind_about_one_in_a_hundred_gets_a_warning(statistics):
    warned = [bool(statistics.grey.warnings_of(small(film))) for film in films(1000, seed=1)]
    assert np.mean(warned) < 0.02


def png(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "png")
    return stream.getvalue()


def dicom(film, **elements):
    stream = io.BytesIO()
    film_dataset(film, **elements).save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def with_hot_pixel(film):
    deep = film.astype(np.uint16) * 16
    deep[5, 5] = 65535
    return deep


DAMAGES = {
    "a tenth of its brightness": (lambda film: png((film * 0.1).astype(np.uint8)), "darker than 99.5%"),
    "washed out": (lambda film: png((118 + film * 0.08).astype(np.uint8)), "of less contrast than 99.5%"),
    "over-exposed": (lambda film: png(np.clip(film.astype(int) + 110, 0, 255).astype(np.uint8)), "brighter than"),
    "one hot pixel": (lambda film: png(with_hot_pixel(film)), "darker than 99.5%"),
    "a bit a pixel": (lambda film: png(film > 128), "of more contrast than 99.5%"),
    "a window 50 wide": (lambda film: dicom(film, WindowCenter=2048, WindowWidth=50), "of more contrast than 99.5%"),
    "a window far above": (lambda film: dicom(film, WindowCenter=4500, WindowWidth=6000), "darker than 99.5%"),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_a_film_whose_grey_went_wrong_is_told(statistics, damage):
    write, said = DAMAGES[damage]
    for film in films(20, seed=2):
        warnings = statistics.warnings_of(small(decode(write(film))))
        assert any(said in warning for warning in warnings), (warnings, damage)
        assert "exposure, window or bit depth may be wrong" in warnings[-1]


def test_what_is_written_well_in_any_form_is_not(statistics):
    film = films(1, seed=3)[0]
    for content in (png(film), png(np.dstack([film] * 3)), dicom(film)):
        assert statistics.grey.warnings_of(small(decode(content))) == ()


def test_the_warning_says_both_numbers(statistics):
    low, high = statistics.grey.mean
    warnings = statistics.grey.warnings_of(np.full((16, 16), 3, np.uint8))
    assert warnings[0] == (
        f"darker than 99.5% of the training films (mean grey 3, theirs {low:.0f} to {high:.0f}): "
        "exposure, window or bit depth may be wrong"
    )


@given(arrays(np.uint8, st.tuples(st.integers(2, 12), st.just(16), st.just(16))))
def test_a_film_is_told_exactly_where_it_lies_beyond(miniatures):
    """By a definition of its own, for whatever a model was trained on."""
    fitted = GreyLevels.fit(miniatures[1:])
    film = miniatures[0]
    outside = 0
    for number, others in (
        (film.astype(float).mean(), [each.astype(float).mean() for each in miniatures[1:]]),
        (film.astype(float).std(), [each.astype(float).std() for each in miniatures[1:]]),
    ):
        low, high = np.percentile(others, 0.5), np.percentile(others, 99.5)
        slack = max(0.5, 0.05 * (high - low))
        assume(min(abs(number - low + slack), abs(number - high - slack)) > 1e-6)
        outside += number < low - slack or number > high + slack
    assert len(fitted.warnings_of(film)) == outside


def test_they_survive_their_file(statistics):
    assert GreyLevels.model_validate_json(statistics.grey.model_dump_json()) == statistics.grey


def test_real_films_are_seldom_told_and_damaged_ones_are(shared):
    def of_folder(name, every):
        paths = sorted((shared(name) / "images").rglob("*.png"))[::every]
        return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]

    fitted = GreyLevels.fit(np.stack([small(film) for film in of_folder("nih-thumbs", 1)]))
    others = of_folder("nih-sample", 5)

    def share(change):
        return np.mean([bool(fitted.warnings_of(small(change(film).astype(np.uint8)))) for film in others])

    assert share(lambda film: film) < 0.06
    assert share(lambda film: film * 0.1) == 1
    assert share(lambda film: 118 + film * 0.08) == 1
    assert share(lambda film: np.where(film > 128, 255, 0)) > 0.6
