"""Adam, as a recipe has it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from recodec.train.recipe import Optimizer


def make_optimizer(
    options: Optimizer, groups: Sequence[Sequence[nn.Parameter]], device: torch.device
) -> torch.optim.Adam:
    """One group for each of ``groups``; rates are set at every step."""
    members = [{"params": list(group)} for group in groups]
    fused = device.type == "cuda" or (options.fused and device.type == "cpu")
    return torch.optim.Adam(members, lr=1e-3, betas=(options.beta1, options.beta2), fused=fused)
