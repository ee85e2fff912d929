"""A file (PNG, JPEG, TIFF or DICOM) -> a film; the one place that decodes."""

from cxrbench.data.images.film import Film, decode, decode_film, load_film, load_grey, read_film, read_grey
from cxrbench.data.images.header import Facts

__all__ = ["Facts", "Film", "decode", "decode_film", "load_film", "load_grey", "read_film", "read_grey"]
