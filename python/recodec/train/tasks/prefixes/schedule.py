"""The order in which planes are sent: by how much distortion each takes away for its bits, on photographs.

Greedy allocation along measured slopes, as in Taubman 2000 ("High performance scalable image compression with EBCOT"),
whose convex hulls it takes too: a plane that pays only with the next is sent with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

# Magnitudes around a latent, in units of its plane, and activity of its position: what its bits depend on.
_AROUND, _ACTIVITY = 6, 4
_ZERO_LABELS = _AROUND * _ACTIVITY
# A channel that no sample needs has a plane all the same.
_LEAST_BITS = 1e-6


@dataclass(frozen=True)
class Schedule:
    """``chunk_of`` (channels, planes), points (2, channels, planes), and per chunk the rate in bits per position and
    the weight of distortion for which it pays.
    """

    chunk_of: Tensor
    points: Tensor
    rates: list[float]
    lambdas: list[float]


class _Plane(NamedTuple):
    channel: int
    plane: int
    gain: float
    bits: float


def plan(
    index: Tensor,
    magnitude: Tensor,
    threshold: Tensor,
    curvature: Tensor,
    steps: Tensor,
    planes: int,
    rates: list[float],
) -> Schedule:
    """Plan chunks that end at ``rates``, in bits per position, rising.

    ``index`` (N, channels, h, w) are signed and ``magnitude`` the same latents as |y| / threshold. ``curvature`` and
    ``steps`` (levels, channels) say what errors of a latent cost where they are about as large as a step.
    """
    points = conditional_means(index, magnitude, planes)
    channels = index.shape[1]
    positions = index[:, 0].numel()
    bits = torch.stack([plane_bits(index, plane) for plane in range(planes)], 1) / positions
    hulls: list[list[tuple[float, list[_Plane]]]] = []
    for channel in range(channels):
        found, unit = [], float(threshold[channel])
        here, size = index[:, channel], magnitude[:, channel]
        top = int(here.abs().max()).bit_length()
        before = size.square().mean()
        for plane in range(top - 1, -1, -1):
            error = (size - _shown(here, plane, points[:, channel, plane])).square().mean()
            gain = float(before - error) * unit**2 * _curvature_at(unit * 2**plane, curvature, steps, channel)
            found.append(_Plane(channel, plane, gain, max(float(bits[channel, plane]), _LEAST_BITS)))
            before = error
        hulls.append(_hull(found))
    order = sorted((slope, number, group) for number, hull in enumerate(hulls) for slope, group in hull)[::-1]
    chunk_of = torch.full((channels, planes), len(rates), dtype=torch.int16)
    ends: list[float] = []
    slopes: list[float] = []
    total, chunk = 0.0, 0
    for slope, _, group in order:
        if chunk == len(rates) or slope <= 0:
            break
        for member in group:
            chunk_of[member.channel, member.plane] = chunk
            total += member.bits
        if total >= rates[chunk]:
            ends.append(total)
            slopes.append(slope)
            chunk += 1
    while len(ends) < len(rates):  # nothing is left to send
        ends.append(total)
        slopes.append(slopes[-1] if slopes else 1.0)
    return Schedule(chunk_of, points, ends, [1 / slope for slope in slopes])


def make_room(chunk_of: Tensor, chunks: int, largest: Tensor) -> Tensor:
    """``chunk_of`` (channels, planes) with planes for magnitudes up to ``largest``, for channels that have any.

    What photographs never reach costs next to nothing there, and goes with the plane below.
    """
    wider = chunk_of.clone()
    for channel, row in enumerate(wider):
        sent = (chunk_of[channel] < chunks).nonzero()
        if len(sent):
            top = int(sent.max())
            row[top + 1 : int(largest[channel]).bit_length()] = row[top]
    return wider


def conditional_means(index: Tensor, magnitude: Tensor, planes: int) -> Tensor:
    """(2, channels, planes) mean place of latents in their intervals: in the first beside the dead zone, in others.

    An interval that no sample lies in has the place of others of its plane.
    """
    rows = []
    for plane in range(planes):
        low = (index.abs() >> plane) << plane
        share = (magnitude - low) / 2**plane
        for first in (True, False):
            chosen = (low == 1 << plane) if first else (low > 1 << plane)
            count = chosen.sum((0, 2, 3))
            total = torch.where(chosen, share, 0.0).sum((0, 2, 3))
            overall = float(total.sum() / count.sum().clamp_min(1)) if bool(count.any()) else 0.45
            # A few imagined samples, so that rare intervals do not follow one latent.
            rows.append(((total + 8 * overall) / (count + 8)).clamp(0, 1))
    return torch.stack(rows).view(planes, 2, -1).permute(1, 2, 0).contiguous()


def plane_bits(index: Tensor, plane: int) -> Tensor:
    """About the bits that a plane of each channel takes from a coder that knows what is around: (channels,).

    Of pictures (N, channels, h, w) together: the entropy of bits given magnitudes around them and the activity of
    their position.
    """
    size = index.abs()
    known, upto = size >> (plane + 1), size >> plane
    bits = (upto & 1).double()
    around = _shifted_sum(upto.clamp(max=3).float(), ((-1, -1), (-1, 0), (-1, 1), (0, -1)))
    around += _shifted_sum((2 * known).clamp(max=3).float(), ((0, 1), (1, -1), (1, 0), (1, 1)))
    label = (
        torch.bucketize(around.contiguous(), torch.tensor([0.5, 1.5, 2.5, 4.5, 8.5])) * _ACTIVITY
        + _activity(index)[:, None]
    )
    # Refinements of the first interval beside the dead zone, and of others.
    label = torch.where(known == 0, label, _ZERO_LABELS + (known > 1).long())
    labels = _ZERO_LABELS + 2
    channels = index.shape[1]
    label += torch.arange(channels)[:, None, None] * labels
    ones = torch.bincount(label.flatten(), bits.flatten(), channels * labels)
    count = torch.bincount(label.flatten(), minlength=channels * labels).double()
    # Half a bit of each kind, as an adaptive coder begins.
    share = (ones + 0.4) / (count + 0.8)
    entropy = -(ones * share.log2() + (count - ones) * (1 - share).log2())
    signs = ones.view(channels, labels)[:, :_ZERO_LABELS].sum(1)
    return entropy.view(channels, labels).sum(1) + signs


def _activity(index: Tensor) -> Tensor:
    """Quarters of positions by how large their latents are."""
    size = (1 + index.abs().float()).log2().sum(1)
    return torch.bucketize(
        size.contiguous(), torch.quantile(size.flatten()[:1_000_000], torch.tensor([0.25, 0.5, 0.75]))
    )


def _shifted_sum(values: Tensor, offsets: tuple[tuple[int, int], ...]) -> Tensor:
    padded = F.pad(values, (1, 1, 1, 1))
    height, width = values.shape[2:]
    parts = [padded[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in offsets]
    return sum(parts[1:], parts[0])


def _shown(index: Tensor, plane: int, points: Tensor) -> Tensor:
    low = (index.abs() >> plane) << plane
    point = torch.where(low > 1 << plane, points[1], points[0])
    return torch.where(low > 0, low + point * 2**plane, 0.0)


def _curvature_at(size: float, curvature: Tensor, steps: Tensor, channel: int) -> float:
    """Between the levels whose steps are next to ``size``, in logarithms; steps fall from level to level."""
    sizes = steps[:, channel].log()
    values = curvature[:, channel].log()
    at = math.log(size)
    for level in range(len(sizes) - 1):
        upper, lower = float(sizes[level]), float(sizes[level + 1])
        if at >= lower:
            share = min(1.0, max(0.0, (upper - at) / max(upper - lower, 1e-6)))
            return math.exp((1 - share) * float(values[level]) + share * float(values[level + 1]))
    return math.exp(float(values[-1]))


def _hull(planes: list[_Plane]) -> list[tuple[float, list[_Plane]]]:
    """Groups of planes of one channel, from the top, whose slopes fall."""
    groups: list[tuple[float, float, list[_Plane]]] = []
    for plane in planes:
        groups.append((plane.gain, plane.bits, [plane]))
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] <= groups[-1][0] / groups[-1][1]:
            gain, bits, members = groups.pop()
            former = groups.pop()
            groups.append((former[0] + gain, former[1] + bits, former[2] + members))
    return [(gain / bits, members) for gain, bits, members in groups]
