"""Which objects get no answer, and why, in words that say nothing of the patient."""

import pydicom

from cxrbench.data.images.body_part import shows_other_part
from cxrbench.data.images.code_strings import code_word
from cxrbench.data.images.projection import is_not_frontal
from cxrbench.pacs.equipment import is_result


class Unanswerable(Exception):  # noqa: N818 - a reason, not an error
    """An object that gets no answer; the message is the reason."""

    @property
    def short(self) -> str:
        """The reason up to its first colon: what follows may quote the object."""
        return str(self).split(":", 1)[0]


def check_answerable(dataset: pydicom.Dataset) -> None:
    """Refuse what the header says is no single frontal film of a chest; what says nothing passes.

    Raises:
        Unanswerable: The reason.
    """
    if is_result(dataset):
        raise Unanswerable("made by cxrbench itself")
    if shows_other_part(dataset):
        raise Unanswerable("another body part than the chest")
    if is_not_frontal(dataset):
        raise Unanswerable("a lateral or oblique film")
    if code_word(dataset, "PresentationIntentType") == "FOR PROCESSING":
        raise Unanswerable("for processing, not for presentation")
    if _number(dataset, "NumberOfFrames", default=1) > 1:
        raise Unanswerable("several frames")
    if _number(dataset, "SamplesPerPixel", default=1) != 1:
        raise Unanswerable("a colour image")


def _number(dataset: pydicom.Dataset, name: str, *, default: int) -> int:
    """A whole number of the header; the default where it is none."""
    try:
        return int(dataset.get(name) or default)
    except (TypeError, ValueError):
        return default
