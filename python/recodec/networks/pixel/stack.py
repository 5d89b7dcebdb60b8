"""A stack of cells, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from recodec.networks.cells import (
    AssociativeConvLSTM,
    Cell,
    CellState,
    ConvGRU,
    ConvLSTM,
    FeedForward,
    ResidualConvGRU,
)
from recodec.networks.pixel.config import LayerConfig

StackState = tuple[CellState, ...] | None


def make_cell(width_in: int, layer: LayerConfig, stride: int) -> Cell:
    """The cell that a layer's configuration describes."""
    match layer.kind:
        case "conv":
            return FeedForward(width_in, layer.width, layer.kernel, stride)
        case "lstm":
            return ConvLSTM(width_in, layer.width, layer.kernel, layer.hidden_kernel, stride)
        case "associative-lstm":
            return AssociativeConvLSTM(
                width_in, layer.width, layer.kernel, layer.hidden_kernel, stride, layer.copies
            )
        case "gru":
            return ConvGRU(width_in, layer.width, layer.kernel, layer.hidden_kernel, stride)
        case "residual-gru":
            return ResidualConvGRU(width_in, layer.width, layer.kernel, layer.hidden_kernel, stride)


class Stack(nn.ModuleList):
    """Layers that shrink a feature map (the encoder's) or grow it by depth-to-space (the decoder's)."""

    def __init__(
        self,
        width_in: int,
        layers: Sequence[LayerConfig],
        *,
        grow: bool,
        side_layer: int | None = None,
        side_width: int = 0,
    ):
        super().__init__()
        self.side_layer = side_layer
        self.autocast_type: torch.dtype | None = None
        self.factors = [layer.resample if grow else 1 for layer in layers]
        self.width = width_in
        for index, (layer, factor) in enumerate(zip(layers, self.factors, strict=True)):
            width = self.width + (side_width if index == side_layer else 0)
            self.append(make_cell(width, layer, 1 if grow else layer.resample))
            self.width = layer.width // factor**2

    def compute_under(self, dtype: torch.dtype | None) -> None:
        """Let the layers multiply in ``dtype``, under autocast, or as they are; results and states stay float32."""
        self.autocast_type = dtype

    def forward(self, x: Tensor, states: StackState, side: Tensor | None = None) -> tuple[Tensor, StackState]:
        """One iteration of every layer; ``states`` None is the zero state.

        ``side`` joins the input of the layer that was made for it.
        """
        if self.autocast_type is None:
            return self._iterate(x, states, side)
        with torch.autocast(x.device.type, self.autocast_type):
            y, after = self._iterate(x, states, side)
        return y.float(), tuple(state and tuple(part.float() for part in state) for state in after or ())

    def _iterate(self, x: Tensor, states: StackState, side: Tensor | None) -> tuple[Tensor, StackState]:
        after = []
        cells = cast("list[Cell]", self)
        triples = zip(cells, self.factors, states or [None] * len(self), strict=True)
        for index, (layer, factor, state) in enumerate(triples):
            if side is not None and index == self.side_layer:
                x = torch.cat([x, side], dim=1)
            x, state = layer.step(x, state, factor)
            after.append(state)
        return x, tuple(after)

    def primed_step(
        self, x: Tensor, states: StackState, extra: int, side: Tensor | None = None
    ) -> tuple[Tensor, StackState]:
        """One iteration after ``extra`` more on the same input, of which only the states are kept."""
        for _ in range(extra):
            _, states = self(x, states, side)
        y, after = self(x, states, side)
        return y, after
