"""Optimisers by the name that a recipe gives them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from recodec.errors import TrainingError
from recodec.train.recipe import Optimizer

# Preconditioners of larger sides cost more than the step itself; that side then goes without.
_LARGEST_SIDE = 256
_PRECONDITION_EVERY = 10


def make_optimizer(
    options: Optimizer, groups: Sequence[Sequence[nn.Parameter]], device: torch.device
) -> torch.optim.Optimizer:
    """One group for each of ``groups``; rates are set at every step.

    Raises :class:`TrainingError` if what the method needs is not installed.
    """
    members = [{"params": list(group)} for group in groups]
    betas = (options.beta1, options.beta2)
    if options.method == "adam":
        fused = options.fused and device.type in ("cuda", "cpu")
        return torch.optim.Adam(members, lr=1e-3, betas=betas, fused=fused)
    try:
        from pytorch_optimizer import SOAP
    except ImportError as error:
        raise TrainingError(
            "the method 'soap' needs pytorch-optimizer, which is not installed; install it, or use 'adam'"
        ) from error
    soap: torch.optim.Optimizer = SOAP(
        members,
        lr=1e-3,
        betas=betas,
        weight_decay=0.0,
        precondition_frequency=_PRECONDITION_EVERY,
        max_precondition_dim=_LARGEST_SIDE,
    )
    return soap
