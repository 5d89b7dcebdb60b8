"""Latents in embedded planes: what is sent of them, in which order, and what they are shown as until all is known.

A latent's *index* is its magnitude in whole thresholds, with its sign: a quantiser with a dead zone, twice as wide as
its other steps. Plane k is bit k of the magnitude, and a code is that bit with the latent's sign, −1, 0 or +1, so that
index = Σ code · 2ᵏ whatever has been sent. For a latent that is zero so far a code says significance, and then its
sign; for others it is a refinement (Shapiro 1993, "Embedded image coding using zerotrees of wavelet coefficients").

Each plane of a channel belongs to one chunk, those of a channel in order from the top. A chunk's codes lie in *groups*,
which hold no channel twice: first the topmost planes in the chunk of all its channels, by channel, then the planes
after them, and so on; each of these parts is cut into groups of :data:`GROUP` codes, the last perhaps smaller.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from recodec.errors import WeightsError
from recodec.networks.latent.config import LatentConfig

GROUP = 16


class Chunk(NamedTuple):
    """Channel and plane of each code of a position, in coding order, and where each group ends."""

    channels: Tensor
    planes: Tensor
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.channels)


class EmbeddedPlanes(nn.Module):
    """The quantiser, the order of planes, and the points of intervals that unfinished latents are shown at."""

    threshold: Tensor
    chunk_of: Tensor

    def __init__(self, config: LatentConfig):
        super().__init__()
        self.count = config.chunks
        shape = config.channels, config.planes
        self.register_buffer("threshold", torch.ones(config.channels))
        # ``count`` for a plane that is never sent.
        self.register_buffer("chunk_of", torch.full(shape, config.chunks, dtype=torch.int16))
        # Shares of the interval, for the first interval beside the dead zone and for all others.
        self.point = nn.Parameter(torch.full((2, *shape), 0.45))
        self.register_load_state_dict_post_hook(_settle)  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """Derive anew what follows from the order of planes, which has changed."""
        for name in ("chunks", "lowest", "limit"):
            self.__dict__.pop(name, None)

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        self.forget()
        moved: Self = super()._apply(*arguments, **options)  # type: ignore[no-untyped-call]
        return moved

    def check(self) -> None:
        """Raise :class:`WeightsError` if a plane could be sent before one above it, or a threshold is not positive."""
        sent = self.chunk_of.long()
        # Planes that are never sent lie above the top or below all others.
        above = torch.where(sent == self.count, -1, sent).flip(1).cummax(1).values.flip(1)
        wrong = (sent < 0) | (sent > self.count) | (sent < above)
        if bool(wrong.any()):
            raise WeightsError(
                f"the planes of channel {int(wrong.any(1).nonzero()[0])} are not in order from the top"
            )
        if not bool((self.threshold > 0).all()):
            raise WeightsError("a threshold of the quantiser is not above 0")

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """What each chunk holds."""
        found = []
        for chunk in range(self.count):
            held = (self.chunk_of == chunk).flip(1).nonzero()
            channels, planes = held[:, 0], self.chunk_of.shape[1] - 1 - held[:, 1]
            first = torch.searchsorted(channels.contiguous(), channels.contiguous())
            turn = torch.arange(len(channels), device=channels.device) - first
            order = torch.argsort(turn, stable=True)
            ends: list[int] = []
            for size in torch.bincount(turn).tolist():
                start = ends[-1] if ends else 0
                ends += [*range(start + GROUP, start + size, GROUP), start + size]
            found.append(Chunk(channels[order], planes[order].to(torch.int32), tuple(ends)))
        return tuple(found)

    @cached_property
    def lowest(self) -> Tensor:
        """(chunks + 1, channels) lowest plane known after so many chunks; the number of planes where there is none."""
        rows = [torch.full_like(self.chunk_of[:, 0], self.chunk_of.shape[1])]
        for chunk in self.chunks:
            row = rows[-1].clone()
            # A channel's later codes in a chunk are of lower planes.
            for channel, plane in zip(chunk.channels.tolist(), chunk.planes.tolist(), strict=True):
                row[channel] = plane
            rows.append(row)
        return torch.stack(rows).to(torch.int32)

    @cached_property
    def limit(self) -> Tensor:
        """(channels,) largest magnitude that the planes can hold."""
        sent = (self.chunk_of < self.count).to(torch.int32)
        highest = (sent * torch.arange(1, sent.shape[1] + 1, device=sent.device)).amax(1)
        return (1 << highest) - 1

    def index(self, latents: Tensor) -> Tensor:
        """(N, channels, h, w) latents to int32 indices; what lies beyond the top plane is clamped to it."""
        limit = self.limit[:, None, None]
        magnitude = (latents.float().abs() / self.threshold[:, None, None]).clamp(max=1 << 20).to(torch.int32)
        return torch.minimum(magnitude, limit) * torch.sign(latents).to(torch.int32)

    def codes(self, index: Tensor, chunk: int) -> Tensor:
        """(N, codes, h, w) int8 codes of a chunk."""
        held = self.chunks[chunk]
        chosen = index[:, held.channels]
        signs = torch.sign(chosen).to(torch.int8)
        bits = chosen.abs_().bitwise_right_shift_(held.planes[:, None, None]).bitwise_and_(1)
        return bits.to(torch.int8).mul_(signs)

    def add(self, index: Tensor, codes: Tensor, chunk: int) -> Tensor:
        """The index so far after one more chunk."""
        held = self.chunks[chunk]
        return index.index_add(1, held.channels, codes.to(torch.int32) << held.planes[:, None, None])

    def prefix(self, index: Tensor, chunks: int) -> Tensor:
        """The index so far after the first ``chunks``, from the whole one."""
        lowest = self.lowest[chunks][:, None, None]
        return ((index.abs() >> lowest) << lowest) * torch.sign(index)

    def intervals(self, lowest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(…, channels) of the lowest planes known: the interval's width, and the points of the first and of others."""
        lowest = lowest.long()
        unit = (1 << lowest).float()
        channels = torch.arange(self.point.shape[1], device=lowest.device)
        first, others = self.point.clamp(0, 1)[:, channels, lowest.clamp(max=self.point.shape[2] - 1)] * unit
        return unit, first, others

    def values(self, index: Tensor, chunks: int) -> Tensor:
        """(N, channels, h, w) latents as they are shown after so many chunks: conditional means of their intervals."""
        unit, first, others = (row[:, None, None] for row in self.intervals(self.lowest[chunks]))
        magnitude = index.abs().float()
        known = magnitude + torch.where(magnitude > unit, others, first)
        return torch.where(index == 0, 0.0, known * torch.sign(index)) * self.threshold[:, None, None]

    def slopes(self, latents: Tensor, chunks: int, softness: float) -> Tensor:
        """How :meth:`values` of :meth:`index` after so many chunks grows with the latents, of a quantiser made soft.

        Each edge between two intervals is a logistic curve, ``softness`` of the interval wide, instead of a jump: what
        training calls straight-through would pull every latent of a dead zone to the zone's edge.
        """
        lowest = self.lowest[chunks]
        unit, first, others = (row[:, None, None] for row in self.intervals(lowest))
        known = (lowest < self.point.shape[2])[:, None, None]
        place = latents.abs() / (self.threshold[:, None, None] * unit)
        edge = place.round().clamp_min(1)
        jump = torch.where(edge == 1, 1 + first / unit, 1 + (edge == 2) * (others - first) / unit)
        return torch.where(known, jump * bell(place - edge, softness), 0.0)

    def pull(self, latents: Tensor, costs: tuple[Tensor, Tensor], chunk: int, softness: float) -> Tensor:
        """How the bits of a chunk grow with the latents (N, channels, h, w), by the same soft edges.

        ``costs`` (N, codes, h, w) are the bits that passing each code's edge takes, and passing that above.
        """
        held = self.chunks[chunk]
        edges = (self.threshold[held.channels] * torch.exp2(held.planes.float()))[:, None, None]
        sizes = latents[:, held.channels].abs() / edges
        own, above = costs
        near = own * bell(sizes - 1, softness) + above / 2 * bell(sizes / 2 - 1, softness)
        grown = torch.zeros_like(latents).index_add_(1, held.channels, near / edges)
        return grown * torch.sign(latents)


def bell(places: Tensor, width: float) -> Tensor:
    """Density of the logistic distribution around 0."""
    risen = torch.sigmoid(places / width)
    return risen * (1 - risen) / width


def _settle(planes: nn.Module, _: object) -> None:
    assert isinstance(planes, EmbeddedPlanes)
    planes.forget()
    planes.check()
