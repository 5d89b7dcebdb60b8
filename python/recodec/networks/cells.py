"""The recurrent convolutional cells of Toderici et al. 2017, with explicit state.

Every cell has ``step(x, state, factor=1) -> (y, state)``: ``x`` is (N, width_in, H, W), ``y`` is what the next layer
gets, (N, width/factor², factor·⌈H/stride⌉, factor·⌈W/stride⌉) after depth-to-space by ``factor``, and the state is
what the next iteration gets. State None is the zero state, whose hidden convolutions are skipped. The input
convolution has the stride and the bias, the hidden one works at the size of the state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recodec.networks.convolution import SameConv2d
from recodec.ops.conv_gru import conv_gru_step
from recodec.ops.conv_lstm import conv_lstm_step, lstm_gates
from recodec.ops.rearrange import depth_to_space
from recodec.ops.residual_conv_gru import residual_conv_gru_step

__all__ = [
    "AssociativeConvLSTM",
    "Cell",
    "CellState",
    "ConvGRU",
    "ConvLSTM",
    "FeedForward",
    "ResidualConvGRU",
    "bound",
    "complex_product",
    "key_permutations",
    "lstm_gates",
]

CellState = tuple[Tensor, ...] | None


def upsampled(y: Tensor, factor: int) -> Tensor:
    """What the next layer gets of an output."""
    return y if factor == 1 else depth_to_space(y, factor)


def bias_of(conv: SameConv2d) -> Tensor:
    """The bias of a convolution that has one."""
    assert conv.bias is not None
    return conv.bias


class FeedForward(SameConv2d):
    """A plain convolution in the place of a cell."""

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration; there is no state."""
        return upsampled(self(x), factor), None


def _open_forget_gate(conv: SameConv2d, width: int) -> None:
    """Let gradients reach early iterations from the start."""
    assert conv.bias is not None
    with torch.no_grad():
        conv.bias.zero_()
        conv.bias[:width] = 1.0


class ConvLSTM(torch.nn.Module):
    """Convolutional LSTM: state (h, c), output h."""

    def __init__(self, width_in: int, width: int, kernel: int, hidden_kernel: int, stride: int = 1):
        super().__init__()
        self.input = SameConv2d(width_in, 4 * width, kernel, stride)
        self.hidden = SameConv2d(width, 4 * width, hidden_kernel, bias=False)
        _open_forget_gate(self.input, width)

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration."""
        weights = self.input.weight, bias_of(self.input), self.hidden.weight
        return conv_lstm_step(x, state, *weights, stride=self.input.stride[0], factor=factor)  # type: ignore[arg-type]


# Complex feature maps are real ones of twice the width, (Re, Im) along the channels.


def bound(z: Tensor) -> Tensor:
    """Complex z where |z| ≤ 1, else z/|z|; (N, 2·units, H, W)."""
    re, im = z.chunk(2, dim=1)
    shrink = torch.rsqrt((re * re + im * im).clamp_min(1))
    return torch.cat([re * shrink, im * shrink], dim=1)


def complex_product(a: Tensor, b: Tensor) -> Tensor:
    """Element-wise product of two complex maps, (N, 2·units, H, W)."""
    a_re, a_im = a.chunk(2, dim=1)
    b_re, b_im = b.chunk(2, dim=1)
    return torch.cat([a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re], dim=1)


def key_permutations(units: int, copies: int) -> list[Tensor]:
    """The order of the units in each redundant copy; the first is the natural one.

    Danihelka et al. 2016 draw them at random. Here copy k takes u → (a·u + k) mod units with the k-th
    ``a`` from the golden section of ``units`` on that has no factor in common with it: as well mixed,
    and a decoder needs no table.
    """
    u, a = torch.arange(units), round(units * (math.sqrt(5) - 1) / 2)
    orders = [u]
    while len(orders) < copies:
        if math.gcd(a, units) == 1:
            orders.append((a * u + len(orders)) % units)
        a += 1
    return orders


class AssociativeConvLSTM(torch.nn.Module):
    """Associative LSTM: complex cells bound to complex keys; Danihelka et al. 2016, as in the paper.

    ``width`` real outputs are width/2 complex units. With more than one of the redundant ``copies`` of
    Danihelka et al. 2016 (the paper has one) every copy sees its keys in another order and the output
    is the mean over what the copies return. State (h, c): h (N, width, …), c (N, copies·width, …).
    """

    def __init__(
        self, width_in: int, width: int, kernel: int, hidden_kernel: int, stride: int = 1, copies: int = 1
    ):
        super().__init__()
        units = width // 2
        # f, i, o are real; j and the keys r_i, r_o are complex.
        self.sizes = [units] * 3 + [width] * 3
        self.input = SameConv2d(width_in, sum(self.sizes), kernel, stride)
        self.hidden = SameConv2d(width, sum(self.sizes), hidden_kernel, bias=False)
        self.copies = copies
        for copy, order in enumerate(key_permutations(units, copies)):
            self.register_buffer(f"order{copy}", torch.cat([order, order + units]), persistent=False)
        _open_forget_gate(self.input, units)
        # Keys start near 1, where this is an LSTM; near 0, a stack of these passes next to nothing on.
        assert self.input.bias is not None
        with torch.no_grad():
            for real_part in (5, 7):
                self.input.bias[real_part * units : (real_part + 1) * units] = 1.0

    def _permuted(self, key: Tensor, copy: int) -> Tensor:
        return key if copy == 0 else key[:, self.get_buffer(f"order{copy}")]

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration."""
        gates = self.input(x)
        if state is not None:
            gates = gates + self.hidden(state[0])
        f, i, o, j, r_i, r_o = gates.split(self.sizes, dim=1)
        # One real gate for the real and the imaginary part of its unit.
        f, i, o = (torch.sigmoid(gate).repeat(1, 2, 1, 1) for gate in (f, i, o))
        update, r_i, r_o = i * bound(j), bound(r_i), bound(r_o)
        old = [None] * self.copies if state is None else state[1].chunk(self.copies, dim=1)
        cells, found = [], []
        for copy, c_old in enumerate(old):
            c = complex_product(self._permuted(r_i, copy), update)
            c = c if c_old is None else f * c_old + c
            cells.append(c)
            found.append(complex_product(self._permuted(r_o, copy), c))
        h = o * bound(torch.stack(found).mean(0))
        return upsampled(h, factor), (h, torch.cat(cells, dim=1))


class ConvGRU(torch.nn.Module):
    """Convolutional GRU: state (h,), output h; Cho et al. 2014, as in the paper.

    The reset gate multiplies h before the convolution.
    """

    def __init__(self, width_in: int, width: int, kernel: int, hidden_kernel: int, stride: int = 1):
        super().__init__()
        self.input = SameConv2d(width_in, 3 * width, kernel, stride)
        self.hidden = SameConv2d(width, 2 * width, hidden_kernel, bias=False)
        self.candidate = SameConv2d(width, width, hidden_kernel, bias=False)

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration."""
        return conv_gru_step(x, state, *self._weights(), stride=self.input.stride[0], factor=factor)  # type: ignore[arg-type]

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.input.weight, bias_of(self.input), self.hidden.weight, self.candidate.weight


class ResidualConvGRU(ConvGRU):
    """The paper's own GRU with linear paths around it: :mod:`recodec.ops.residual_conv_gru`. State (h,)."""

    def __init__(self, width_in: int, width: int, kernel: int, hidden_kernel: int, stride: int = 1):
        super().__init__(width_in, width, kernel, hidden_kernel, stride)
        self.input_path = SameConv2d(width_in, width, 1, stride, bias=False)
        self.state_path = SameConv2d(width, width, 1, bias=False)

    def step(self, x: Tensor, state: CellState, factor: int = 1) -> tuple[Tensor, CellState]:
        """One iteration."""
        weights = *self._weights(), self.input_path.weight, self.state_path.weight
        return residual_conv_gru_step(x, state, *weights, stride=self.input.stride[0], factor=factor)  # type: ignore[arg-type]


Cell = FeedForward | ConvLSTM | AssociativeConvLSTM | ConvGRU | ResidualConvGRU
