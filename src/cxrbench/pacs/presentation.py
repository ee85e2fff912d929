"""Boxes around the heat maps' peaks, drawn on the film itself: a Grayscale Softcopy Presentation State.

Source: DICOM PS3.3 A.33.1, C.10.5 (graphic annotation), C.11.6 (softcopy presentation LUT).
"""

from dataclasses import dataclass

import numpy as np
from highdicom import PresentationLUTTransformation
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)

from cxrbench.explain.maps import Method
from cxrbench.pacs.equipment import CHEST, MODEL, RESEARCH_ONLY, Author
from cxrbench.pacs.findings import Told
from cxrbench.pacs.source import UTF_8, Source
from cxrbench.pacs.uids import derived_uid

SERIES_NUMBER = 9003
PIXELS = AnnotationUnitsValues.PIXEL
LETTERS = 0.03
"""Height of a line of text, as a share of the film's."""
LETTER = 0.6
"""Width of a letter, as a share of its line's height."""


@dataclass(frozen=True)
class Boxed:
    """A finding and the peak of its heat map.

    Attributes:
        told: The finding.
        box: ``x, y, width, height`` in pixels of the film, from its upper left corner.
    """

    told: Told
    box: tuple[float, float, float, float]


def make_presentation(
    source: Source, author: Author, boxed: tuple[Boxed, ...], *, method: Method
) -> GrayscaleSoftcopyPresentationState:
    """How the film is shown with its boxes, of heat maps by a method; grey scale as the film's own."""
    shown = (one.told.finding for one in boxed)
    layer = GraphicLayer("CXRBENCH", order=1, description=f"Peaks of heat maps. {RESEARCH_ONLY}")
    annotations = [_annotation(source, layer, one) for one in boxed]
    shape = "INVERSE" if source.is_inverted else "IDENTITY"
    state = GrayscaleSoftcopyPresentationState(
        referenced_images=[source.image],
        series_instance_uid=derived_uid("presentation series", source.uid, author.digest),
        series_number=SERIES_NUMBER,
        series_description=f"{MODEL}: boxes. {RESEARCH_ONLY}",
        sop_instance_uid=derived_uid("presentation", source.uid, author.digest, method, *shown),
        instance_number=1,
        content_label="CXRBENCH",
        content_description=f"Peaks of heat maps. {RESEARCH_ONLY}",
        graphic_annotations=annotations,
        graphic_layers=[layer],
        presentation_lut_transformation=PresentationLUTTransformation(presentation_lut_shape=shape),
        specific_character_set=UTF_8,
        **author.attributes,
    )
    state.BodyPartExamined = CHEST
    source.identify(state)
    return state


def _annotation(source: Source, layer: GraphicLayer, boxed: Boxed) -> GraphicAnnotation:
    """A box, and beside it the finding with its number."""
    text = boxed.told.line
    return GraphicAnnotation(
        referenced_images=[source.image],
        graphic_layer=layer,
        graphic_objects=[GraphicObject(GraphicTypeValues.POLYLINE, corners(boxed.box), PIXELS)],
        text_objects=[TextObject(text, PIXELS, bounding_box=_beside(source, boxed.box, len(text)))],
    )


def corners(box: tuple[float, float, float, float]) -> np.ndarray:
    """A box as a closed line (5, 2) of column and row, the film's upper left corner being 0, 0."""
    x, y, width, height = box
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]], float)


def _beside(source: Source, box: tuple[float, float, float, float], letters: int) -> tuple[float, float, float, float]:
    """Where the text goes (left, top, right, bottom): over the box, below its upper edge where there is no room."""
    rows, columns = int(source.image.Rows), int(source.image.Columns)
    x, y, _, _ = box
    line = LETTERS * rows
    length = min(LETTER * line * letters, columns)
    left, top = min(x, columns - length), y - line if y >= line else y
    return left, top, left + length, top + line
