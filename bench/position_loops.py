"""The entropy network in PyTorch, position by position, as a decoder would have to go: what C++ is measured against.

Both loops are spared the range coder: they are told the codes of a position at once, and return the bits that an
ideal coder spends.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.families.recurrent.planes import Codes
from recodec.networks.entropy.model import EntropyModel, bits_of
from recodec.networks.entropy.twin import ACTIVATION_LIMIT


class PlainLoop:
    """The last plane with the network as it is trained, on the 3×3 positions around each."""

    def __init__(self, network: EntropyModel, planes: list[Codes]):
        self.network, self.number = network, len(planes) - 1
        codes = torch.from_numpy(np.stack(planes)).float()[None]
        state: Tensor | None = None
        with torch.inference_mode():
            for iteration in range(self.number):
                _, state = network.step(codes[:, iteration], iteration, state)
        assert state is not None
        self.state = F.pad(state, (1, 1, 1, 1))
        self.codes = codes[:, self.number]

    def run(self) -> Tensor:
        """Logits of the plane, (bits, rows, columns)."""
        _, depth, rows, columns = self.codes.shape
        known = torch.zeros(1, depth, rows + 2, columns + 2)
        logits = torch.empty(depth * (self.network.config.symbols - 1), rows, columns)
        with torch.inference_mode():
            for y in range(rows):
                for x in range(columns):
                    known[0, :, y + 1, x + 1] = self.codes[0, :, y, x]
                    around = (..., slice(y, y + 3), slice(x, x + 3))
                    found, _ = self.network.step(known[around], self.number, self.state[around])
                    logits[:, y, x] = found[0, :, 1, 1]
        return logits

    def bits(self, logits: Tensor) -> float:
        """What an ideal coder spends."""
        return float(bits_of(logits[None], self.codes).sum())


class OptimisedLoop:
    """The last plane with what depends on former planes and on the rows above computed beforehand, for all positions
    at once, and all tensors laid out as they are needed.
    """

    def __init__(self, network: EntropyModel, planes: list[Codes]):
        config = network.config
        self.config, number = config, len(planes) - 1
        rows, columns = planes[0].shape[1:]
        codes = torch.from_numpy(np.stack(planes)).float()[None]
        with torch.inference_mode():
            state: Tensor | None = None
            for iteration in range(number):
                _, state = network.step(codes[:, iteration], iteration, state)
            assert state is not None
            signs = torch.cat([codes[:, number] < 0, codes[:, number] > 0], dim=1).float()[0]
            self.signs = signs.flatten(1).t().contiguous()
            embedding = network.weight("embedding")[number]
            embedded = self.signs @ embedding + network.embedding_bias[number]
            grid = embedded.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).view(rows, columns, -1)
            padded = torch.zeros(rows + 1, columns + 2, grid.shape[2])
            padded[1:, 1:-1] = grid
            above = torch.cat([padded[:-1, tap : tap + columns] for tap in range(3)], dim=2).flatten(0, 1)
            causal = network.weight("causal")
            known = above @ torch.cat(list(causal[:3]), dim=1).t() + network.hidden_bias[number]
            self.known = known + state[0].flatten(1).t() @ network.weight("former").t()
            self.west = padded[1:, :-2].flatten(0, 1)
            self.causal = causal[3].contiguous()
            kinds, share = config.symbols - 1, config.depth // config.groups
            output = network.weight("output")[number].view(kinds, config.groups, share, -1).transpose(0, 1)
            self.output = output.flatten(1, 2).contiguous()
            bias = network.output_bias[number].view(kinds, config.groups, share).transpose(0, 1)
            self.bias = bias.flatten(1, 2).contiguous()
            # What the codes of each group say, to the layer and to the bits.
            own = network.weight("own")[number].view(2, config.groups, share, -1).transpose(0, 1)
            direct = network.weight("direct")[number].view(2 * config.depth, kinds, config.groups, share)
            self.own = own.flatten(1, 2).contiguous()
            self.direct = (self.signs @ direct.transpose(1, 2).flatten(1)).view(
                -1, config.groups, kinds * share
            )
            self.grouped = self.signs.view(-1, 2, config.groups, share).transpose(1, 2).flatten(2)

    def run(self) -> float:
        """Bits of the plane."""
        logits = torch.empty_like(self.direct)
        with torch.inference_mode():
            for position in range(len(self.known)):
                hidden = torch.addmv(self.known[position], self.causal, self.west[position])
                for group in range(self.config.groups):
                    active = hidden.clamp(0, ACTIVATION_LIMIT)
                    torch.addmv(self.bias[group], self.output[group], active, out=logits[position, group])
                    hidden = torch.addmv(hidden, self.own[group].t(), self.grouped[position, group])
            return self._bits(logits + self.direct)

    def _bits(self, logits: Tensor) -> float:
        share = self.config.depth // self.config.groups
        negative, positive = self.grouped[..., :share], self.grouped[..., share:]
        active = negative + positive
        loss = F.binary_cross_entropy_with_logits
        bits = active * loss(logits[..., -share:], positive, reduction="none")
        if self.config.symbols == 3:
            bits = bits + loss(logits[..., :share], active, reduction="none")
        return float(bits.sum()) / math.log(2)
