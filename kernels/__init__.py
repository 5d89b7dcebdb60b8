"""Triton kernels for GPUs. Importing this package needs neither triton nor a GPU."""

from __future__ import annotations

from importlib.util import find_spec


def available() -> bool:
    """Whether Triton is installed and a CUDA device is present, so that kernels could run here."""
    if find_spec("triton") is None:
        return False
    import torch

    return torch.cuda.is_available()
