"""The recurrent decoder: codes in, features of the picture or of the residual out."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from recodec.networks.convolution import Projection
from recodec.networks.pixel.config import NetworkConfig
from recodec.networks.pixel.gains import Gain, GainNetwork, Masking
from recodec.networks.pixel.stack import Stack, StackState
from recodec.ops.backend import laid_out
from recodec.ops.feedback import feedback
from recodec.ops.reconstruct import reconstruct


class DecoderState(NamedTuple):
    """What is decoded so far, and what the decoder carries to the next iteration.

    ``gain`` multiplies the encoder's next residual and divides the decoder's next output; None but in
    residual scaling and masking. Both are float32 where the layers work in float16 or bfloat16.
    """

    layers: StackState
    reconstruction: Tensor
    gain: Tensor | None
    iteration: int


class Decoder(nn.Module):
    """Codes in, features out: of the picture (one-shot) or of the residual (additive)."""

    def __init__(self, config: NetworkConfig, width_out: int):
        super().__init__()
        self.extra_steps = (config.priming, config.diffusion)
        own = config.iterations if config.own_projections else None
        self.embedding = Projection(config.depth, config.embedding, own) if config.embedding else None
        self.feedback = Projection(2 * width_out, config.feedback, own) if config.feedback else None
        self.layers = Stack(
            config.embedding or config.depth,
            config.decoder,
            grow=True,
            side_layer=config.feedback_layer,
            side_width=config.feedback,
        )
        self.output = Projection(self.layers.width, width_out, own)
        self.grid_factor = config.grid_factor
        self.shortcut = (
            Projection(config.depth, width_out * config.grid_factor**2, own, bias=False)
            if config.shortcut
            else None
        )
        self.gain = Gain(config.iterations, width_out, -config.gain_slope) if config.gains else None
        self.gain_network = GainNetwork() if config.reconstruction == "residual-scaling" else None

    def step(self, codes: Tensor, layers: StackState, iteration: int) -> tuple[Tensor, StackState]:
        """One iteration, counted from 0, of a picture of which nothing else is known; ``layers`` None at the first."""
        x, linear, layers = self.features(codes, layers, iteration)
        output, _ = self.reconstruct(x, linear, iteration)
        return output, layers

    def features(
        self, codes: Tensor, layers: StackState, iteration: int, decoded: DecoderState | None = None
    ) -> tuple[Tensor, Tensor | None, StackState]:
        """What the last projection sees and what the shortcut adds to it, for :meth:`reconstruct`."""
        codes = laid_out(codes)
        linear = side = None
        if self.shortcut is not None:
            linear = self.shortcut(codes, iteration, self.grid_factor)
        if self.feedback is not None and linear is not None:
            side = feedback(
                linear,
                *self.feedback.at(iteration),
                log_gain=self._log_gain(iteration),
                gain=None if decoded is None else decoded.gain,
                base=None if decoded is None else decoded.reconstruction,
            )
        x = codes if self.embedding is None else self.embedding(codes, iteration)
        x, layers = self.layers.primed_step(x, layers, self.extra_steps[iteration > 0], side)
        return x, linear, layers

    def reconstruct(
        self,
        x: Tensor,
        linear: Tensor | None,
        iteration: int,
        gain: Tensor | None = None,
        base: Tensor | None = None,
        masking: Masking | None = None,
        scale: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Features of the picture (with ``base``) or of the residual, and the gain of ``masking`` if there is any."""
        return reconstruct(
            x,
            *self.output.at(iteration),
            linear=linear,
            log_gain=self._log_gain(iteration),
            gain=gain,
            base=base,
            scale=None if masking is None else scale,
        )

    def _log_gain(self, iteration: int) -> Tensor | None:
        return None if self.gain is None else self.gain.at(iteration)
