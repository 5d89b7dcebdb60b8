"""What is tuned: every kernel at the shapes of rnn-1 and of the paper, for 768x512 pixels, with its reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recodec.kernels.layers import FOLDED, LINEAR, PAPER, SHIPPED, Layer
from recodec.kernels.tuning import Tiles

Body = Callable[..., Sequence[Tensor]]

# How much time a trial is worth beside others: iterations of the networks that are used, first iterations and what
# runs once in a while, and all else.
_MUCH, _SOME, _LITTLE = 8.0, 2.0, 1.0

# Of rnn-1's decoder.
_OF_EVERY_ITERATION = {"rnn-1-shortcut", "rnn-1-embedding", "rnn-1-feedback", "rnn-1-output"}


class Trial(NamedTuple):
    """One kernel at one shape: ``run`` launches it with tiles and returns what it wrote.

    ``reference`` computes the same from ``arguments``, which are those of the operator, in any number type.
    """

    operator: str
    shape: dict[str, int]
    run: Callable[[Tiles], Sequence[Tensor]]
    reference: Body
    arguments: tuple[Any, ...]


class Plan(NamedTuple):
    """A trial that has no tensors yet; ``worth`` is its share of the time."""

    operator: str
    shape: dict[str, int]
    worth: float
    make: Callable[[], Trial]


def plans(dtype: torch.dtype, device: torch.device, batch: int = 1) -> list[Plan]:
    """All trials at the size of ``batch`` pictures, the most valuable first."""
    from recodec.kernels.tuner.linear_trials import linear_trial

    where = (dtype, device, batch)
    found = list(_cell_plans(*where))
    for layer in LINEAR:
        worth = _MUCH if layer.name in _OF_EVERY_ITERATION else _SOME
        found.append(Plan(layer.operator, layer.sizes(batch), worth, partial(linear_trial, layer, *where)))
    return sorted(found, key=lambda plan: -plan.worth)


def _cell_plans(dtype: torch.dtype, device: torch.device, batch: int) -> Iterator[Plan]:
    where = (dtype, device, batch)
    for layer, state in product(SHIPPED, (True, False)):
        worth = _MUCH if state else _SOME
        yield from _gru_plans(layer, True, state, worth, *where)
    for layer, state in product((*PAPER, FOLDED), (True, False)):
        make = partial(lstm_trial, layer, state, *where)
        worth = _MUCH if state else _LITTLE
        yield Plan("conv_lstm_step", layer.sizes(state=state, batch=batch), worth, make)
    for layer, state, residual in product(PAPER, (True, False), (True, False)):
        yield from _gru_plans(layer, residual, state, _LITTLE, *where)


class Tensors:
    """Random weights and feature maps, channels_last, and buffers for them."""

    def __init__(self, dtype: torch.dtype, device: torch.device):
        self._generator = torch.Generator(device).manual_seed(0)
        self._type, self._device = dtype, device

    def map(self, *shape: int) -> Tensor:
        """A feature map (N, width, H, W)."""
        return self._as_map(torch.randn(shape, generator=self._generator, device=self._device))

    def weight(self, outputs: int, inputs: int, kernel: int) -> Tensor:
        """Weights whose sums are of the size of what they weigh."""
        return self.map(outputs, inputs, kernel, kernel) / (math.sqrt(inputs) * kernel)

    def bias(self, outputs: int) -> Tensor:
        """One value for each of ``outputs``."""
        return torch.randn(outputs, generator=self._generator, device=self._device).to(self._type)

    def steps(self, *shape: int, size: float) -> Tensor:
        """From −2 to 2 steps of a ``size`` that is a power of two: sums are exact in any order."""
        drawn = torch.randint(-2, 3, shape, generator=self._generator, device=self._device)
        return self._as_map(size * drawn)

    def buffer(self, shape: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
        """What nobody has written to."""
        empty = torch.empty(tuple(shape), device=self._device, dtype=dtype or self._type)
        return empty.to(memory_format=torch.channels_last)

    def _as_map(self, values: Tensor) -> Tensor:
        return values.to(self._type).contiguous(memory_format=torch.channels_last)


class _CellTensors(Tensors):
    """Those of a recurrent layer."""

    def __init__(self, layer: Layer, dtype: torch.dtype, device: torch.device, batch: int):
        super().__init__(dtype, device)
        self.state_shape = (batch, layer.channels, layer.height, layer.width)
        depth, factor = layer.channels // layer.factor**2, layer.factor
        self.y_shape = (batch, depth, factor * layer.height, factor * layer.width)
        self.x = self.map(batch, layer.inputs, layer.stride * layer.height, layer.stride * layer.width)


def lstm_trial(layer: Layer, state: bool, dtype: torch.dtype, device: torch.device, batch: int) -> Trial:
    """One step of a convolutional LSTM, from a state or from zero."""
    from recodec.kernels.conv_lstm import launch_conv_lstm_step
    from recodec.ops.backend import carried_type
    from recodec.ops.conv_lstm import reference

    make = _CellTensors(layer, dtype, device, batch)
    width = layer.channels
    h, c = (make.map(*make.state_shape), make.map(*make.state_shape).float()) if state else (None, None)
    inputs = (
        make.x,
        h,
        c,
        make.weight(4 * width, layer.inputs, layer.kernel),
        make.bias(4 * width),
        make.weight(4 * width, width, layer.hidden_kernel),
    )
    h_out, c_out = make.buffer(make.state_shape), make.buffer(make.state_shape, carried_type(dtype))
    y = make.buffer(make.y_shape) if layer.factor > 1 else None

    def run(tiles: Tiles) -> Sequence[Tensor]:
        launch_conv_lstm_step(*inputs, h_out, c_out, y, layer.stride, layer.factor, tiles)
        return [h_out, c_out] if y is None else [h_out, c_out, y]

    sizes = layer.sizes(state=state, batch=batch)
    return Trial("conv_lstm_step", sizes, run, reference, (*inputs, layer.stride, layer.factor))


def _gru_plans(
    layer: Layer,
    residual: bool,
    state: bool,
    worth: float,
    dtype: torch.dtype,
    device: torch.device,
    batch: int,
) -> Iterator[Plan]:
    """The second kernel and, where nobody else has it, the first, which has no use for paths."""
    from recodec.kernels.conv_gru import candidate_name

    names = [candidate_name(residual)]
    if state and (not residual or layer in SHIPPED):
        names.append("conv_gru_gates")
    for name in names:
        make = partial(gru_trial, layer, residual, state, dtype, device, batch, name)
        yield Plan(name, layer.sizes(state=state, batch=batch), worth, make)


def gru_trial(
    layer: Layer,
    residual: bool,
    state: bool,
    dtype: torch.dtype,
    device: torch.device,
    batch: int,
    operator: str,
) -> Trial:
    """One step of a convolutional GRU. Both kernels run; the one that is not ``operator`` has tiles that stay."""
    from recodec.kernels.conv_gru import candidate_name, launch_conv_gru_step
    from recodec.kernels.tuning import guess
    from recodec.ops import conv_gru, residual_conv_gru

    make = _CellTensors(layer, dtype, device, batch)
    width = layer.channels
    inputs = (
        make.x,
        make.map(*make.state_shape) if state else None,
        make.weight(3 * width, layer.inputs, layer.kernel),
        make.bias(3 * width),
        make.weight(2 * width, width, layer.hidden_kernel),
        make.weight(width, width, layer.hidden_kernel),
    )
    paths = (make.weight(width, layer.inputs, 1), make.weight(width, width, 1)) if residual else None
    outputs = [make.buffer(make.state_shape)]
    y = make.buffer(make.y_shape) if residual or layer.factor > 1 else None
    if y is not None:
        outputs.append(y)
    share = residual_conv_gru.RESIDUAL_SHARE
    launch = partial(launch_conv_gru_step, *inputs, paths, outputs[0], y, layer.stride, layer.factor, share)
    body: Body = residual_conv_gru.reference if residual else conv_gru.reference
    number_type = str(dtype).removeprefix("torch.")
    sizes = layer.sizes(state=state, batch=batch)
    first = guess("conv_gru_gates", sizes, number_type)
    second = guess(candidate_name(residual), sizes, number_type)

    def run(tiles: Tiles) -> Sequence[Tensor]:
        launch((tiles, second) if operator == "conv_gru_gates" else (first, tiles))
        return outputs

    return Trial(operator, sizes, run, body, (*inputs, *(paths or ()), layer.stride, layer.factor))
