"""recodec as a step of data pipelines: files as a ``Dataset`` of torch, and columns of batches as Ray Data has them."""

from __future__ import annotations

from recodec.pipelines.columns import DecodeColumn, EncodeColumn
from recodec.pipelines.datasets import FileDataset

__all__ = ["DecodeColumn", "EncodeColumn", "FileDataset"]
