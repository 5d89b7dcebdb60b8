"""The latent codec: a transform between pixels and latents, which are sent in embedded planes."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from recodec.networks.latent.config import LatentConfig, SideConfig
from recodec.networks.latent.planes import EmbeddedPlanes
from recodec.networks.latent.transform import STRIDE, Analysis, Synthesis
from recodec.networks.plane_network import Choose, PlaneOrder, Reach
from recodec.ops.rearrange import space_to_depth


class Known(NamedTuple):
    """What a decoder knows: the indices so far (N, channels, h, w), and after how many chunks."""

    indices: Tensor
    chunks: int


class ChunkTables(nn.Module):
    """What the decoder has of its own after each number of chunks: gains of the latents, and an offset.

    Row t is for t + 1 chunks.
    """

    def __init__(self, config: LatentConfig):
        super().__init__()
        self.log_gain = nn.Parameter(torch.zeros(config.chunks, config.channels))
        self.offset = nn.Parameter(torch.zeros(config.chunks, config.synthesis.inner_width))


class LatentNetwork(nn.Module):
    """Analysis and synthesis of one model, and the planes between them."""

    architecture: ClassVar[str] = "latent"
    decoder_tensors: ClassVar[tuple[str, ...]] = ("synthesis.", "planes.", "chunks.", "scale")
    scale: Tensor

    def __init__(self, config: LatentConfig):
        super().__init__()
        self.config = config
        self.dtype = torch.float32
        self.analysis = Analysis(config.analysis, config.channels)
        self.synthesis = Synthesis(config.synthesis, config.channels)
        self.planes = EmbeddedPlanes(config)
        self.chunks = ChunkTables(config)
        self.register_buffer("scale", torch.ones(config.channels))

    @property
    def stride(self) -> int:
        """Pixels per position."""
        return STRIDE

    @property
    def order(self) -> PlaneOrder:
        """Which planes each chunk holds."""
        return PlaneOrder(self.planes.chunk_of, self.config.chunks)

    @property
    def seamless(self) -> bool:
        """Latents are computed once, and nothing of them is computed from others."""
        return True

    @property
    def symbols(self) -> int:
        """−1, 0 and +1."""
        return 3

    @property
    def depth(self) -> int:
        """Latents per position."""
        return self.config.channels

    @property
    def iterations(self) -> int:
        """Chunks of a whole file."""
        return self.config.chunks

    def codes_in(self, iteration: int) -> int:
        """What the order says."""
        return len(self.planes.chunks[iteration])

    @property
    def reach(self) -> Reach:
        """Exactly how far analysis and synthesis look."""
        return Reach(_reach(self.config.analysis, 0), _reach(self.config.synthesis, 1))

    def latents(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, 16·h, 16·w) to float32 latents (N, channels, h, w)."""
        with torch.autocast(pixels.device.type, self.dtype, enabled=self.dtype != torch.float32):
            latents: Tensor = self.analysis(pixels, self.scale)
        return latents

    def least_error(self, pixels: Tensor) -> float:
        """Of what the linear path of the synthesis cannot say, which its branches hardly add to."""
        blocks = space_to_depth(pixels, STRIDE).flatten(2)
        missing = blocks - self._span @ (self._span.mT @ blocks)
        return float(missing.square().mean())

    @cached_property
    def _span(self) -> Tensor:
        """Orthonormal directions of blocks of pixels (768, channels) that the linear path of the synthesis adds up."""
        span: Tensor = torch.linalg.qr(self.synthesis.linear.weight.detach()[:, :, 0, 0]).Q
        return span

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        self.__dict__.pop("_span", None)
        moved: Self = super()._apply(*arguments, **options)  # type: ignore[no-untyped-call]
        return moved

    def analyse(self, pixels: Tensor) -> Tensor:
        """Pixels to int32 indices."""
        return self.planes.index(self.latents(pixels))

    def encode_step(
        self, target: Tensor, state: int | None, decoded: Known | None, choose: Choose | None = None
    ) -> tuple[Tensor, int]:
        """Codes of the next chunk; nothing of what is decoded is looked at."""
        chunk = state or 0
        return self.planes.codes(target, chunk), chunk + 1

    def decode_step(self, codes: Tensor, decoded: Known | None) -> Known:
        """The index so far."""
        if decoded is None:
            shape = len(codes), self.config.channels, *codes.shape[2:]
            decoded = Known(torch.zeros(shape, dtype=torch.int32, device=codes.device), 0)
        return Known(self.planes.add(decoded.indices, codes, decoded.chunks), decoded.chunks + 1)

    def synthesise(self, decoded: Known) -> Tensor:
        """Float32 pixels, not clamped."""
        rows = torch.full((len(decoded.indices),), decoded.chunks - 1, device=decoded.indices.device)
        return self.show(self.planes.values(decoded.indices, decoded.chunks), rows)

    def show(self, values: Tensor, rows: Tensor) -> Tensor:
        """Pixels of latents (N, channels, h, w) after ``rows`` + 1 chunks each (N,)."""
        gains = self.chunks.log_gain[rows].exp()[:, :, None, None]
        with torch.autocast(values.device.type, self.dtype, enabled=self.dtype != torch.float32):
            pixels: Tensor = self.synthesis(values * gains, self.chunks.offset[rows], self.scale)
        return pixels

    def compute_in(self, dtype: torch.dtype) -> Self:
        """Convolutions work in ``dtype``; latents, gates and pixels stay float32."""
        self.dtype = dtype
        return self

    def for_kernels(self) -> Self:
        """Itself: cuDNN's convolutions are what is fastest."""
        return self


def _reach(config: SideConfig, others: int) -> int:
    """Positions: one for every convolution at 1/16, ``others`` of them in no block, and half a one for those at 1/8.

    Of the latter one is in no block: analysis shrinks by it, synthesis ends with it.
    """
    return 2 * config.inner_blocks + others + -(-(2 * config.blocks + 1) // 2)
