"""What the beam meets: depths of soft tissue, lung, blood and bone in every pixel, and how much they attenuate."""

from dataclasses import dataclass

import numpy as np

from cxrbench.data.phantom.canvas import Map

# Linear attenuation, 1/cm, near the mean energy behind a patient (about 60 keV); bone: beyond the soft tissue it replaces.
SOFT_PER_CM, BONE_PER_CM = 0.19, 0.34
LUNG_DENSITY = 0.22
"""Of inflated lung, relative to soft tissue."""


@dataclass(frozen=True)
class Tissue:
    """Maps over the film; signs return changed copies."""

    soft: Map
    """Soft tissue and fluid, cm."""
    lung: Map
    """Depth taken up by lung, cm, whatever fills it."""
    density: Map
    """Mean density of that depth: about 0.22 aerated, 0 free air, 1 filled."""
    grain: Map
    """Fluctuation of the density around its mean, relative."""
    blood: Map
    """Vessels within the lung, cm."""
    bone: Map
    """Bone, cm."""
    metal: Map
    """Devices, as optical depth."""

    def optical_depth(self, bone_contrast: float = 1.0) -> Map:
        """Minus log of the transmitted share of the beam."""
        soft = self.soft + self.lung * self.density * (1 + self.grain) + self.blood * (1 - self.density)
        depth: Map = SOFT_PER_CM * soft + np.float32(BONE_PER_CM * bone_contrast) * self.bone + self.metal
        return depth
