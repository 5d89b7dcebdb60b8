"""The recurrent codec: encoder, binarizer and decoder between two transforms, and its training's loop.

Toderici et al. 2017, "Full Resolution Image Compression with Recurrent Neural Networks", equations 1
to 3. Pixels are (N, 3, H, W) floats in [−0.5, 0.5] with H and W multiples of the stride; codes are
(N, depth, H/stride, W/stride). Between the two, everything happens on the feature maps of the front
end (the pixels themselves, or their block DCT): residuals, reconstructions and the recurrent layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from recodec.networks.binarizer import Binarizer, dead_zone_for, density_at
from recodec.networks.convolution import Projection, lay_weights_in_nhwc
from recodec.networks.loop import iterate
from recodec.networks.pixel.config import NetworkConfig
from recodec.networks.pixel.decoder import Decoder, DecoderState
from recodec.networks.pixel.encoder import Encoder, EncoderState
from recodec.networks.pixel.gains import GAIN_PATCH, Gain, Masking, hold
from recodec.networks.pixel.reach import reach_of
from recodec.networks.pixel.transforms import BlockDCT, Pixels
from recodec.networks.plane_network import Choose, Reach
from recodec.ops.binarizer import ternarize

# Uniform noise in [−a, a] of a shape, for sampled codes in training.
Noise = Callable[[torch.Size], Tensor]


class RecurrentCodec(nn.Module):
    """Front end, encoder, binarizer and decoder of one model.

    A :class:`~recodec.networks.plane_network.PlaneNetwork`. Holds weights only: all state is passed in and out, so one
    instance serves many threads.
    """

    architecture: ClassVar[str] = "pixel"
    decoder_tensors: ClassVar[tuple[str, ...]] = ("decoder.", "front_end.")

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        self.front_end: BlockDCT | Pixels = BlockDCT() if config.front_end == "dct8" else Pixels()
        self.encoder = Encoder(config, self.front_end.width)
        own = config.iterations if config.own_projections else None
        self.binarizer = Binarizer(
            self.encoder.width, config.depth, own, config.iterations if config.dead_zone else 0
        )
        self.decoder = Decoder(config, self.front_end.width)
        self.masking = Masking() if config.reconstruction == "masking" else None

    @property
    def stride(self) -> int:
        """Pixels per position along each axis."""
        return self.config.stride

    @property
    def depth(self) -> int:
        """Codes per position and iteration."""
        return self.config.depth

    @property
    def order(self) -> None:
        """Every plane has a code of each channel."""
        return None

    @property
    def seamless(self) -> bool:
        """States grow across positions."""
        return False

    @property
    def symbols(self) -> int:
        """3 with a dead zone, 2 without."""
        return 3 if self.config.dead_zone else 2

    @property
    def iterations(self) -> int:
        """The most iterations a file may hold."""
        return self.config.iterations

    def codes_in(self, iteration: int) -> int:
        """The same in all."""
        return self.depth

    @property
    def reach(self) -> Reach:
        """What a tile's halo must cover."""
        return reach_of(self.config)

    @property
    def working_type(self) -> torch.dtype:
        """The type of number that the layers work in."""
        return self.binarizer.conv.weight.dtype

    @torch.no_grad()
    def compute_in(self, dtype: torch.dtype) -> Self:
        """Let the layers work in ``dtype``, float32 or narrower; returns the same codec.

        The front end, gains and dead zones stay in float32, and so does what is decoded so far, to which every
        iteration adds.
        """
        for module in self.modules():
            if not isinstance(module, BlockDCT | Gain):
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.to(dtype)
        return self

    def for_kernels(self) -> Self:
        """With 1×1 layers folded into the cells behind them, and weights laid out as kernels read them."""
        from recodec.networks.pixel.folding import fold_pointwise

        network = fold_pointwise(self)
        lay_weights_in_nhwc(network)
        return network

    def least_error(self, pixels: Tensor) -> float:
        """Not known: late iterations go on with what the former left."""
        return 0.0

    def analyse(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, H, W) to feature maps (N, width, H', W') of the front end."""
        return self.front_end.analyse(pixels)

    def encode_features(
        self, target: Tensor, state: EncoderState | None, decoded: DecoderState | None
    ) -> tuple[Tensor, EncoderState]:
        """Features for the binarizer, from the (N, width, H', W') ``target`` and what is decoded so far."""
        if decoded is None:
            residual = target
        else:
            residual = target - decoded.reconstruction
            if decoded.gain is not None:
                residual = residual * decoded.gain
        return self.encoder.step(residual, state, self.working_type)

    def encode_step(
        self,
        target: Tensor,
        state: EncoderState | None,
        decoded: DecoderState | None,
        choose: Choose | None = None,
    ) -> tuple[Tensor, EncoderState]:
        """Codes of one iteration; arguments as in :meth:`encode_features`.

        ``choose`` replaces :class:`Binarizer` as files have it: codes from features and the iteration's number.
        """
        features, state = self.encode_features(target, state, decoded)
        return (choose or self.binarizer)(features, state.iteration - 1), state

    def decode_step(self, codes: Tensor, state: DecoderState | None) -> DecoderState:
        """What is decoded after one more iteration; ``state`` None at the first.

        The reconstruction is not clamped: the encoder's residual needs what was really predicted.
        """
        iteration = 0 if state is None else state.iteration
        x, linear, layers = self.decoder.features(codes, state.layers if state else None, iteration, state)
        base = state.reconstruction if state and self.config.reconstruction != "one-shot" else None
        gain = state.gain if state else None
        if self.decoder.gain_network is None:
            reconstruction, next_gain = self.decoder.reconstruct(
                x, linear, iteration, gain, base, self.masking, self._masking_scale()
            )
        else:
            output, _ = self.decoder.reconstruct(x, linear, iteration, gain)
            reconstruction = output if base is None else base + output
            features = reconstruction if self.config.gain_input == "reconstruction" else output
            gains = self.decoder.gain_network(self.pixels(features).to(codes.dtype)).to(features.dtype)
            patch = GAIN_PATCH // self.front_end.stride
            next_gain = hold(gains, patch, features.shape[2], features.shape[3])
        return DecoderState(layers, reconstruction, next_gain, iteration + 1)

    def _masking_scale(self) -> Tensor | None:
        return self.front_end.scale if self.masking and isinstance(self.front_end, BlockDCT) else None

    def pixels(self, reconstruction: Tensor) -> Tensor:
        """Reconstructed features to (N, 3, H, W) pixels, not clamped."""
        return self.front_end.synthesise(reconstruction)

    def synthesise(self, decoded: DecoderState) -> Tensor:
        """What is decoded so far as (N, 3, H, W) pixels for the eye, not clamped."""
        return self.pixels(decoded.reconstruction)

    def unroll(
        self,
        pixels: Tensor,
        iterations: int,
        *,
        lead_in: int = 0,
        noise: Noise | None = None,
        density: Sequence[float] = (),
    ) -> list[Tensor]:
        """The pixels shown after each of ``iterations`` iterations, with gradients, for training.

        ``lead_in`` iterations run before them without gradients and are not returned. Codes are signs,
        or signs after ``noise`` was added. With a dead zone, ``density`` has the share of codes in the batch
        that are not 0 for each iteration, later ones sharing the last; without it, the zone is that of files.
        """

        def choose(features: Tensor, iteration: int) -> Tensor:
            share = density_at(density, iteration) if density else None
            return self.binarizer.train_codes(features, iteration, noise, share)

        loop = iterate(self, self.analyse(pixels), lead_in + iterations, choose)
        with torch.no_grad():
            for _ in range(lead_in):
                next(loop)
        return [self.synthesise(decoded) for _, decoded in loop]

    @torch.no_grad()
    def extend(self, trained: int) -> None:
        """Let iterations after the first ``trained`` start from what the last of those has of its own."""
        for parameter in self.per_iteration().values():
            parameter[trained:] = parameter[trained - 1].clone()

    def per_iteration(self) -> dict[str, Tensor]:
        """Parameters by name whose first axis counts iterations."""
        found: dict[str, Tensor] = {}
        for name, module in self.named_modules():
            if isinstance(module, Gain) or (isinstance(module, Projection) and module.own):
                found |= {f"{name}.{key}": parameter for key, parameter in module.named_parameters()}
        return found

    @torch.no_grad()
    def fit_dead_zones(self, pixels: Tensor, density: Sequence[float]) -> None:
        """Make the dead zones of files such that sample photographs (N, 3, H, W) get codes of this density."""
        if self.binarizer.dead_zone is None:
            return
        zones = self.binarizer.dead_zone

        def choose(features: Tensor, iteration: int) -> Tensor:
            features = self.binarizer.conv(features, iteration)
            zones[iteration] = dead_zone_for(features, density_at(density, iteration))
            return ternarize(features, zones[iteration])

        for _ in iterate(self, self.analyse(pixels), self.config.iterations, choose, decode_last=False):
            pass

    @torch.no_grad()
    def calibrate(self, pixels: Tensor) -> None:
        """Set the front end's coefficient scales from sample photographs (N, 3, H, W)."""
        if isinstance(self.front_end, BlockDCT):
            self.front_end.scale.fill_(1.0)
            deviation = self.front_end.analyse(pixels).std(dim=(0, 2, 3))
            self.front_end.scale.copy_(deviation.clamp_min(1e-3))
