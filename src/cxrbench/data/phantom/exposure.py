"""From depths to grey values: transmission, scatter, blur, quantum noise and the display curve."""

import numpy as np

from cxrbench.data.phantom.build import Pose
from cxrbench.data.phantom.canvas import Canvas, Map, blur
from cxrbench.data.phantom.tissue import Tissue

SCATTER_CM = 3.5
QUANTA_PER_CM2 = 3e6
"""Detected quanta behind nothing, for a noise of 1."""
MIDDLE, WIDTH = 1.8, 0.6


def expose(tissue: Tissue, pose: Pose, canvas: Canvas, rng: np.random.Generator) -> Map:
    """Grey values 0 to 1, white where much is absorbed.

    Source: Beer-Lambert attenuation and single scatter; noise is Poisson, here Gaussian with the same variance.
    """
    depth = tissue.optical_depth(pose.bone_contrast)
    primary = np.exp(-depth)
    # Scatter is born where much is absorbed and reaches the detector spread out.
    scatter = pose.scatter * blur(depth * primary, SCATTER_CM / canvas.pixel_cm) * 0.5
    signal = blur(primary + scatter, max(0.3, pose.softness_cm / canvas.pixel_cm))
    quanta = QUANTA_PER_CM2 / pose.noise**2 * canvas.pixel_cm**2
    noisy = signal + np.sqrt(signal / quanta) * rng.standard_normal(signal.shape, dtype=np.float32)
    return develop(-np.log(np.maximum(noisy, 1e-4)), pose, canvas)


def develop(depth: Map, pose: Pose, canvas: Canvas) -> Map:
    """The display curve: a sigmoid of optical depth, after mild unsharp masking."""
    crisp = depth + 0.35 * (depth - blur(depth, 0.9 / canvas.pixel_cm))
    grey: Map = 1 / (1 + np.exp(-(crisp - MIDDLE + pose.brightness) / (WIDTH * pose.latitude)))
    return grey
