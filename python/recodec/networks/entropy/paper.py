"""The entropy networks of Toderici et al. 2017, section 3.3, for comparison with the entropy model.

They expect all codes of a position at once, from the codes before that position in raster order and, in the
progressive one, from all codes of former iterations. They exist in floating point only, so their code length
can be reckoned but no file written with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.errors import WeightsError
from recodec.networks.cells import CellState, ConvLSTM, lstm_gates
from recodec.networks.entropy.model import code_length_of

_KERNEL = 7


@dataclass(frozen=True, slots=True)
class PaperEntropyConfig:
    """Shape of one of the paper's entropy networks; its ``width`` is 64.

    ``depth`` codes per position and iteration, of ``symbols`` 2 (−1, +1) or, which the paper has not, 3 (−1, 0,
    +1). Each of the ``iterations`` has weights of its own.
    """

    depth: int
    symbols: int
    iterations: int
    width: int = 64

    def __post_init__(self) -> None:
        if self.symbols not in (2, 3):
            raise WeightsError(f"symbols is {self.symbols}; an entropy network codes 2 or 3")
        for name in ("depth", "iterations", "width"):
            if getattr(self, name) < 1:
                raise WeightsError(f"{name} is {getattr(self, name)}; it must be at least 1")


class LineLSTM(nn.Module):
    """An LSTM that runs down the rows; van den Oord et al. 2016, "Pixel Recurrent Neural Networks", row LSTM.

    A step takes a whole row. It sees the features of its own and the former column, and the state of the row above
    at the own column and both beside it.
    """

    def __init__(self, width_in: int, width: int):
        super().__init__()
        self.input = nn.Conv2d(width_in, 4 * width, (1, 2))
        self.hidden = nn.Conv1d(width, 4 * width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width_in, h, w) to (N, width, h, w)."""
        gates = self.input(F.pad(x, (1, 0)))
        c: Tensor | None = None
        rows: list[Tensor] = []
        for row in gates.unbind(2):
            h, c = lstm_gates(row if c is None else row + self.hidden(rows[-1]), c)
            rows.append(h)
        return torch.stack(rows, 2)


class _Iteration(nn.Module):
    """Codes of one iteration in, logits of these very codes out: figure 4 of the paper."""

    causal: Tensor

    def __init__(self, config: PaperEntropyConfig, width_former: int):
        super().__init__()
        width = config.width
        self.codes = nn.Conv2d(config.depth * (config.symbols - 1), width, _KERNEL, padding=_KERNEL // 2)
        self.line = LineLSTM(width + width_former, width)
        self.hidden = nn.Conv2d(width, width, 1)
        self.output = nn.Conv2d(width, config.depth * (config.symbols - 1), 1)
        before = torch.arange(_KERNEL**2).view(_KERNEL, _KERNEL) < _KERNEL**2 // 2
        self.register_buffer("causal", before.float(), persistent=False)
        _clear_biases(self)
        if config.symbols == 3:
            # Codes are 0 mostly, as the entropy model begins.
            assert self.output.bias is not None
            nn.init.constant_(self.output.bias[: config.depth], -2.5)

    def forward(self, inputs: Tensor, former: Tensor | None) -> Tensor:
        x = F.conv2d(inputs, self.codes.weight * self.causal, self.codes.bias, padding=_KERNEL // 2)
        x = self.line(x if former is None else torch.cat([x, former], dim=1))
        logits: Tensor = self.output(torch.tanh(self.hidden(x)))
        return logits


class BinaryRNN(nn.Module):
    """The single-iteration network of the paper, one for each iteration; none knows of the others."""

    width_former = 0
    # As in the entropy model, whose integer twin these do not have: there is nothing to round for.
    rounding = False

    def __init__(self, config: PaperEntropyConfig):
        super().__init__()
        self.config = config
        self.own = nn.ModuleList(_Iteration(config, self.width_former) for _ in range(config.iterations))

    def step(
        self, codes: Tensor, iteration: int, state: tuple[Tensor, CellState] | None
    ) -> tuple[Tensor, tuple[Tensor, CellState] | None]:
        """Logits (N, bits, h, w) of one plane (N, depth, h, w), and the state for the next.

        As in :class:`recodec.networks.entropy.model.EntropyModel`: with three symbols the first ``depth`` logits
        are those of codes not being 0 and the others those of the sign.
        """
        return self._own(iteration)(self._inputs(codes), None), None

    def tables(self) -> dict[str, Tensor]:
        """None: no file can be written with these."""
        return {}

    def code_length(self, planes: Tensor) -> Tensor:
        """Bits that an ideal coder spends on planes (N, T, depth, h, w): (N, T, h, w)."""
        return code_length_of(self.step, planes)

    def _own(self, iteration: int) -> nn.Module:
        return self.own[min(iteration, self.config.iterations - 1)]

    def _inputs(self, codes: Tensor) -> Tensor:
        if self.config.symbols == 2:
            return codes
        return torch.cat([codes, codes.abs()], dim=1)


class ProgressiveCoder(BinaryRNN):
    """The paper's progressive network: the line LSTM also sees features of all former iterations.

    They come from the iteration before, through two 3×3 convolutions, a ConvLSTM over iterations and two 1×1
    convolutions. The convolutions next to the codes are each iteration's own and the rest is shared, as in the code
    that the authors published. The first iteration gets zeros.
    """

    def __init__(self, config: PaperEntropyConfig):
        self.width_former = width = config.width
        super().__init__(config)
        self.former = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(config.depth * (config.symbols - 1), width, 3, padding=1),
                nn.Tanh(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Tanh(),
            )
            for _ in range(config.iterations)
        )
        self.memory = ConvLSTM(width, width, 1, 1)
        self.recall = nn.Sequential(nn.Conv2d(width, width, 1), nn.Tanh(), nn.Conv2d(width, width, 1))
        _clear_biases(self.former)
        _clear_biases(self.recall)

    def step(
        self, codes: Tensor, iteration: int, state: tuple[Tensor, CellState] | None
    ) -> tuple[Tensor, tuple[Tensor, CellState] | None]:
        """As in :class:`BinaryRNN`; ``state`` None at the first iteration."""
        inputs = self._inputs(codes)
        if state is None:
            count, _, height, width = codes.shape
            state = inputs.new_zeros(count, self.config.width, height, width), None
        former, cell = state
        logits = self._own(iteration)(inputs, former)
        seen = self.former[min(iteration, self.config.iterations - 1)](inputs)
        y, cell = self.memory.step(seen, cell)
        return logits, (self.recall(y), cell)


def _clear_biases(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
