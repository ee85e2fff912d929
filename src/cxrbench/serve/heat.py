"""A heat map -> a transparent picture to lay over its film."""

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from cxrbench.explain.overlay import COLOURS
from cxrbench.serve.films import encode_png

LONGEST_SIDE = 1024
"""Of the picture, pixels; the networks' own grids are far coarser."""


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """PNG of a map (H, W) in 0..1: colour and opacity rise with it, so that what is cold stays the plain film."""
    colours = np.round(mpl.colormaps[COLOURS](heat) * 255).astype(np.uint8)  # (H, W, 4)
    colours[..., 3] = np.round(heat * 255)
    return encode_png(colours)
