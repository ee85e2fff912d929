"""A bundle -> ONNX or OpenVINO files that give its logits, checked when they are written."""

from cxrbench.export.exporting import Exporting, export_bundle, export_fastest

__all__ = ["Exporting", "export_bundle", "export_fastest"]
