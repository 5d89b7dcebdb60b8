"""Both networks of the latent codec as ONNX.

The encoder is (1, 3, 16·rows, 16·columns) ``pixels`` in 0..1 to (1, channels, rows, columns) ``indices``. The decoder
is the indices so far, int32, and after how many ``chunks``, int64 of shape (1,), to pixels in 0..1. They are
:meth:`~recodec.networks.latent.network.LatentNetwork.analyse` and ``synthesise``, node by node.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from recodec.export.graph import Graph
from recodec.networks.latent.layers import SLOPE
from recodec.networks.latent.network import LatentNetwork
from recodec.networks.latent.transform import (
    BRANCH_STRIDE,
    GATE_RANGE,
    PIXEL_SCALE,
    STRIDE,
    Analysis,
    Synthesis,
)

_PICTURE = (1, 3, f"{STRIDE} rows", f"{STRIDE} columns")


def encoder(network: LatentNetwork, notes: dict[str, str]) -> bytes:
    """Pixels to indices."""
    builder = _Builder("encoder")
    graph, analysis, planes = builder.graph, network.analysis, network.planes
    pixels = graph.node("Sub", graph.input("pixels", np.float32, _PICTURE), builder.number(0.5))
    magnitude = graph.node("Abs", latents := builder.analyse(analysis, pixels, network.scale))
    magnitude = graph.node("Div", magnitude, builder.by_feature(planes.threshold))
    limit = builder.by_feature(planes.limit.float())
    # What lies beyond is clamped before it could overflow.
    magnitude = graph.node("Floor", graph.node("Min", magnitude, limit))
    signed = graph.node("Mul", magnitude, graph.node("Sign", latents))
    indices = graph.cast(signed, np.int32)
    shape = (1, network.config.channels, "rows", "columns")
    return graph.model({"indices": (indices, np.int32, shape)}, **notes)


def decoder(network: LatentNetwork, notes: dict[str, str]) -> bytes:
    """Indices and the number of chunks to pixels."""
    builder = _Builder("decoder")
    graph, planes, tables = builder.graph, network.planes, network.chunks
    indices = graph.input("indices", np.int32, (1, network.config.channels, "rows", "columns"))
    chunks = graph.input("chunks", np.int64, (1,))
    unit, first, others = planes.intervals(planes.lowest)
    magnitude = graph.cast(graph.node("Abs", indices), np.float32)

    def row(values: Tensor, number: str) -> str:
        found = graph.node("Gather", graph.constant(values.detach().float().numpy()), number, axis=0)
        return graph.node("Unsqueeze", found, graph.constant(np.array([2, 3], np.int64)))

    beyond = graph.node("Greater", magnitude, row(unit, chunks))
    known = graph.node("Add", magnitude, graph.node("Where", beyond, row(others, chunks), row(first, chunks)))
    sign = graph.cast(graph.node("Sign", indices), np.float32)
    values = graph.node("Mul", graph.node("Mul", known, sign), builder.by_feature(planes.threshold))
    last = graph.node("Sub", chunks, graph.constant(np.array([1], np.int64)))
    latents = graph.node("Mul", values, row(tables.log_gain.exp(), last))
    pixels = builder.synthesise(network.synthesis, latents, row(tables.offset, last), network.scale)
    pixels = graph.node("Add", pixels, builder.number(0.5))
    pixels = graph.node("Clip", pixels, builder.number(0.0), builder.number(1.0))
    return graph.model({"pixels": (pixels, np.float32, _PICTURE)}, **notes)


class _Builder:
    """Layers of the latent codec, one graph after them."""

    def __init__(self, name: str):
        self.graph = Graph(name)

    def analyse(self, analysis: Analysis, pixels: str, scale: Tensor) -> str:
        node = self.graph.node
        linear = self._convolution(analysis.linear, node("SpaceToDepth", pixels, blocksize=STRIDE))
        blocks = node("SpaceToDepth", pixels, blocksize=BRANCH_STRIDE)
        x = self._convolution(analysis.head, node("Mul", blocks, self.number(PIXEL_SCALE)))
        x = self._convolution(analysis.shrink, self._residuals(analysis.blocks, x))
        x = self._convolution(analysis.output, self._residuals(analysis.inner_blocks, x))
        half = analysis.output.out_channels // 2
        addition, strength = self._part(x, 0, half), self._part(x, half, 2 * half)
        return node(
            "Add",
            node("Mul", linear, self._gate(strength)),
            node("Mul", addition, self.by_feature(scale)),
        )

    def synthesise(self, synthesis: Synthesis, latents: str, offset: str, scale: Tensor) -> str:
        node = self.graph.node
        tame = node("Asinh", node("Div", latents, self.by_feature(scale)))
        x = node("Add", self._convolution(synthesis.head, tame), offset)
        x = self._residuals(synthesis.inner_blocks, x)
        gated = node("Mul", latents, self._gate(self._convolution(synthesis.strength, x)))
        pixels = node("DepthToSpace", self._convolution(synthesis.linear, gated), blocksize=STRIDE)
        x = node("DepthToSpace", self._convolution(synthesis.grow.mix, x), blocksize=2)
        branch = self._convolution(synthesis.output, self._residuals(synthesis.blocks, x))
        branch = node("DepthToSpace", branch, blocksize=BRANCH_STRIDE)
        return node("Add", pixels, node("Div", branch, self.number(PIXEL_SCALE)))

    def number(self, value: float) -> str:
        return self.graph.constant(np.array(value, np.float32))

    def by_feature(self, values: Tensor) -> str:
        return self.graph.constant(values.detach().float().numpy()[:, None, None])

    def _part(self, x: str, start: int, end: int) -> str:
        bounds = [self.graph.constant(np.array([number], np.int64)) for number in (start, end, 1)]
        return self.graph.node("Slice", x, *bounds)

    def _gate(self, strength: str) -> str:
        inner = self.graph.node("Mul", self.graph.node("Tanh", strength), self.number(GATE_RANGE))
        return self.graph.node("Exp", inner)

    def _convolution(self, layer: nn.Conv2d, x: str) -> str:
        assert layer.bias is not None
        side = layer.kernel_size[0]
        return self.graph.node(
            "Conv",
            x,
            self.graph.constant(layer.weight.detach().contiguous().numpy()),
            self.graph.constant(layer.bias.detach().numpy()),
            kernel_shape=[side, side],
            pads=4 * [side // 2],
            strides=list(layer.stride),
        )

    def _residuals(self, blocks: nn.Sequential, x: str) -> str:
        for block in blocks:
            inner = self.graph.node("LeakyRelu", self._convolution(block.inner, x), alpha=SLOPE)  # type: ignore[arg-type]
            x = self.graph.node("Add", x, self._convolution(block.outer, inner))  # type: ignore[arg-type]
        return x
