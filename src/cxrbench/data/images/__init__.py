"""A file (PNG, JPEG or DICOM) -> a grey image; the one place that decodes."""

from cxrbench.data.images.reading import decode, load_grey, read_grey

__all__ = ["decode", "load_grey", "read_grey"]
