"""The convolutional LSTM cell, with explicit state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LSTMState = tuple[Tensor, Tensor]


class SameConv2d(nn.Conv2d):
    """Convolution whose output is ⌈size/stride⌉ for every kernel size, even ones included.

    An even kernel pads one more on the bottom and right, as TensorFlow's SAME padding does; the
    paper's 2×2 kernel needs it.
    """

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: int = 1, bias: bool = True):
        super().__init__(width_in, width_out, kernel, stride, padding=(kernel - 1) // 2, bias=bias)
        self._extra = 1 - kernel % 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width_in, H, W) to (N, width_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        if self._extra:
            x = F.pad(x, (0, 1, 0, 1))
        return super().forward(x)


def lstm_gates(gates: Tensor, c: Tensor | None) -> LSTMState:
    """Gate arithmetic of the LSTM without peepholes; Toderici et al. 2017, equations 4 to 7.

    ``gates`` is (N, 4·width, H, W) before the nonlinearities, in the order f, i, o, j; ``c`` is
    (N, width, H, W), or None for the zero state. Returns ``(h, c)``.
    """
    f, i, o, j = gates.chunk(4, dim=1)
    update = torch.sigmoid(i) * torch.tanh(j)
    c = update if c is None else torch.sigmoid(f) * c + update
    return torch.sigmoid(o) * torch.tanh(c), c


class ConvLSTM(nn.Module):
    """Convolutional LSTM: input kernel with stride, hidden kernel at the output size."""

    def __init__(self, width_in: int, width: int, kernel: int, hidden_kernel: int, stride: int = 1):
        super().__init__()
        self.input = SameConv2d(width_in, 4 * width, kernel, stride)
        self.hidden = SameConv2d(width, 4 * width, hidden_kernel, bias=False)
        with torch.no_grad():
            assert self.input.bias is not None
            self.input.bias.zero_()
            # A forget gate that starts open lets gradients reach early iterations.
            self.input.bias[:width] = 1.0

    def step(self, x: Tensor, state: LSTMState | None) -> tuple[Tensor, LSTMState]:
        """One iteration. ``state`` None is the zero state, whose hidden convolution is skipped."""
        gates = self.input(x)
        if state is None:
            h, c = lstm_gates(gates, None)
        else:
            h, c = lstm_gates(gates + self.hidden(state[0]), state[1])
        return h, (h, c)
