"""Former name of ``inventory``, for the report."""

from cxrbench.evaluate.inventory import ANY

__all__ = ["ANY"]
