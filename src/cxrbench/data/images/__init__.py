"""A file (PNG, JPEG, TIFF or DICOM) -> a film; the one place that decodes."""

from cxrbench.data.images.film import Facts, Film, decode_film, load_film, read_film
from cxrbench.data.images.reading import decode, load_grey, read_grey

__all__ = ["Facts", "Film", "decode", "decode_film", "load_film", "load_grey", "read_film", "read_grey"]
