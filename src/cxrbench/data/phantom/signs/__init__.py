"""The radiographic signs of the 14 pathologies, one function each.

Those that change the shape of organs take and return the patient's measures; the others take and return what the
beam meets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cxrbench.data.phantom.build import Build
from cxrbench.data.phantom.scene import Instance, Scene
from cxrbench.data.phantom.signs import airspace, focal, organs, pleura
from cxrbench.data.phantom.tissue import Tissue

Draw = Callable[[Tissue, Scene, Instance], Tissue]
Reshape = Callable[[Build, Instance], Build]


@dataclass(frozen=True)
class Drawing:
    """How a finding is drawn."""

    draw: Draw | None = None
    """Adds one lesion."""
    reshape: Reshape | None = None
    """Changes the anatomy first."""
    counts: tuple[int, ...] = (1,)
    """Numbers of lesions to choose from; they take turns on the two sides."""


DRAWINGS: Mapping[str, Drawing] = {
    "Cardiomegaly": Drawing(reshape=organs.enlarge_heart),
    "Emphysema": Drawing(organs.rarefy_lungs, organs.flatten_domes),
    "Atelectasis": Drawing(airspace.draw_plate, airspace.raise_dome, (1, 2)),
    "Edema": Drawing(airspace.draw_edema),
    "Fibrosis": Drawing(airspace.draw_reticulation),
    "Infiltration": Drawing(airspace.draw_patch, counts=(2, 3)),
    "Consolidation": Drawing(airspace.draw_consolidation),
    "Pneumonia": Drawing(airspace.draw_lobe),
    "Mass": Drawing(focal.draw_mass),
    "Nodule": Drawing(focal.draw_nodule, counts=(8, 10, 12, 15, 20, 25)),
    "Pleural_Thickening": Drawing(pleura.draw_thickening),
    "Pneumothorax": Drawing(pleura.draw_pneumothorax),
    "Effusion": Drawing(pleura.draw_effusion, counts=(1, 1, 2)),
    "Hernia": Drawing(organs.draw_hernia),
}
"""In the order in which they are drawn: what changes the anatomy first, what covers others last."""
