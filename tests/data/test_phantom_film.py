"""Films: what each sign changes, and what stays."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from cxrbench.data.phantom.build import draw_build, draw_pose, posed
from cxrbench.data.phantom.epidemiology import PATHOLOGIES
from cxrbench.data.phantom.film import draw_film
from cxrbench.data.phantom.population import Film, Sign
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.signs import DRAWINGS

SMALL = PhantomSettings(size_px=256, detail_px=128)
RESHAPING = [name for name, drawing in DRAWINGS.items() if drawing.reshape]
LYING_ON = [name for name in PATHOLOGIES if name not in RESHAPING]


def film(*findings, patient=1, view="PA", sex="M", visibility=0.9, age=50):
    signs = tuple(Sign(name, visibility) for name in findings)
    return Film(patient, 0, age, sex, view, signs, labels=(), priors=())


@cache
def drawn(*findings, settings=SMALL, **about):
    return draw_film(film(*findings, **about), settings)


def grey(picture):
    return picture.pixels.astype(float)


def box(lesion, side, margin=0.0):
    rows = slice(max(0, int((lesion.y - margin) * side)), int(np.ceil((lesion.y + lesion.height + margin) * side)))
    columns = slice(max(0, int((lesion.x - margin) * side)), int(np.ceil((lesion.x + lesion.width + margin) * side)))
    return rows, columns


@pytest.fixture(scope="module")
def normal():
    return drawn()


def test_every_pathology_can_be_drawn():
    assert set(DRAWINGS) == set(PATHOLOGIES)


def test_a_film_is_a_grey_picture_of_the_wanted_size(normal):
    assert normal.pixels.dtype == np.uint8
    assert normal.pixels.shape == (256, 256)
    assert normal.lesions == ()


def test_equal_films_are_equal(normal):
    assert (drawn().pixels == normal.pixels).all()


@pytest.mark.parametrize("other", [{"patient": 2}, {"view": "AP"}, {"sex": "F"}], ids=str)
def test_other_films_differ(normal, other):
    assert np.abs(grey(drawn(**other)) - grey(normal)).mean() > 2


@pytest.mark.parametrize("view", ["PA", "AP"])
@pytest.mark.parametrize("patient", [1, 2, 3])
def test_it_has_the_tones_of_a_chest(patient, view):
    """Lungs darker than heart and belly, air beside the shoulders black."""
    pixels = grey(drawn(patient=patient, view=view))
    lungs = np.minimum(pixels[90:140, 60:100].mean(), pixels[90:140, 160:200].mean())
    spine, belly = pixels[100:150, 122:134].mean(), pixels[215:235, 80:170].mean()
    assert lungs + 25 < spine
    assert lungs + 40 < belly
    assert pixels[20:40, 15:40].mean() < lungs
    assert pixels.max() <= 243


def test_it_looks_the_same_at_every_size():
    large = drawn(settings=PhantomSettings(size_px=512, detail_px=128))
    shrunk = cv2.resize(large.pixels, (256, 256), interpolation=cv2.INTER_AREA).astype(float)
    difference = shrunk[10:-10, 10:-10] - grey(drawn())[10:-10, 10:-10]
    assert np.abs(difference).mean() < 3
    assert np.corrcoef(shrunk.ravel(), grey(drawn()).ravel())[0, 1] > 0.995


def test_women_have_breasts_over_the_lower_lungs():
    difference = np.mean(
        [grey(drawn(patient=each, sex="F")) - grey(drawn(patient=each)) for each in range(1, 9)], axis=0
    )
    assert difference[130:170, 50:95].mean() > difference[70:100, 70:95].mean() + 4


def test_films_in_bed_have_larger_hearts_and_less_breath():
    rng = np.random.default_rng(0)
    build = draw_build(rng, sex="M", age_years=50)

    def mean(measure, view):
        return np.mean([getattr(posed(build, draw_pose(rng, view=view)), measure) for _ in range(200)])

    assert mean("heart_size", "AP") > 1.05 * mean("heart_size", "PA")
    assert mean("lung_height", "AP") < 0.95 * mean("lung_height", "PA")


@pytest.mark.parametrize("finding", PATHOLOGIES)
def test_a_sign_is_seen_and_boxed(finding):
    for patient in range(1, 5):
        lesions = drawn(finding, patient=patient).lesions
        assert lesions
        for lesion in lesions:
            assert lesion.finding == finding
            assert 0 <= lesion.x <= lesion.x + lesion.width <= 1
            assert 0 <= lesion.y <= lesion.y + lesion.height <= 1
            assert lesion.contrast > 0.05
            assert 0 < lesion.diameter < 1


@pytest.mark.parametrize("finding", LYING_ON)
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_a_sign_changes_its_place_and_little_else(finding, view):
    with_sign, without = drawn(finding, view=view, patient=4), drawn(view=view, patient=4)
    change = np.abs(grey(with_sign) - grey(without))
    inside = np.zeros(change.shape, bool)
    for lesion in with_sign.lesions:
        inside[box(lesion, 256, margin=0.02)] = True
    assert inside.mean() < 0.5
    assert change[inside].mean() > 10 * change[~inside].mean()
    # The rest is scatter, and borders that fade.
    assert change[~inside].mean() < 2.0


@pytest.mark.parametrize("finding", RESHAPING)
def test_a_sign_of_an_organ_changes_its_box_most(finding):
    with_sign, without = drawn(finding, patient=4), drawn(patient=4)
    change = np.abs(grey(with_sign) - grey(without))
    inside = np.zeros(change.shape, bool)
    for lesion in with_sign.lesions:
        inside[box(lesion, 256)] = True
    assert change[inside].mean() > 2 * change[~inside].mean()


def test_an_invisible_finding_changes_nothing(normal):
    picture = drawn("Mass", "Effusion", visibility=0.0)
    assert (picture.pixels == normal.pixels).all()
    assert picture.lesions == ()


def test_a_plainer_sign_has_more_contrast():
    faint, plain = (drawn("Mass", visibility=each).lesions[0].contrast for each in (0.4, 1.0))
    assert faint < 0.6 * plain


def test_conspicuity_multiplies_contrast():
    usual, doubled = (drawn("Nodule", settings=SMALL.model_copy(update={"conspicuity": each})) for each in (1.0, 2.0))
    assert doubled.lesions[0].contrast == pytest.approx(2 * usual.lesions[0].contrast, rel=0.05)


def test_lesions_stay_where_they_are_on_follow_up():
    first, next_ = film("Mass", patient=9), replace(film("Mass", patient=9), follow_up=1)
    one, other = (draw_film(each, SMALL).lesions[0] for each in (first, next_))
    assert one.x == pytest.approx(other.x, abs=0.1)
    assert one.y == pytest.approx(other.y, abs=0.1)


def test_effusion_whitens_the_costophrenic_angle():
    """Where the lung's lowest corner was dark, fluid is bright, higher at the wall than within (meniscus)."""
    for patient in range(1, 7):
        picture = drawn("Effusion", patient=patient)
        change = grey(picture) - grey(drawn(patient=patient))
        lesion = picture.lesions[0]
        rows, columns = box(lesion, 256)
        is_left = lesion.x > 0.5
        at_wall = change[rows, columns][:, -8:] if is_left else change[rows, columns][:, :8]
        within = change[rows, columns][:, :8] if is_left else change[rows, columns][:, -8:]
        assert change[rows, columns].mean() > 8
        assert np.argmax(at_wall.max(axis=1) > 8) <= np.argmax(within.max(axis=1) > 8) or within.max() <= 8
        # It rests on the diaphragm: the box ends at the lowest lung.
        assert lesion.y + lesion.height > 0.6


def test_cardiomegaly_widens_the_heart_beyond_half_of_the_chest():
    """Cardiothoracic ratio from the boxes: the heart's of the changed borders, the chest's of an emphysema."""
    ratios = []
    for patient in range(1, 7):
        heart = drawn("Cardiomegaly", patient=patient, visibility=1.0).lesions[0]
        chest = drawn("Emphysema", patient=patient).lesions[0]
        ratios.append(heart.width / chest.width)
    assert np.mean(ratios) > 0.5


@pytest.mark.parametrize("patient", [2, 5, 8])
def test_pneumothorax_takes_markings_away(patient):
    """Beyond the pleural line the lung is darker and smoother."""
    picture, normal = grey(drawn("Pneumothorax", patient=patient)), grey(drawn(patient=patient))
    free = cv2.erode((picture - normal < -8).astype(np.uint8), np.ones((5, 5))) > 0

    def detail(pixels):
        return (pixels - cv2.GaussianBlur(pixels, (0, 0), 2))[free].std()

    assert free.sum() > 60
    assert detail(picture) < detail(normal)


def test_emphysema_darkens_the_lungs_and_lowers_the_domes():
    change = np.mean(
        [grey(drawn("Emphysema", patient=each)) - grey(drawn(patient=each)) for each in range(1, 7)], axis=0
    )
    assert change[60:100, 65:95].mean() < -5
    assert change[175:190, 60:90].mean() < 0


def test_edema_is_bilateral_and_a_mass_is_not():
    def sides(finding):
        change = np.abs(grey(drawn(finding, patient=3)) - grey(drawn(patient=3)))
        halves = sorted([change[:, :118].sum(), change[:, 138:].sum()])
        return halves[0] / halves[1]

    assert sides("Edema") > 0.5
    assert sides("Mass") < 0.1


def test_nodules_are_small_and_masses_are_large():
    nodules = [lesion for patient in range(1, 9) for lesion in drawn("Nodule", patient=patient).lesions]
    masses = [lesion for patient in range(1, 9) for lesion in drawn("Mass", patient=patient).lesions]
    assert max(lesion.diameter for lesion in nodules) < 3 / SMALL.detail_px
    assert min(lesion.diameter for lesion in masses) > 2 / 40  # 3 cm on a film of 40 cm, less its thin border
    round_ = [lesion.width / lesion.height for lesion in nodules]
    assert 0.5 <= min(round_) <= max(round_) <= 2


def test_nodules_scale_with_the_detail():
    coarse, fine = (
        drawn("Nodule", settings=PhantomSettings(size_px=512, detail_px=each)).lesions[0].diameter
        for each in (128, 256)
    )
    assert coarse / fine == pytest.approx(2, rel=0.2)


def test_hernia_has_air_above_fluid_behind_the_heart():
    change = grey(drawn("Hernia", patient=2)) - grey(drawn(patient=2))
    (lesion,) = drawn("Hernia", patient=2).lesions
    rows, columns = box(lesion, 256)
    assert 0.4 < lesion.x + lesion.width / 2 < 0.7
    half = (rows.stop - rows.start) // 2
    assert change[rows, columns][:half].min() < -8
    assert change[rows, columns][half:].max() > 8
