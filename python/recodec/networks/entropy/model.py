"""The entropy model: what the entropy coder expects of every code, from all codes before it.

Toderici et al. 2017, section 3.3, predict codes by a masked convolution over the iteration being coded and a
recurrent state of those before. This network does the same, and also looks at the codes that its own position
has said already. All of its arithmetic has an integer twin in the C++ core, defined in FORMAT.md, section 10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.networks.entropy.twin import ACTIVATION_LIMIT, IntegerTwin, weights

# Of the nine taps of a 3×3 kernel in raster order, those of positions that are coded before: NW, N, NE, W.
_CAUSAL_TAPS = 4
_FRACTIONAL_BITS = {
    "embedding": 5,
    "causal": 6,
    "state": 6,
    "recurrence": 6,
    "former": 6,
    "own": 5,
    "output": 6,
    "direct": 5,
    "embedding_bias": 12,
    "state_bias": 12,
    "hidden_bias": 12,
    "output_bias": 12,
}


@dataclass(frozen=True, slots=True)
class EntropyModelConfig:
    """Shape of an entropy model.

    ``depth`` codes per position and iteration, of ``symbols`` 2 (−1, +1) or 3 (−1, 0, +1); ``iterations`` have
    weights of their own where they meet codes. The codes of a position become ``embedding_width`` numbers, which
    are what others see of it; ``width`` is that of the layers. The codes come in ``groups``, each of a multiple of
    8 bits, which see those before them through a layer.
    """

    depth: int
    symbols: int
    iterations: int
    width: int = 64
    embedding_width: int = 64
    groups: int = 6


class EntropyModel(IntegerTwin):
    """Planes of codes in, logits of every code's bits out, each from what is coded before it."""

    fractional_bits = _FRACTIONAL_BITS
    earlier: Tensor

    def __init__(self, config: EntropyModelConfig):
        super().__init__()
        self.config = config
        count, depth, width, inputs = config.iterations, config.depth, config.width, config.embedding_width
        bits = depth * (config.symbols - 1)
        self.embedding = weights(count, 2 * depth, inputs, scale=3 / math.sqrt(2 * depth))
        self.causal = weights(_CAUSAL_TAPS, width, inputs, scale=1 / math.sqrt(4 * inputs))
        self.state = weights(9, width, inputs, scale=1 / math.sqrt(9 * inputs))
        self.recurrence = weights(width, width, scale=1 / math.sqrt(width))
        self.former = weights(width, width, scale=1 / math.sqrt(width))
        self.own = weights(count, 2 * depth, width, scale=0.0)
        self.output = weights(count, bits, width, scale=0.3 / math.sqrt(width))
        self.direct = weights(count, 2 * depth, bits, scale=0.0)
        self.embedding_bias = nn.Parameter(torch.zeros(count, inputs))
        self.state_bias = nn.Parameter(torch.zeros(count, width))
        self.hidden_bias = nn.Parameter(torch.zeros(count, width))
        start = torch.zeros(config.symbols - 1, depth)
        if config.symbols == 3:
            start[0] = -2.5
        self.output_bias = nn.Parameter(start.flatten().repeat(count, 1))
        before = torch.ones(depth, depth).triu(1)  # input channel, output channel
        self.register_buffer("earlier", before.repeat(2, config.symbols - 1), persistent=False)

    def weight(self, name: str) -> Tensor:
        """A tensor of weights as the computation has it."""
        weight = super().weight(name)
        return weight * self.earlier if name == "direct" else weight

    def step(self, codes: Tensor, iteration: int, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits (N, bits, h, w) of one plane (N, depth, h, w), and the state for the next.

        With three symbols the first ``depth`` logits are those of codes not being 0 and the others those of
        the sign; with two there are only the latter. Positive means not 0, or +1.
        """
        number = min(iteration, self.config.iterations - 1)
        signs = torch.cat([codes < 0, codes > 0], dim=1).to(self.embedding.dtype)
        embedded = _pointwise(signs, self.weight("embedding")[number].t(), self.embedding_bias[number])
        embedded = embedded.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)

        around = self.weight("state")
        before = torch.cat([self.weight("causal"), torch.zeros_like(around[_CAUSAL_TAPS:])])
        hidden = F.conv2d(embedded, _as_kernel(before), self.hidden_bias[number], padding=1)
        following = F.conv2d(embedded, _as_kernel(around), self.state_bias[number], padding=1)
        if state is not None:
            hidden = hidden + _pointwise(state, self.weight("former"))
            following = following + _pointwise(state, self.weight("recurrence"))
        return self._logits(signs, hidden, number), following.clamp(0, ACTIVATION_LIMIT)

    def _logits(self, signs: Tensor, hidden: Tensor, number: int) -> Tensor:
        config, width = self.config, self.config.width
        shape = (config.groups, config.depth // config.groups)
        split = signs.view(len(signs), 2, *shape, *signs.shape[2:])
        rows = self.weight("own")[number].view(2, *shape, width)
        said = torch.einsum("nsgdyx,sgdk->ngkyx", split, rows).cumsum(1)
        hidden = hidden[:, None].repeat(1, config.groups, 1, 1, 1)
        hidden = torch.cat([hidden[:, :1], hidden[:, 1:] + said[:, :-1]], dim=1)
        hidden = hidden.clamp(0, ACTIVATION_LIMIT)
        output = self.weight("output")[number].view(config.symbols - 1, *shape, width)
        logits = torch.einsum("ngkyx,bgdk->nbgdyx", hidden, output).flatten(1, 3)
        return logits + _pointwise(signs, self.weight("direct")[number].t(), self.output_bias[number])

    def code_length(self, planes: Tensor) -> Tensor:
        """Bits that an ideal coder spends on planes (N, T, depth, h, w): (N, T, h, w)."""
        return code_length_of(self.step, planes)

    def tables(self) -> dict[str, Tensor]:
        """The integer twin, and in how many groups it codes."""
        found = super().tables()
        found["direct"] *= self.earlier.to(torch.int8)
        return {**found, "groups": torch.tensor([self.config.groups], dtype=torch.int32)}

    @classmethod
    def from_tables(cls, tables: Mapping[str, Tensor]) -> EntropyModel:
        """The network in floating point whose integer twin ``tables`` are; inverse of :meth:`tables`."""
        iterations, rows, embedding_width = tables["embedding"].shape
        bits, width = tables["output"].shape[1:]
        depth = rows // 2
        config = EntropyModelConfig(
            depth, 1 + bits // depth, iterations, width, embedding_width, int(tables["groups"])
        )
        network = cls(config)
        network.take(tables)
        return network


def code_length_of(step: Callable[[Tensor, int, Any], tuple[Tensor, Any]], planes: Tensor) -> Tensor:
    """Bits (N, T, h, w) of planes (N, T, depth, h, w) where ``step`` gives a plane's logits and the next state."""
    state, lengths = None, []
    for iteration, codes in enumerate(planes.unbind(1)):
        logits, state = step(codes, iteration, state)
        lengths.append(bits_of(logits, codes).sum(1))
    return torch.stack(lengths, 1)


def bits_of(logits: Tensor, codes: Tensor) -> Tensor:
    """Bits that each code (N, depth, h, w) costs where a network said ``logits`` (N, bits, h, w)."""
    count, depth, height, width = codes.shape
    flags = logits.view(count, -1, depth, height, width)
    lengths = F.binary_cross_entropy_with_logits(flags[:, -1], (codes > 0).to(logits), reduction="none")
    if flags.shape[1] == 2:
        active = (codes != 0).to(logits)
        lengths = lengths * active
        lengths = lengths + F.binary_cross_entropy_with_logits(flags[:, 0], active, reduction="none")
    return lengths / math.log(2)


def _as_kernel(taps: Tensor) -> Tensor:
    """(9, outputs, inputs) as a 3×3 kernel of conv2d."""
    return taps.permute(1, 2, 0).reshape(*taps.shape[1:], 3, 3)


def _pointwise(x: Tensor, weight: Tensor, bias: Any = None) -> Tensor:
    return F.conv2d(x, weight[:, :, None, None], bias)
