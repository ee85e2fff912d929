"""One film: a chest, its signs, and its exposure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom.anatomy import draw_anatomy
from cxrbench.data.phantom.build import centred, draw_build, draw_pose, posed
from cxrbench.data.phantom.canvas import Canvas
from cxrbench.data.phantom.devices import device_depth, draw_shutter, marker_depth
from cxrbench.data.phantom.epidemiology import PATHOLOGIES
from cxrbench.data.phantom.exposure import expose
from cxrbench.data.phantom.lesions import Lesion, measure
from cxrbench.data.phantom.population import Film
from cxrbench.data.phantom.scene import Instance, Scene
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.shapes import Map
from cxrbench.data.phantom.signs import DRAWINGS
from cxrbench.data.phantom.tissue import Tissue

Instances = Mapping[str, Sequence[Instance]]

# Each has a random stream of its own, so that a sign changes nothing else on the film.
FILM_STREAM, BUILD_STREAM, DEVICE_STREAM, SIGN_STREAM = range(1, 5)


@dataclass(frozen=True)
class Picture:
    """A film as stored, and what it shows where."""

    pixels: NDArray[np.uint8]  # (H, W)
    lesions: tuple[Lesion, ...]


def draw_film(film: Film, settings: PhantomSettings) -> Picture:
    """Draw one film; its randomness depends on seed, patient and follow-up number alone."""
    patient, exposure = (settings.seed, film.patient), (settings.seed, film.patient, film.follow_up)
    rng, device_rng = (np.random.default_rng([*exposure, stream]) for stream in (FILM_STREAM, DEVICE_STREAM))
    pose = draw_pose(rng, view=film.view)
    usual = draw_build(np.random.default_rng([*patient, BUILD_STREAM]), sex=film.sex, age_years=film.age_years)
    build = posed(usual, pose)
    canvas = Canvas(settings.size_px, pose.tilt_deg, pose.zoom, centred(build, pose))
    scene, shutter = Scene(canvas, build, pose, settings.detail_px), draw_shutter(canvas, device_rng)
    tissue, lesions = draw_chest(scene, _instances(film, settings), shutter)
    metal = device_depth(canvas, build, pose, device_rng) + marker_depth(canvas, pose, device_rng)
    grey = expose(tissue.optical_depth(pose.bone_contrast) + metal, pose, canvas, rng)
    return Picture(np.asarray(255 * grey * shutter, np.uint8), tuple(lesions))


def draw_chest(scene: Scene, instances: Instances, shutter: Map) -> tuple[Tissue, list[Lesion]]:
    """The chest with all lesions, and where each changed it: first what shapes the organs, then what lies on them.

    Args:
        scene: The healthy chest.
        instances: Lesions by finding.
        shutter: (H, W) 1 where the film is seen; what lies elsewhere is no lesion.
    """
    reshaped, lesions = _reshape(scene, instances, shutter)
    tissue = draw_anatomy(reshaped)
    depth = tissue.optical_depth()
    for finding, drawing in DRAWINGS.items():
        if drawing.draw is None:
            continue
        for one in instances.get(finding, ()):
            tissue = drawing.draw(tissue, reshaped, one)
            before, depth = depth, tissue.optical_depth()
            lesions += measure(finding, shutter * (depth - before))
    return tissue, lesions


def _reshape(scene: Scene, instances: Instances, shutter: Map) -> tuple[Scene, list[Lesion]]:
    """The scene with the organs that the findings shape, and those findings that show in nothing else."""
    lesions: list[Lesion] = []
    for finding, drawing in DRAWINGS.items():
        if drawing.reshape and finding in instances:
            after = replace(scene, build=drawing.reshape(scene.build, instances[finding][0]))
            if drawing.draw is None:
                depths = [draw_anatomy(at).optical_depth() for at in (scene, after)]
                lesions += measure(finding, shutter * (depths[1] - depths[0]))
            scene = after
    return scene, lesions


def _instances(film: Film, settings: PhantomSettings) -> dict[str, list[Instance]]:
    """The lesions of a film by finding; a patient's stay where they are from film to film."""
    return {
        sign.finding: list(_instances_of(sign.finding, sign.visibility, film.patient, settings))
        for sign in film.signs
        if sign.visibility > 0
    }


def _instances_of(finding: str, visibility: float, patient: int, settings: PhantomSettings) -> Iterator[Instance]:
    """The lesions of one finding, on alternate sides."""
    rng = np.random.default_rng([settings.seed, patient, SIGN_STREAM, PATHOLOGIES.index(finding)])
    first = int(rng.choice([-1, 1]))
    for number in range(rng.choice(DRAWINGS[finding].counts)):
        yield Instance(visibility * settings.conspicuity, first * (-1) ** number, rng)
