"""Trials of the 1×1 convolutions around the codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recodec.kernels.layers import Linear
from recodec.kernels.tuner.trials import Body, Tensors, Trial
from recodec.kernels.tuning import Tiles

# How to launch with tiles, the definition, and what both take.
_Parts = tuple[Callable[[Tiles], Sequence[Tensor]], Body, tuple[Any, ...]]


def linear_trial(layer: Linear, dtype: torch.dtype, device: torch.device, batch: int) -> Trial:
    """One of a 1×1 convolution."""
    make = {
        "projection": _projection,
        "feedback": _feedback,
        "reconstruct": _reconstruct,
        "binarize": _binarize,
    }[layer.operator]
    run, reference, arguments = make(layer, Tensors(dtype, device), batch)
    return Trial(layer.operator, layer.sizes(batch), run, reference, arguments)


def _projection(layer: Linear, make: Tensors, batch: int) -> _Parts:
    from recodec.kernels.projection import launch_projection
    from recodec.ops.projection import reference

    factor = layer.factor
    inputs = (
        make.map(batch, layer.inputs, layer.height, layer.width),
        make.weight(layer.channels, layer.inputs, 1),
        make.bias(layer.channels),
    )
    y = make.buffer((batch, layer.channels // factor**2, factor * layer.height, factor * layer.width))

    def run(tiles: Tiles) -> Sequence[Tensor]:
        launch_projection(*inputs, y, factor, tiles)
        return [y]

    return run, reference, (*inputs, factor)


def _feedback(layer: Linear, make: Tensors, batch: int) -> _Parts:
    from recodec.kernels.feedback import launch_feedback
    from recodec.ops.feedback import reference

    area = (layer.height, layer.width)
    inputs = (
        make.map(batch, layer.inputs, *area),
        make.weight(layer.channels, 2 * layer.inputs, 1),
        make.bias(layer.channels),
        make.bias(layer.inputs).float() / 4,
        make.map(batch, 1, *area).float().abs() + 0.5,
        make.map(batch, layer.inputs, *area).float(),
    )
    y = make.buffer((batch, layer.channels, *area))

    def run(tiles: Tiles) -> Sequence[Tensor]:
        launch_feedback(*inputs, y, tiles)
        return [y]

    return run, reference, inputs


def _reconstruct(layer: Linear, make: Tensors, batch: int) -> _Parts:
    from recodec.kernels.reconstruct import launch_reconstruct
    from recodec.ops.reconstruct import reference

    area, width = (layer.height, layer.width), layer.channels
    x, weight = make.map(batch, layer.inputs, *area), make.weight(width, layer.inputs, 1)
    terms: tuple[Any, Any, Any, Any, Any, Any] = (make.bias(width), None, None, None, None, None)
    if layer.masking:
        linear, base = make.map(batch, width, *area), make.map(batch, width, *area).float()
        log_gain, scale = (make.bias(width).float() / size for size in (4, 8))
        gain = make.map(batch, 1, *area).float().abs() + 0.5
        terms = (make.bias(width), linear, log_gain, gain, base, scale.abs())
    shapes = [(batch, width, *area), (batch, 1, *area)][: 1 + layer.masking]
    outputs = [make.buffer(shape, torch.float32) for shape in shapes]
    y, next_gain = outputs[0], outputs[1] if layer.masking else None

    def run(tiles: Tiles) -> Sequence[Tensor]:
        launch_reconstruct(x, weight, *terms, y, next_gain, tiles)
        return outputs

    return run, reference, (x, weight, *terms)


def _binarize(layer: Linear, make: Tensors, batch: int) -> _Parts:
    from recodec.kernels.binarizer import launch_binarize
    from recodec.ops.binarizer import reference

    depth, area = layer.channels, (layer.height, layer.width)
    # Codes of the shipped model have a dead zone; those of the paper are signs.
    x = make.steps(batch, layer.inputs, *area, size=0.25)
    weight = make.steps(depth, layer.inputs, 1, 1, size=0.5)
    zone = torch.full_like(x[0, 0, 0, :1], 0.5) if layer.name.startswith("rnn-1") else None
    codes = make.buffer((batch, depth, *area))

    def run(tiles: Tiles) -> Sequence[Tensor]:
        launch_binarize(x, weight, None, zone, None, codes, tiles)
        return [codes]

    return run, reference, (x, weight, None, zone, None)
