"""Networks whose arithmetic has an integer twin in the C++ core.

A probability that differs between two machines by one unit would end every file in noise, so entropy models are used
in integers alone: 8-bit weights and 32-bit biases, each with as many fractional bits as its tensor has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

# Activations are Q8 and fit 12 bits.
ACTIVATION_LIMIT = 4095 / 256
_LARGEST_WEIGHT = 127
# Larger biases could make a sum overflow.
_LARGEST_BIAS = 1 << 26


class IntegerTwin(nn.Module):
    """A network of weights and biases, whose names end in "bias".

    Weights are rounded as the integer twin has them once :attr:`rounding` is set, with gradients straight through, so
    that training ends with what is shipped.
    """

    # Of each tensor.
    fractional_bits: ClassVar[Mapping[str, int]]

    def __init__(self) -> None:
        super().__init__()
        self.rounding = False
        self._rounded: dict[str, Tensor] | None = None

    @contextmanager
    def rounded_once(self) -> Iterator[None]:
        """No gradients inside: weights are rounded once for all passes, which takes as long as a small one."""
        self._rounded = {}
        try:
            with torch.no_grad():
                yield
        finally:
            self._rounded = None

    def weight(self, name: str) -> Tensor:
        """A tensor of weights as the computation has it."""
        weight: Tensor = getattr(self, name)
        if not self.rounding:
            return weight
        if self._rounded is not None and name in self._rounded:
            return self._rounded[name]
        unit = 2.0 ** self.fractional_bits[name]
        rounded = (weight * unit).round().clamp(-_LARGEST_WEIGHT, _LARGEST_WEIGHT) / unit
        if self._rounded is not None:
            self._rounded[name] = rounded
        return weight + (rounded - weight).detach()

    @torch.no_grad()
    def tables(self) -> dict[str, Tensor]:
        """The integer twin: 8-bit weights, and biases as 32-bit numbers."""
        found = {}
        for name, value in self.named_parameters():
            limit, kind = (
                (_LARGEST_BIAS, torch.int32) if name.endswith("bias") else (_LARGEST_WEIGHT, torch.int8)
            )
            scaled = (value * 2.0 ** self.fractional_bits[name]).round()
            found[name] = scaled.clamp(-limit, limit).to(kind).contiguous()
        return found

    @torch.no_grad()
    def take(self, tables: Mapping[str, Tensor]) -> None:
        """Become the network in floating point whose integer twin ``tables`` are; inverse of :meth:`tables`."""
        for name, parameter in self.named_parameters():
            parameter.copy_(tables[name] / 2.0 ** self.fractional_bits[name])


def weights(*shape: int, scale: float) -> nn.Parameter:
    """Normally distributed numbers to begin with."""
    return nn.Parameter(scale * torch.randn(shape))
