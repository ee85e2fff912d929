"""The measures of one patient, and how one film of them is taken."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Build:
    """Measures of a patient, cm; the same on all of the patient's films."""

    is_male: bool
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
    breast_depth: float
    rib_gap: float
    bone: float
    """Mineral content; 1 is usual."""
    markings: float
    """Calibre of the lung vessels; 1 is usual."""
    gastric_gas: float
    """0 none, 1 much."""
    seed: int
    right_rise: float = 0.0
    """How far collapse pulls up the right hemidiaphragm, cm."""
    left_rise: float = 0.0


@dataclass(frozen=True)
class Pose:
    """How a film is taken: projection, breath, beam and detector."""

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
    softness_cm: float
    noise: float
    brightness: float
    latitude: float
    bone_contrast: float


def draw_build(rng: np.random.Generator, *, sex: str, age_years: float) -> Build:
    """Measures of a patient; age shows only faintly, in the aortic knob and the bones."""
    is_male = sex == "M"
    stature = (1.05 if is_male else 0.96) * rng.normal(1, 0.04)
    ageing = (age_years - 45) / 45
    return Build(
        is_male=is_male,
        chest_half_width=13.4 * stature * rng.normal(1, 0.03),
        chest_half_depth=9.3 * stature * rng.normal(1, 0.05),
        wall=float(np.clip(rng.lognormal(0.75, 0.35), 1.2, 5.0)),
        lung_height=24.0 * stature * rng.normal(1, 0.05),
        dome_height=rng.uniform(3.6, 5.0),
        left_dome_drop=rng.normal(1.0, 0.4),
        heart_size=stature * rng.normal(0.97, 0.06),
        knob_radius=float(np.clip(1.7 + 0.15 * ageing + rng.normal(0, 0.2), 1.1, 2.6)),
        breast_depth=0.0 if is_male else float(rng.gamma(3.5, 0.75)),
        rib_gap=rng.normal(1, 0.04),
        bone=float(np.clip(rng.normal(1 - 0.06 * ageing, 0.13), 0.6, 1.4)),
        markings=rng.uniform(0.8, 1.2),
        gastric_gas=float(rng.choice([0, 0, 0.3, 0.6, 1.0])),
        seed=int(rng.integers(2**31)),
    )


def draw_pose(rng: np.random.Generator, *, view: str) -> Pose:
    """How a film is taken: upright PA at 2 m, or AP in bed with less breath, more heart, scatter and blur."""
    is_ap = view == "AP"
    return Pose(
        is_ap=is_ap,
        tilt_deg=rng.normal(0, 2.5 if is_ap else 1.0),
        zoom=rng.normal(1.05 if is_ap else 1.02, 0.05),
        shift_cm=(rng.normal(0, 1.0 if is_ap else 0.5), rng.normal(0, 0.9)),
        turn_cm=rng.normal(0, 0.8 if is_ap else 0.35),
        breath=float(np.clip(rng.normal(0.90 if is_ap else 1.0, 0.06), 0.7, 1.1)),
        heart_zoom=float(rng.normal(1.1 if is_ap else 1.0, 0.04)),
        shoulders_cm=float(np.clip(rng.normal(1.6 if is_ap else -0.4, 1.2), -2.0, 4.0)),
        clavicle_rise_cm=rng.normal(1.2 if is_ap else 0.0, 0.7),
        scatter=rng.uniform(0.45, 0.9) if is_ap else rng.uniform(0.2, 0.5),
        softness_cm=rng.uniform(0.04, 0.12) if is_ap else rng.uniform(0.02, 0.05),
        noise=rng.uniform(0.9, 1.8) if is_ap else rng.uniform(0.6, 1.2),
        brightness=rng.normal(0, 0.18),
        latitude=rng.uniform(0.85, 1.2),
        bone_contrast=rng.uniform(1.0, 1.25) if is_ap else rng.uniform(0.8, 1.1),
    )


def posed(build: Build, pose: Pose) -> Build:
    """The patient's measures as a pose shows them: less breath raises the domes, AP enlarges the heart."""
    return replace(
        build,
        lung_height=build.lung_height * pose.breath,
        heart_size=build.heart_size * pose.heart_zoom,
        chest_half_width=build.chest_half_width * (0.9 + 0.1 * pose.breath),
    )
