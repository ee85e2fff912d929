"""Films from OpenCV and from the device's own sampling."""

import threading
from functools import partial

import cv2
import numpy as np
import pytest
import torch

from cxrbench.config import Augmentation
from cxrbench.data.augment import draw_affines, warp
from cxrbench.data.films import (
    CachedFeatures,
    HostFilms,
    ResidentFilms,
    UploadedFilms,
    ahead,
    choose_films,
    load_store,
    sample,
)
from cxrbench.data.geometry import centre_affine

CPU = torch.device("cpu")


def films(count, *, size=96, blur=0.0, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (count, size, size)).astype(np.uint8)
    if not blur:
        return noise
    smooth = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), blur) for image in noise]
    stretched = [(image - image.min()) / (image.max() - image.min()) * 255 for image in smooth]
    return np.stack(stretched).astype(np.uint8)


def maps(count, *, size, source, seed=1):
    return draw_affines(np.random.default_rng(seed), Augmentation(), count=count, source=source, size=size)


@pytest.mark.parametrize(("blur", "largest", "mean"), [(3.0, 1.6, 0.35), (0.0, 10.0, 2.0)], ids=["film", "noise"])
def test_both_ways_give_the_same_pixels(blur, largest, mean):
    images, affines = films(24, blur=blur), maps(24, size=64, source=96)
    ours = warp(images, affines, size=64)
    theirs = sample(torch.from_numpy(images), torch.from_numpy(affines), size=64).numpy()
    # Grey values of 255: rounding to whole ones and to 1/32 pixel is OpenCV's.
    difference = np.abs(ours - theirs) * 255
    inside = difference[:, :, 1:-1, 1:-1]
    assert inside.max() <= largest
    assert inside.mean() <= mean


def test_the_centre_crop_is_exact_on_the_device_too():
    images = films(3)
    cropped = sample(torch.from_numpy(images), torch.from_numpy(centre_affine(source=96, size=64)), size=64)
    np.testing.assert_allclose(cropped[:, 0].numpy(), images[:, 16:80, 16:80] / 255, atol=2e-5)


def delivered(source, rows, affines, *, size=64):
    return source.finish(source.fetch(rows, affines, size=size), affines, size=size)


def test_every_source_gives_the_films_of_the_rows():
    images, rows = films(9, blur=3.0), np.array([7, 0, 3, 7])
    affines = maps(4, size=64, source=96)
    expected = warp(images[rows], affines, size=64)
    here = delivered(HostFilms(images), rows, affines)
    resident = delivered(ResidentFilms(load_store(images, CPU)), rows, affines)
    uploaded = delivered(UploadedFilms(images, CPU), rows, affines)
    np.testing.assert_array_equal(here.numpy(), expected)
    assert torch.equal(resident, uploaded)
    assert np.abs(resident.numpy() - expected).max() < 2 / 255


def test_cached_features_stand_for_films():
    features = np.arange(12, dtype=np.float32).reshape(6, 2)
    found = delivered(CachedFeatures(features, CPU), np.array([5, 0]), maps(2, size=64, source=96))
    assert found.tolist() == [[10, 11], [0, 1]]


def test_a_cpu_warps_with_opencv():
    assert isinstance(choose_films(films(1), CPU), HostFilms)


def test_what_earlier_runs_held_is_given_back_before_the_free_memory_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("given back"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: asked.append("free") or (0, 0))
    choose_films(films(1), torch.device("cuda"))
    assert asked == ["given back", "free"]


@pytest.mark.parametrize(("share", "expected"), [(1.0, ResidentFilms), (0.5, UploadedFilms)])
def test_the_store_lies_on_the_device_if_it_fits_its_share(monkeypatch, share, expected):
    images = films(4)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * images.nbytes, 3 * images.nbytes))
    monkeypatch.setattr("cxrbench.data.films.load_store", lambda pixels, device: torch.from_numpy(pixels))
    assert isinstance(choose_films(images, torch.device("cuda"), share=share), expected)


def test_what_comes_next_is_made_while_this_is_worked_on():
    begun = [threading.Event() for _ in range(4)]

    def make(number):
        begun[number].set()
        return number

    seen = []
    for item in ahead(partial(make, number) for number in range(4)):
        assert item == 3 or begun[item + 1].wait(timeout=60)
        seen.append(item)
    assert seen == [0, 1, 2, 3]


def test_what_goes_wrong_in_the_background_is_told():
    def broken():
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(ahead([broken]))
