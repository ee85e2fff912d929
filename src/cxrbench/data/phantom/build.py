"""The measures of one patient, and how one film of them is taken."""

from dataclasses import dataclass, replace

import numpy as np

Spread = tuple[float, float]  # mean and standard deviation

USUAL_LUNG_CM = 24.0
"""Height of the lungs at full breath, for which the film is made."""


@dataclass(frozen=True)
class Build:
    """Measures of a patient, cm; the same on all of the patient's films."""

    chest_half_width: float
    chest_half_depth: float
    wall: float
    """Muscle and fat outside the ribs."""
    lung_height: float
    """From the apex to the top of the right dome."""
    dome_height: float
    """From the costophrenic angle to the top of the dome."""
    left_dome_drop: float
    heart_size: float
    """Relative width of the heart; 1 is usual."""
    knob_radius: float
    """Of the aortic arch."""
    breast_depth: float
    rib_gap: float
    """Relative distance between ribs; 1 is usual."""
    bone: float
    """Relative mineral content; 1 is usual."""
    markings: float
    """Relative calibre of the lung's vessels; 1 is usual."""
    gastric_gas: float
    """0 none, 1 much."""
    seed: int
    """Of what has no name: how vessels branch, where gas lies."""
    right_rise: float = 0.0
    """How far collapse pulls up the right hemidiaphragm."""
    left_rise: float = 0.0


@dataclass(frozen=True)
class Pose:
    """How a film is taken: position, breath, beam and detector."""

    is_ap: bool
    tilt_deg: float
    zoom: float
    shift_cm: tuple[float, float]
    turn_cm: float
    """How far the front of the chest moves against the back when the patient is turned."""
    breath: float
    """Depth of inspiration; 1 is full."""
    heart_zoom: float
    shoulders_cm: float
    """How far the shoulder blades overlap the lungs."""
    clavicle_rise_cm: float
    scatter: float
    """Relative amount of scattered radiation."""
    softness_cm: float
    """Standard deviation of the blur by focal spot, motion and detector."""
    noise: float
    """Relative quantum noise; 1 is usual."""
    brightness: float
    """Shift of the display curve, optical depth."""
    latitude: float
    """Relative width of the display curve."""
    bone_contrast: float
    """Relative; larger at the lower voltage of films in bed."""


@dataclass(frozen=True)
class Technique:
    """How films of one view are taken, as means and standard deviations."""

    tilt_deg: Spread
    zoom: Spread
    shift_cm: Spread
    turn_cm: Spread
    breath: Spread
    heart_zoom: Spread
    shoulders_cm: Spread
    clavicle_rise_cm: Spread
    scatter: Spread
    softness_cm: Spread
    noise: Spread
    bone_contrast: Spread


PA = Technique(
    tilt_deg=(0, 1.0),
    zoom=(1.02, 0.05),
    shift_cm=(0, 0.5),
    turn_cm=(0, 0.35),
    breath=(1.0, 0.06),
    heart_zoom=(1.0, 0.04),
    shoulders_cm=(-0.4, 1.2),
    clavicle_rise_cm=(0, 0.7),
    scatter=(0.35, 0.09),
    softness_cm=(0.035, 0.01),
    noise=(0.9, 0.18),
    bone_contrast=(0.95, 0.09),
)
"""Standing, at 2 m, shoulders forward, with a grid."""

AP = Technique(
    tilt_deg=(0, 2.5),
    zoom=(1.05, 0.05),
    shift_cm=(0, 1.0),
    turn_cm=(0, 0.8),
    breath=(0.9, 0.06),
    heart_zoom=(1.1, 0.04),
    shoulders_cm=(1.6, 1.2),
    clavicle_rise_cm=(1.2, 0.7),
    scatter=(0.65, 0.13),
    softness_cm=(0.08, 0.02),
    noise=(1.3, 0.25),
    bone_contrast=(1.12, 0.08),
)
"""In bed, near the tube: less breath, more heart, rotation, scatter and blur."""


def draw_build(rng: np.random.Generator, *, sex: str, age_years: float) -> Build:
    """Measures of a patient; age shows only faintly, in the aortic knob and the bones."""
    is_male = sex == "M"
    stature = (1.05 if is_male else 0.96) * rng.normal(1, 0.04)
    ageing = (age_years - 45) / 45
    return Build(
        chest_half_width=13.4 * stature * rng.normal(1, 0.03),
        chest_half_depth=9.3 * stature * rng.normal(1, 0.05),
        wall=_clipped(rng.lognormal(0.75, 0.35), 1.2, 5),
        lung_height=USUAL_LUNG_CM * stature * rng.normal(1, 0.05),
        dome_height=rng.uniform(3.6, 5),
        left_dome_drop=rng.normal(1, 0.4),
        heart_size=stature * rng.normal(0.97, 0.06),
        knob_radius=_clipped(rng.normal(1.7 + 0.15 * ageing, 0.2), 1.1, 2.6),
        breast_depth=rng.gamma(3.5, 0.75) * (0 if is_male else 1),
        rib_gap=rng.normal(1, 0.04),
        bone=_clipped(rng.normal(1 - 0.06 * ageing, 0.13), 0.6, 1.4),
        markings=rng.uniform(0.8, 1.2),
        gastric_gas=float(rng.choice([0, 0, 0.3, 0.6, 1])),
        seed=int(rng.integers(2**31)),
    )


def draw_pose(rng: np.random.Generator, *, view: str) -> Pose:
    """How one film is taken."""
    usual = AP if view == "AP" else PA
    return Pose(
        is_ap=view == "AP",
        tilt_deg=rng.normal(*usual.tilt_deg),
        zoom=_clipped(rng.normal(*usual.zoom), 0.85, 1.25),
        shift_cm=(rng.normal(*usual.shift_cm), rng.normal(0, 0.9)),
        turn_cm=rng.normal(*usual.turn_cm),
        breath=_clipped(rng.normal(*usual.breath), 0.7, 1.12),
        heart_zoom=rng.normal(*usual.heart_zoom),
        shoulders_cm=_clipped(rng.normal(*usual.shoulders_cm), -2, 4),
        clavicle_rise_cm=rng.normal(*usual.clavicle_rise_cm),
        scatter=_clipped(rng.normal(*usual.scatter), 0.15, 1),
        softness_cm=_clipped(rng.normal(*usual.softness_cm), 0.015, 0.14),
        noise=_clipped(rng.normal(*usual.noise), 0.5, 2),
        brightness=rng.normal(0, 0.18),
        latitude=rng.uniform(0.85, 1.2),
        bone_contrast=rng.normal(*usual.bone_contrast),
    )


def posed(build: Build, pose: Pose) -> Build:
    """The patient's measures as a pose shows them: less breath raises the domes, AP enlarges the heart."""
    return replace(
        build,
        lung_height=build.lung_height * pose.breath,
        heart_size=build.heart_size * pose.heart_zoom,
        chest_half_width=build.chest_half_width * (0.9 + 0.1 * pose.breath),
    )


def centred(build: Build, pose: Pose) -> tuple[float, float]:
    """Shift of the body on the film, cm: the radiographer puts the middle of the lungs at the middle of the film."""
    lower = 0.5 * (USUAL_LUNG_CM - build.lung_height) * pose.zoom
    return pose.shift_cm[0], pose.shift_cm[1] + lower


def _clipped(value: float, low: float, high: float) -> float:
    """A value kept within what bodies and machines do."""
    return min(max(value, low), high)
