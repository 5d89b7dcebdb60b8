"""The recurrent encoder: residuals in, features for the binarizer out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recodec.networks.pixel.config import NetworkConfig
from recodec.networks.pixel.gains import Gain
from recodec.networks.pixel.stack import Stack, StackState
from recodec.ops.rearrange import space_to_depth


class EncoderState(NamedTuple):
    """What the encoder carries from iteration to iteration."""

    layers: StackState
    iteration: int


class Encoder(nn.Module):
    """Residual in, features for the binarizer out."""

    def __init__(self, config: NetworkConfig, width_in: int):
        super().__init__()
        self.extra_steps = (config.priming, config.diffusion)
        self.gain = Gain(config.iterations, width_in, config.gain_slope) if config.gains else None
        self.layers = Stack(width_in, config.encoder, grow=False)
        self.shortcut_factor = config.grid_factor if config.shortcut else 0
        self.layers_width = self.layers.width if config.encoder else 0
        self.width = self.layers_width + width_in * self.shortcut_factor**2

    def step(
        self, residual: Tensor, state: EncoderState | None, dtype: torch.dtype | None = None
    ) -> tuple[Tensor, EncoderState]:
        """One iteration; ``state`` None at the first, ``dtype`` that of the layers if it is not the residual's."""
        iteration, layers = (0, None) if state is None else (state.iteration, state.layers)
        x = residual if self.gain is None else self.gain(residual, iteration)
        x = x.to(dtype or x.dtype)
        parts = []
        if self.layers_width:
            y, layers = self.layers.primed_step(x, layers, self.extra_steps[iteration > 0])
            parts.append(y)
        if self.shortcut_factor:
            parts.append(space_to_depth(x, self.shortcut_factor))
        y = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return y, EncoderState(layers, iteration + 1)
