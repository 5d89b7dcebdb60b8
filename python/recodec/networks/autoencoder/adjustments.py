"""What a file may change of a synthesis: gain and bias of every feature of its convolutions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

# Adjustments are whole numbers of so many parts of one.
_PARTS = 1024


def _convolutions(synthesis: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    for name, module in synthesis.named_modules():
        if isinstance(module, nn.Conv2d):
            yield name, module


def adjustable(synthesis: nn.Module) -> int:
    """Features of all convolutions."""
    return sum(convolution.out_channels for _, convolution in _convolutions(synthesis))


def adjusted(synthesis: nn.Module, adjustments: Tensor, values: Tensor) -> Tensor:
    """What ``synthesis`` makes of values after (2, features) ``adjustments``, gains and biases, in 1/1024.

    A feature's weights are multiplied by one and its gain, and its bias is added to that of the convolution. Features
    are those of one convolution after the other, as values pass them; a residual's are inner, outer and, if it has
    one, skip.
    """
    changed: dict[str, Tensor] = {}
    at = 0
    for name, convolution in _convolutions(synthesis):
        gains, biases = (adjustments[:, at : at + convolution.out_channels] / _PARTS).unbind()
        at += convolution.out_channels
        assert convolution.bias is not None
        changed[f"{name}.weight"] = convolution.weight * (1 + gains)[:, None, None, None]
        changed[f"{name}.bias"] = convolution.bias + biases
    shown: Tensor = functional_call(synthesis, changed, (values,))
    return shown


def no_adjustments(synthesis: nn.Module) -> Tensor:
    """Those that change nothing."""
    return torch.zeros(2, adjustable(synthesis))
