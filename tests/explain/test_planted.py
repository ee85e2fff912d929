"""On films that are not square, maps peak where a planted spot is, in every family; what learnt nothing does not."""

import pytest

from cxrbench.explain.activations import stage_layers
from cxrbench.explain.maps import METHODS, cam_problem
from planted import (
    FAMILIES,
    FEW_FILMS,
    FEW_STEPS,
    FILMS,
    PLACES,
    STEPS,
    approach_of,
    centre_hits,
    drawn_network,
    fitted_network,
    hits,
    planted_films,
)

FEWEST = 18
FAST = ("efficientnet", "vit")


@pytest.fixture(scope="module")
def films():
    """Films to fit and films to ask."""
    return planted_films(FEW_FILMS, with_spot=0.5, seed=1), planted_films(PLACES, with_spot=1.1, seed=2)


@pytest.fixture(scope="module")
def more_films(films):
    """As many to fit as the committed table was made with."""
    return planted_films(FILMS, with_spot=0.5, seed=1), films[1]


def checked(family, films, methods, *, steps):
    train, test = films
    approach = approach_of(family)
    classifier = fitted_network(approach, train, seed=0, steps=steps)
    last = len(stage_layers(classifier.backbone))
    if cam_problem(classifier, image_size=approach.input.image_size):
        methods = [method for method in methods if method != "cam"]
    return {method: hits(classifier, approach, test, method, stage=last) for method in methods}


@pytest.mark.parametrize("family", FAST)
def test_maps_peak_where_the_spot_is(family, films, one_thread):
    found = checked(family, films, [method for method in METHODS if method != "occlusion"], steps=FEW_STEPS)
    assert min(found.values()) >= FEWEST, found


@pytest.mark.slow
@pytest.mark.every_family
@pytest.mark.parametrize("family", FAMILIES)
def test_maps_of_every_family_and_method_peak_where_the_spot_is(family, more_films):
    found = checked(family, more_films, METHODS, steps=STEPS)
    assert min(found.values()) >= FEWEST, found


def test_what_learnt_nothing_does_not(films):
    approach = approach_of("vit")
    classifier = drawn_network(approach, seed=1)
    assert hits(classifier, approach, films[1], "hires-cam") < FEWEST // 2
    assert centre_hits(approach, films[1], cells=12) < FEWEST // 2
