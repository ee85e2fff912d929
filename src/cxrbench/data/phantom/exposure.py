"""From depths to grey values: transmission, scatter, blur, quantum noise and the display curve."""

import numpy as np

from cxrbench.data.phantom.build import Pose
from cxrbench.data.phantom.canvas import Canvas
from cxrbench.data.phantom.shapes import Map, blur

SCATTER_CM = 3.5
QUANTA_PER_CM2 = 3e6
"""Detected quanta behind nothing, for a noise of 1."""
LEAST_SIGNAL = 1e-4
MIDDLE, WIDTH, WHITEST = 1.8, 0.6, 0.95
"""Of the display curve: optical depth shown as half white, its slope's scale, and the brightest grey."""
SHARPENING, SHARPENING_CM = 0.35, 0.9


def expose(depth: Map, pose: Pose, canvas: Canvas, rng: np.random.Generator) -> Map:
    """Grey values, 0 to 1, white where much is absorbed.

    Beer-Lambert attenuation of one energy; scatter is born where much is absorbed (first order) and reaches the
    detector spread out; Poisson noise, here Gaussian with the same variance.

    Args:
        depth: (H, W) optical depth.
        pose: Beam and detector.
        canvas: The film.
        rng: For the noise.
    """
    primary = np.exp(-depth)
    scatter = 0.5 * pose.scatter * blur(depth * primary, SCATTER_CM / canvas.pixel_cm)
    signal = blur(primary + scatter, max(0.3, pose.softness_cm / canvas.pixel_cm))
    quanta = QUANTA_PER_CM2 / pose.noise**2 * canvas.pixel_cm**2
    noisy = signal + np.sqrt(signal / quanta) * rng.standard_normal(signal.shape, dtype=np.float32)
    return _displayed(-np.log(np.maximum(noisy, LEAST_SIGNAL)), pose, canvas)


def _displayed(depth: Map, pose: Pose, canvas: Canvas) -> Map:
    """A sigmoid of optical depth, after mild unsharp masking."""
    crisp = depth + SHARPENING * (depth - blur(depth, SHARPENING_CM / canvas.pixel_cm))
    grey: Map = WHITEST / (1 + np.exp((MIDDLE - pose.brightness - crisp) / (WIDTH * pose.latitude)))
    return grey
