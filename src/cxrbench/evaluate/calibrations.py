"""Former name of ``calibration``, for the report."""

from cxrbench.evaluate.calibration import AS_THEY_ARE, PLATT

__all__ = ["AS_THEY_ARE", "PLATT"]
