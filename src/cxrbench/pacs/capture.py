"""A heat map over the film as a picture that every viewer shows: Secondary Capture.

Source: DICOM PS3.3 A.8.1 (SC Image IOD), C.8.6.1 (conversion type), C.7.6.1.1.3 (derivation).
"""

import numpy as np
import pydicom
from highdicom.sc import SCImage
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from cxrbench.explain.maps import Method
from cxrbench.explain.overlay import Captioned, Rectangle, overlay
from cxrbench.pacs.equipment import CHEST, MODEL, RESEARCH_ONLY, Author
from cxrbench.pacs.findings import Told
from cxrbench.pacs.source import UTF_8, Source
from cxrbench.pacs.uids import derived_uid

SERIES_NUMBER = 9002
SIDE = 1024
"""Of a picture, pixels; larger ones say no more, as the maps are coarse."""
BURNED_IN = "Research use only"
WORKSTATION = "WSD"
UNORIENTED = ("L", "F")
"""Stands in while the picture is made: highdicom wants an orientation where the film states none."""
NO_BOX = np.empty((0, 4))
MAPS: dict[Method, str] = {
    "cam": "Class activation map",
    "grad-cam": "Grad-CAM map",
    "layer-cam": "LayerCAM map",
    "hires-cam": "HiResCAM map",
    "occlusion": "Occlusion map",
}
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def make_capture(
    source: Source,
    author: Author,
    told: Told,
    picture: NDArray[np.uint8],
    *,
    number: int,
    method: Method,
) -> SCImage:
    """A picture of one finding's heat map.

    Args:
        source: The film.
        author: Whose map it is.
        told: The finding.
        picture: (H, W, 3) from ``paint``.
        number: Of the picture in its series, from 1.
        method: Of the heat map.
    """
    capture = SCImage(
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=source.image.StudyInstanceUID,
        series_instance_uid=derived_uid("capture series", source.uid, author.digest),
        series_number=SERIES_NUMBER,
        series_description=f"{MODEL}: heat maps. {RESEARCH_ONLY}",
        sop_instance_uid=derived_uid("capture", source.uid, author.digest, told.finding, method),
        instance_number=number,
        patient_orientation=UNORIENTED,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=UTF_8,
        **author.attributes,
    )
    _describe(capture, source, told, method)
    source.identify(capture)
    return capture


def paint(
    film: NDArray[np.uint8], heat: NDArray[np.floating], told: Told, *, seen: Rectangle | None = None
) -> NDArray[np.uint8]:
    """The film under its heat map, both (H, W), with the finding, its number and the notice burned in.

    Args:
        film: Grey values.
        heat: Of the finding.
        told: The finding.
        seen: What the network saw of the film, in its pixels.

    Returns:
        (h, w, 3) RGB, its longer side ``SIDE`` but for the line of text above the film.
    """
    caption = Captioned(f"{told.line}   {BURNED_IN}", NO_BOX, seen)
    height, width = film.shape
    return overlay(film, heat, caption, width=max(1, round(width * SIDE / max(height, width))))


def _describe(capture: SCImage, source: Source, told: Told, method: Method) -> None:
    """Say what the picture is, and what it was made from."""
    capture.PatientOrientation = source.image.PatientOrientation
    capture.ConversionType = WORKSTATION
    capture.BodyPartExamined = CHEST
    capture.BurnedInAnnotation = "YES"
    kind = "" if told.is_calibrated else "The number is the network's output, not calibrated: no probability. "
    capture.ImageComments = f"{told.words}: what speaks for it, on the film. {kind}{RESEARCH_ONLY}."
    capture.DerivationDescription = (
        f"{MAPS[method]} of {told.words}, normalised to its own maximum, in colours over the film at reduced "
        "size, under a line of text; dashed: edge of what the network saw"
    )
    capture.SourceImageSequence = [_reference(source)]
    for name in LOSSY:
        if name in source.image:
            capture[name] = source.image[name]


def _reference(source: Source) -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID = source.image.SOPClassUID
    item.ReferencedSOPInstanceUID = source.image.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)]
    return item
