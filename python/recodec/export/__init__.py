"""Models for those who have no Python: networks as ONNX, and what the entropy coder needs as one file."""

from recodec.export.files import export_model

__all__ = ["export_model"]
