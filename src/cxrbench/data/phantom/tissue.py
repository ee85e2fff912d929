"""What the beam meets: depths of soft tissue, lung, blood and bone in every pixel, and how much they attenuate."""

from dataclasses import dataclass, replace

import numpy as np

from cxrbench.data.phantom.shapes import Map

SOFT_PER_CM, BONE_PER_CM = 0.19, 0.34
"""Linear attenuation near the mean energy behind a patient (about 60 keV); bone: beyond the soft tissue it replaces.

Source: NIST X-ray mass attenuation coefficients, doi:10.18434/T4D01F, rounded.
"""
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
    """Fluctuation of the density about its mean, relative, in healthy lung."""
    blood: Map
    """Vessels within the lung, cm."""
    bone: Map
    """Bone, cm."""

    def optical_depth(self, bone_contrast: float = 1.0) -> Map:
        """Minus the log of the beam's transmitted share."""
        air = 1 - self.density
        # Where lung is all air or all fluid there is nothing left to fluctuate, nor vessels to stand out.
        grain = self.grain * air * (1 / (1 - LUNG_DENSITY))
        soft = self.soft + self.lung * self.density * (1 + grain) + self.blood * air
        depth: Map = SOFT_PER_CM * soft + (BONE_PER_CM * bone_contrast) * self.bone
        return depth

    def filled(self, share: Map) -> "Tissue":
        """The same with a share (0 to 1) of the air in the lung replaced by fluid or cells."""
        return replace(self, density=self.density + np.clip(share, 0, 1) * (1 - self.density))

    def thickened(self, depth: Map) -> "Tissue":
        """The same with soft tissue added, as optical depth."""
        return replace(self, soft=self.soft + depth * (1 / SOFT_PER_CM))
