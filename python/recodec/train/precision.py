"""Which type of number training computes in."""

from __future__ import annotations

import torch

from recodec.runtime.precision import faster_type
from recodec.train.recipe import Compute


def working_type(compute: Compute, device: torch.device) -> torch.dtype:
    """bfloat16 or float32: what the recipe says, or what is faster on the device."""
    if compute.precision == "auto":
        return faster_type(device)
    return torch.bfloat16 if compute.precision == "bfloat16" else torch.float32
