"""The recurrent encoder, the recurrent decoder and the loop that joins them.

Toderici et al. 2017, "Full Resolution Image Compression with Recurrent Neural Networks", equations 1
to 3. Pixels are (N, 3, H, W) floats in [−0.5, 0.5] with H and W multiples of the stride; codes are
(N, depth, H/stride, W/stride). Between the two, everything happens on the feature maps of the front
end (the pixels themselves, or their block DCT): residuals, reconstructions and the recurrent layers.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recodec.networks.binarizer import Binarizer, BinarizerMode
from recodec.networks.cells import ConvLSTM, LSTMState, SameConv2d
from recodec.networks.config import LayerConfig, NetworkConfig
from recodec.networks.transforms import BlockDCT, Pixels, depth_to_space, space_to_depth


class EncoderState(NamedTuple):
    """What the encoder carries from iteration to iteration."""

    layers: tuple[LSTMState | None, ...]
    iteration: int


class DecoderState(NamedTuple):
    """What the decoder carries from iteration to iteration."""

    layers: tuple[LSTMState | None, ...]
    reconstruction: Tensor
    iteration: int


def _layer(width_in: int, layer: LayerConfig, stride: int) -> ConvLSTM | SameConv2d:
    if layer.kind == "lstm":
        return ConvLSTM(width_in, layer.width, layer.kernel, layer.hidden_kernel, stride)
    return SameConv2d(width_in, layer.width, layer.kernel, stride)


def _step(layer: nn.Module, x: Tensor, state: LSTMState | None) -> tuple[Tensor, LSTMState | None]:
    """One iteration of one layer; a convolution has no state."""
    return layer.step(x, state) if isinstance(layer, ConvLSTM) else (layer(x), None)


class Gain(nn.Module):
    """One learned factor per iteration and feature, exp(log_gain); later iterations share the last.

    Residuals shrink from iteration to iteration while the weights stay the same; the gains let every
    iteration work on values of a similar size. They play the part of the paper's gain network
    (section 3.1.3, "residual scaling") without looking at the picture.
    """

    def __init__(self, iterations: int, width: int, slope: float):
        super().__init__()
        start = slope * torch.arange(iterations, dtype=torch.float32)
        self.log_gain = nn.Parameter(start[:, None].expand(iterations, width).clone())

    def forward(self, x: Tensor, iteration: int) -> Tensor:
        """Scale (N, width, H, W); ``iteration`` counts from 0."""
        log_gain = self.log_gain[min(iteration, self.log_gain.shape[0] - 1)]
        return x * log_gain.exp()[:, None, None]


class Encoder(nn.Module):
    """Residual in, features for the binarizer out."""

    def __init__(self, config: NetworkConfig, width_in: int):
        super().__init__()
        width = width_in
        self.gain = Gain(config.iterations, width, config.gain_slope) if config.gains else None
        self.layers = nn.ModuleList()
        for layer in config.encoder:
            self.layers.append(_layer(width, layer, layer.resample))
            width = layer.width
        self.shortcut_factor = config.grid_factor if config.shortcut else 0
        self.width = width + width_in * self.shortcut_factor**2

    def step(self, residual: Tensor, state: EncoderState | None) -> tuple[Tensor, EncoderState]:
        """One iteration; ``state`` None at the first."""
        iteration = 0 if state is None else state.iteration
        x = residual if self.gain is None else self.gain(residual, iteration)
        shortcut = x
        states: list[LSTMState | None] = []
        for index, layer in enumerate(self.layers):
            x, layer_state = _step(layer, x, None if state is None else state.layers[index])
            states.append(layer_state)
        if self.shortcut_factor:
            x = torch.cat([x, space_to_depth(shortcut, self.shortcut_factor)], dim=1)
        return x, EncoderState(tuple(states), iteration + 1)


class Decoder(nn.Module):
    """Codes in, reconstruction out."""

    def __init__(self, config: NetworkConfig, width_out: int):
        super().__init__()
        self.additive = config.reconstruction == "additive"
        self.factors = [layer.resample for layer in config.decoder]
        width = config.depth
        self.layers = nn.ModuleList()
        for layer in config.decoder:
            self.layers.append(_layer(width, layer, 1))
            width = layer.width // layer.resample**2
        self.output = SameConv2d(width, width_out, 1)
        self.grid_factor = config.grid_factor
        self.shortcut = (
            SameConv2d(config.depth, width_out * config.grid_factor**2, 1, bias=False)
            if config.shortcut
            else None
        )
        self.gain = Gain(config.iterations, width_out, -config.gain_slope) if config.gains else None

    def step(self, codes: Tensor, state: DecoderState | None) -> tuple[Tensor, DecoderState]:
        """One iteration: the reconstruction after these codes, and the state for the next.

        The reconstruction is not clamped: the encoder's residual needs what was really predicted.
        """
        iteration = 0 if state is None else state.iteration
        x = codes
        states: list[LSTMState | None] = []
        for index, (layer, factor) in enumerate(zip(self.layers, self.factors, strict=True)):
            x, layer_state = _step(layer, x, None if state is None else state.layers[index])
            states.append(layer_state)
            if factor > 1:
                x = depth_to_space(x, factor)
        x = self.output(x)
        if self.shortcut is not None:
            x = x + depth_to_space(self.shortcut(codes), self.grid_factor)
        if self.gain is not None:
            x = self.gain(x, iteration)
        if self.additive and state is not None:
            x = state.reconstruction + x
        return x, DecoderState(tuple(states), x, iteration + 1)


class RecurrentCodec(nn.Module):
    """Front end, encoder, binarizer and decoder of one model.

    Holds weights only: all state is passed in and out, so one instance serves many threads.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        self.front_end: BlockDCT | Pixels = BlockDCT() if config.front_end == "dct8" else Pixels()
        self.encoder = Encoder(config, self.front_end.width)
        self.binarizer = Binarizer(self.encoder.width, config.depth)
        self.decoder = Decoder(config, self.front_end.width)

    def encode_step(self, residual: Tensor, state: EncoderState | None) -> tuple[Tensor, EncoderState]:
        """Codes of one iteration for a (N, width, H', W') residual of features."""
        features, state = self.encoder.step(residual, state)
        return self.binarizer(features), state

    def pixels(self, reconstruction: Tensor) -> Tensor:
        """Reconstructed features to (N, 3, H, W) pixels, not clamped."""
        return self.front_end.synthesise(reconstruction)

    def unroll(self, pixels: Tensor, iterations: int, mode: BinarizerMode, lead_in: int = 0) -> list[Tensor]:
        """Reconstructed pixels of ``iterations`` iterations with gradients, for training.

        ``lead_in`` iterations run before them without gradients and are not returned.
        """
        target = residual = self.front_end.analyse(pixels)
        encoder_state: EncoderState | None = None
        decoder_state: DecoderState | None = None
        pictures = []
        for iteration in range(lead_in + iterations):
            with torch.set_grad_enabled(iteration >= lead_in):
                features, encoder_state = self.encoder.step(residual, encoder_state)
                codes = self.binarizer.train_codes(features, mode)
                reconstruction, decoder_state = self.decoder.step(codes, decoder_state)
                residual = target - reconstruction
                if iteration >= lead_in:
                    pictures.append(self.pixels(reconstruction))
        return pictures

    @torch.no_grad()
    def extend_gains(self, trained: int) -> None:
        """Let iterations after the first ``trained`` start from the gains of the last of those."""
        for module in self.modules():
            if isinstance(module, Gain):
                module.log_gain[trained:] = module.log_gain[trained - 1]

    @torch.no_grad()
    def calibrate(self, pixels: Tensor) -> None:
        """Set the front end's coefficient scales from sample photographs (N, 3, H, W)."""
        if isinstance(self.front_end, BlockDCT):
            self.front_end.scale.fill_(1.0)
            deviation = self.front_end.analyse(pixels).std(dim=(0, 2, 3))
            self.front_end.scale.copy_(deviation.clamp_min(1e-3))
