"""One film: anatomy, signs, exposure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxrbench.data.phantom import cavity, exposure
from cxrbench.data.phantom.build import Build, draw_build, draw_pose, posed
from cxrbench.data.phantom.canvas import Canvas, Map
from cxrbench.data.phantom.gas import gas_depth
from cxrbench.data.phantom.markings import vessel_depth
from cxrbench.data.phantom.population import Film, Sign
from cxrbench.data.phantom.scene import Scene
from cxrbench.data.phantom.settings import PhantomSettings
from cxrbench.data.phantom.signs import DRAWINGS
from cxrbench.data.phantom.skeleton import bone_depth
from cxrbench.data.phantom.tissue import LUNG_DENSITY, Tissue
from cxrbench.data.phantom.trunk import body_depth, breasts
from cxrbench.findings import PATHOLOGIES

BOX_LEVEL = 0.3
"""A lesion's box holds what changes the optical depth by this share of the largest change."""


@dataclass(frozen=True)
class Lesion:
    """Where one sign is: a box and a diameter in fractions of the image's side, and its contrast."""

    finding: str
    x: float
    y: float
    width: float
    height: float
    diameter: float
    contrast: float
    """Largest change of the optical depth."""


@dataclass(frozen=True)
class Picture:
    """A film as stored, and what it shows where."""

    pixels: NDArray[np.uint8]  # (H, W)
    lesions: tuple[Lesion, ...]


def expose(film: Film, settings: PhantomSettings) -> Picture:
    """Draw one film; its randomness depends on seed, patient and follow-up number alone."""
    key = (settings.seed, film.patient)
    rng = np.random.default_rng([*key, film.follow_up, 2])
    pose = draw_pose(rng, view=film.view)
    build = posed(draw_build(np.random.default_rng([*key, 1]), sex=film.sex, age_years=film.age_years), pose)
    canvas = Canvas(settings.size_px, pose.tilt_deg, pose.zoom, pose.shift_cm)
    scene = Scene(canvas, build, pose, settings.detail_px)
    seen = [sign for name in DRAWINGS for sign in film.signs if sign.finding == name and sign.visibility > 0]
    tissue, lesions = with_signs(scene, [replace(sign, visibility=sign.visibility * settings.conspicuity) for sign in seen], key)
    grey = exposure.expose(tissue, pose, canvas, rng)
    return Picture(np.clip(255 * grey, 0, 255).astype(np.uint8), tuple(lesions))


def with_signs(scene: Scene, signs: list[Sign], key: tuple[int, int]) -> tuple[Tissue, list[Lesion]]:
    """The chest with all signs, and where each changed it."""
    rngs = {sign.finding: np.random.default_rng([*key, PATHOLOGIES.index(sign.finding), 3]) for sign in signs}
    lesions: list[Lesion] = []
    tissue = anatomy(scene)
    for sign in signs:
        if reshape := DRAWINGS[sign.finding].reshape:
            build = reshape(scene.build, sign.visibility, rngs[sign.finding])
            scene = replace(scene, build=build)
            reshaped = anatomy(scene)
            if DRAWINGS[sign.finding].draw is None:
                lesions.append(measured(sign.finding, tissue, reshaped))
            tissue = reshaped
    for sign in signs:
        if draw := DRAWINGS[sign.finding].draw:
            rng = rngs[sign.finding]
            for _ in range(rng.choice(DRAWINGS[sign.finding].counts)):
                after = draw(tissue, scene, sign.visibility, rng)
                lesions.append(measured(sign.finding, tissue, after))
                tissue = after
    return tissue, lesions


def measured(finding: str, before: Tissue, after: Tissue) -> Lesion:
    """Box and contrast of what a sign changed."""
    change = np.abs(after.optical_depth() - before.optical_depth())
    contrast = float(change.max())
    is_changed = change > BOX_LEVEL * contrast
    side = len(change)
    rows, columns = (np.flatnonzero(is_changed.any(axis=axis)) for axis in (1, 0))
    if len(rows)==0: return Lesion(finding,0,0,0,0,0,0)
    x, y = columns[0] / side, rows[0] / side
    width, height = (columns[-1] + 1) / side - x, (rows[-1] + 1) / side - y
    diameter = float(2 * np.sqrt(is_changed.mean() / np.pi))
    return Lesion(finding, x, y, width, height, diameter, contrast)


def anatomy(scene: Scene) -> Tissue:
    """A healthy chest."""
    canvas, build, pose = scene.canvas, scene.build, scene.pose
    rng = np.random.default_rng(build.seed)
    lung = cavity.lung_depth(*canvas.grid, build)
    body = body_depth(canvas, build, pose) + breasts(canvas, build)
    blood = vessel_depth(canvas, build, rng)
    return Tissue(
        soft=np.clip(body - lung - gas_depth(canvas, build, pose), 0, None),
        lung=lung,
        density=np.full_like(lung, LUNG_DENSITY),
        grain=0.05 * canvas.noise(1.7 * scene.detail_cm, rng),
        blood=blood * np.clip(lung / 5, 0, 1),
        bone=bone_depth(canvas, build, pose),
        metal=np.zeros_like(lung),
    )
