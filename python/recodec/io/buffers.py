"""Bytes in memory that are files, whatever holds them. Loads neither torch nor NumPy: what is not loaded made none."""

from __future__ import annotations

import sys
from typing import Any

_PLAIN = ("B", "c")


def tensor_of(source: object) -> Any | None:
    """``source`` if it is a tensor of torch."""
    torch = sys.modules.get("torch")
    return source if torch is not None and isinstance(source, torch.Tensor) else None


def file_bytes(source: object) -> memoryview | None:
    """The bytes of a file in memory: bytes-like objects, and arrays and tensors of one axis and type uint8.

    None for anything else, such as pixels, which have two axes at least.
    """
    tensor = tensor_of(source)
    if tensor is not None:
        if tensor.ndim != 1 or str(tensor.dtype) != "torch.uint8" or tensor.device.type == "meta":
            return None
        return memoryview(tensor.detach().cpu().contiguous().numpy())
    try:
        view = memoryview(source)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return None
    if view.ndim != 1 or view.format not in _PLAIN:
        return None
    return view.cast("B") if view.contiguous else memoryview(view.tobytes())
