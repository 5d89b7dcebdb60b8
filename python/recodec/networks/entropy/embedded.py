"""The entropy model of embedded planes: what it expects of every bit, from all that is known of all latents.

What is known of a latent is its index so far, exactly, which says more than the codes of any one plane. The first layer
is a 3×3 convolution of all indices as they are known at that moment: with this chunk's codes for positions before, and
without them for those after. In use it is a running sum that only codes other than 0 add to. All of its arithmetic has
an integer twin in the C++ core, defined in FORMAT.md, section 12.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.networks.entropy.twin import ACTIVATION_LIMIT, IntegerTwin, weights
from recodec.networks.latent.planes import GROUP, Chunk, EmbeddedPlanes
from recodec.ops.taps import gather_taps

# Taps of a 3×3 kernel in raster order; those of positions that are coded before come first.
_OFFSETS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
_BEFORE, _AFTER, _NEIGHBOURS = _OFFSETS[:4], _OFFSETS[4:], (*_OFFSETS[:4], *_OFFSETS[5:])
# Log sizes are counted in eighths.
_SIZE_UNIT = 8
_FRACTIONAL_BITS = {
    "around": 6,
    "own": 6,
    "inner": 6,
    "significance": 6,
    "sign": 6,
    "near": 6,
    "near_sign": 6,
    "refinement_share": 6,
    "bias": 9,
    "inner_bias": 14,
    "significance_bias": 14,
    "sign_bias": 14,
    "refinement_bias": 14,
}
# Those with a row for each code.
_OF_CODES = frozenset(
    {"significance", "sign", "near", "near_sign", "refinement_share"}
    | {"significance_bias", "sign_bias", "refinement_bias"}
)
# What refinements take of the significance's logit.
_MOST_SHARED = 8.0
# Bits of significance in the plane below that where a latent became significant, which nothing has foreseen.
_USUALLY_SAVED = 1.5


def log_size(index: Tensor) -> Tensor:
    """About log₂(1 + magnitude) with the sign of an index: straight lines between powers of two, in eighths."""
    size = index.abs() + 1
    floor = torch.frexp(size.float()).exponent - 1
    return torch.sign(index) * (_SIZE_UNIT * floor + ((_SIZE_UNIT * size) >> floor) - _SIZE_UNIT) / _SIZE_UNIT


class _Layout(NamedTuple):
    """Of a chunk's codes: number among those of all chunks, channel and plane, padded to whole groups (groups, 16)."""

    code: Tensor
    channel: Tensor
    plane: Tensor
    held: Tensor


class _Expected(NamedTuple):
    """Of a chunk's codes (N, groups, 16, h, w): logits, what they follow, and what they are."""

    layout: _Layout
    significance: Tensor
    signs: Tensor
    # Whether the latent is significant already, and beyond its first interval.
    known: Tensor
    others: Tensor
    one: Tensor
    positive: Tensor


class EmbeddedEntropyModel(IntegerTwin):
    """Indices in, bits of every code of a chunk out."""

    fractional_bits = _FRACTIONAL_BITS

    def __init__(self, planes: EmbeddedPlanes, width: int = 128, inner_width: int = 128):
        super().__init__()
        self._prefix = planes.prefix
        channels, chunks = len(planes.threshold), planes.count
        codes = sum(len(chunk) for chunk in planes.chunks)
        self.around = weights(2, channels, len(_OFFSETS), width, scale=0.3 / math.sqrt(9 * channels))
        self.own = weights(2, channels, inner_width, scale=0.0)
        self.inner = weights(inner_width, width, scale=1 / math.sqrt(width))
        self.significance = weights(codes, inner_width, scale=0.3 / math.sqrt(inner_width))
        self.sign = weights(codes, inner_width, scale=0.0)
        self.near = nn.Parameter(torch.full((codes, len(_NEIGHBOURS)), 0.1))
        self.near_sign = weights(codes, len(_NEIGHBOURS), scale=0.0)
        self.refinement_share = weights(codes, scale=0.0)
        self.bias = nn.Parameter(torch.zeros(chunks, width))
        self.inner_bias = nn.Parameter(torch.zeros(chunks, inner_width))
        self.significance_bias = nn.Parameter(torch.full((codes,), -2.0))
        self.sign_bias = nn.Parameter(torch.zeros(codes))
        self.refinement_bias = nn.Parameter(torch.zeros(codes, 2))
        self._layouts = _lay_out(planes.chunks)

    def bits(self, index: Tensor, number: int) -> Tensor:
        """Bits (N, h, w) of a chunk, counted from 0, of whole indices (N, channels, h, w)."""
        expected = self._expect(index, number)
        layout, one, known = expected.layout, expected.one, expected.known
        others = expected.others.long()
        bias = self.refinement_bias[layout.code][..., None, None]
        refinement = torch.where(others == 1, bias[:, :, 1], bias[:, :, 0])
        share = self.weight("refinement_share")[layout.code][..., None, None]
        refinement = refinement + share * expected.significance.clamp(-_MOST_SHARED, _MOST_SHARED)
        lengths = _length(torch.where(known, refinement, expected.significance), one)
        lengths = lengths + torch.where(
            known, 0.0, one * _length(expected.signs, expected.positive.to(expected.signs))
        )
        return (lengths * layout.held[..., None, None]).sum((1, 2))

    def crossing_bits(self, index: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """(N, codes, h, w) bits that a latent takes more of a chunk when it passes the edge of a code's plane upwards.

        First that of the plane itself, where it turns significant: the odds against that, and a sign; 0 for latents
        that are significant already, and −2 at least, where a zero would be the surprise. Then that of the plane above:
        what would have been paid here is not, but for a refinement in the sign's place. Indices are whole ones
        (N, channels, h, w).
        """
        expected = self._expect(index, number)
        own = (1 - expected.significance / math.log(2)).clamp_min(-2)
        saved = F.softplus(-expected.significance) / math.log(2)
        held = expected.layout.held.bool()
        own = torch.where(expected.known, 0.0, own)[:, held]
        return own, -torch.where(expected.known, _USUALLY_SAVED, saved)[:, held]

    def _expect(self, index: Tensor, number: int) -> _Expected:
        before, after = (log_size(self._prefix(index, count)) for count in (number, number + 1))
        around = torch.cat([_taps(after, _BEFORE), _taps(before, _AFTER)], 3)  # N h w taps channels
        hidden = _rectify(self._first_layer(around) + self.bias[number])
        hidden = F.linear(hidden, self.weight("inner"), self.inner_bias[number])
        layout = _Layout(*(part.to(index.device) for part in self._layouts[number]))
        magnitude, sign = (
            index.abs()[:, layout.channel],
            torch.sign(index)[:, layout.channel],
        )  # N groups 16 h w
        plane = layout.plane[..., None, None]
        upper, lower = (magnitude >> (plane + 1)) << (plane + 1), (magnitude >> plane) << plane
        growth = (log_size(lower) - log_size(upper)) * sign * layout.held[..., None, None]
        hidden = self._told(hidden, growth, layout)
        near = torch.cat([around[:, :, :, :4], around[:, :, :, 5:]], 3)[
            ..., layout.channel
        ]  # N h w taps groups 16
        significance = self._logits(hidden, near.abs(), layout, "significance", "near")
        signs = self._logits(hidden, near, layout, "sign", "near_sign")
        one = (lower > upper).to(significance)
        return _Expected(layout, significance, signs, upper > 0, upper > 1 << (plane + 1), one, sign > 0)

    def _first_layer(self, around: Tensor) -> Tensor:
        """(N, h, w, taps, channels) log sizes to (N, h, w, width)."""
        weight = self.weight("around")
        rows = weight.permute(0, 2, 1, 3).flatten(1, 2)  # sign, tap · channel, width
        around = around.flatten(3)
        return (-around).clamp_min(0) @ rows[0] + around.clamp_min(0) @ rows[1]

    def _told(self, hidden: Tensor, growth: Tensor, layout: _Layout) -> Tensor:
        """The second layer (N, groups, inner_width, h, w) of each group, which knows those before it."""
        rows = self.weight("own")[:, layout.channel]  # sign groups 16 inner_width
        said = torch.einsum("ngkyx,gkv->ngvyx", (-growth).clamp_min(0), rows[0])
        said = said + torch.einsum("ngkyx,gkv->ngvyx", growth.clamp_min(0), rows[1])
        said = said.cumsum(1)
        said = torch.cat([torch.zeros_like(said[:, :1]), said[:, :-1]], 1)
        return _rectify(hidden.permute(0, 3, 1, 2)[:, None] + said)

    def _logits(self, hidden: Tensor, near: Tensor, layout: _Layout, name: str, near_name: str) -> Tensor:
        rows = self.weight(name)[layout.code]
        logits = torch.einsum("ngvyx,gkv->ngkyx", hidden, rows)
        logits = logits + torch.einsum("nyxtgk,gkt->ngkyx", near, self.weight(near_name)[layout.code])
        bias: Tensor = getattr(self, f"{name}_bias")[layout.code]
        return logits + bias[..., None, None]

    @torch.no_grad()
    def start_from(self, other: EmbeddedEntropyModel) -> None:
        """Take the weights of another of the same widths, those of codes from the codes of the same channel and plane.

        What the other does not know stays as it is.
        """
        own, known = self._rows(), other._rows()
        shared = [code for code in own if code in known]
        to, of = (torch.tensor([rows[code] for code in shared], dtype=torch.long) for rows in (own, known))
        weights_of_other = dict(other.named_parameters())
        for name, weight in self.named_parameters():
            theirs = weights_of_other[name]
            if name in _OF_CODES:
                weight[to] = theirs[of]
            else:
                count = min(len(weight), len(theirs))
                weight[:count] = theirs[:count]

    def _rows(self) -> dict[tuple[int, int], int]:
        """Channel and plane of a code to its number among those of all chunks."""
        return {
            (channel, plane): code
            for layout in self._layouts
            for code, channel, plane, held in zip(*(part.flatten().tolist() for part in layout), strict=True)
            if held
        }

    @classmethod
    def from_tables(cls, planes: EmbeddedPlanes, tables: Mapping[str, Tensor]) -> EmbeddedEntropyModel:
        """The network in floating point whose integer twin ``tables`` are; inverse of :meth:`tables`."""
        network = cls(planes, tables["inner"].shape[1], tables["inner"].shape[0])
        network.take(tables)
        return network


def _rectify(sums: Tensor) -> Tensor:
    return sums.clamp(0, ACTIVATION_LIMIT)


def _taps(values: Tensor, offsets: tuple[tuple[int, int], ...]) -> Tensor:
    """(N, channels, h, w) to (N, h, w, taps, channels)."""
    return gather_taps(values.permute(0, 2, 3, 1), offsets)


def _length(logits: Tensor, bits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, bits, reduction="none") / math.log(2)


def _lay_out(chunks: tuple[Chunk, ...]) -> list[_Layout]:
    layouts = []
    first = 0
    for chunk in chunks:
        # Empty for a chunk that holds nothing, which small models may have.
        starts, ends = (torch.tensor(at, dtype=torch.long) for at in ((0, *chunk.ends)[:-1], chunk.ends))
        places = starts[:, None] + torch.arange(GROUP)
        held = places < ends[:, None]
        places = places.clamp(max=max(len(chunk) - 1, 0))
        layouts.append(_Layout(first + places, chunk.channels[places], chunk.planes[places], held.float()))
        first += len(chunk)
    return layouts
