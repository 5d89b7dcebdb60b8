"""About how many bits latents take by a model's tables, with gradients: what a search for latents goes by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.networks.autoencoder.network import Autoencoder

_VALUES, _MAGNITUDES = 1, 2
_UNIT = 65536.0
# Tables are counts; neighbouring values are to cost about the same, or gradients are noise.
_SMOOTHING = (0.25, 0.5, 0.25)


class RateEstimate:
    """Of one stage at one level.

    Contexts are those of the rounded latents around, and have no gradient. Probabilities are those that a chunk begins
    with; between whole numbers costs go along a line. ``smooth`` evens them out.
    """

    def __init__(self, network: Autoencoder, level: int, stage: int, *, smooth: bool = True):
        config, tables = network.config, network.tables
        planes = slice(stage * config.channels, (stage + 1) * config.channels)
        self._half, self._unbounded = 2 ** (config.bits - 1), config.quantiser == "rounded"
        self._kinds = tables.kinds[level, planes].tolist()
        self._limits = tables.limits[level, planes]
        nodes = (tables.probabilities[level, planes].float() + _UNIT / 2) / _UNIT
        costs = _leaf_costs(nodes, config.bits)
        self._costs = _smoothed(costs) if smooth else costs

    def bits(self, latents: Tensor) -> Tensor:
        """Of all (channels, h, w) latents together."""
        rounded = latents.detach().round()
        found = [self._plane(number, plane, rounded[number]) for number, plane in enumerate(latents)]
        return torch.stack(found).sum()

    def _plane(self, number: int, plane: Tensor, rounded: Tensor) -> Tensor:
        measure = _measure(self._kinds[number], rounded)
        limits = self._limits[number].to(plane.device)
        costs = self._costs[number].to(plane.device)[torch.bucketize(measure, limits, right=True)]
        low, high = -self._half, self._half - 1
        inside = plane.clamp(low, high)
        below = inside.detach().floor().clamp_max(high - 1)
        share = inside - below
        index = (below + self._half).long()[..., None]
        lower, upper = costs.gather(2, index)[..., 0], costs.gather(2, index + 1)[..., 0]
        bits = (lower + share * (upper - lower)).sum()
        if self._unbounded:
            # An escape of Exp-Golomb's code, less that of nothing beyond.
            beyond = (plane - inside).abs()
            bits = bits + (2 * torch.log2(1 + beyond)).sum()
        return bits


def _leaf_costs(nodes: Tensor, bits: int) -> Tensor:
    """(planes, contexts, 2^bits) probabilities of a one at each node to bits of each value, from the least."""
    costs = torch.zeros(*nodes.shape[:2], 1)
    for depth in range(bits):
        one = nodes[:, :, 1 << depth : 2 << depth]
        both = torch.stack([-(1 - one).log2(), -one.log2()], dim=3)
        costs = (costs[..., None] + both).flatten(2)
    return costs


def _smoothed(costs: Tensor) -> Tensor:
    flat = costs.flatten(0, 1)[:, None]
    kernel = costs.new_tensor(_SMOOTHING)[None, None]
    return F.conv1d(F.pad(flat, (1, 1), mode="replicate"), kernel)[:, 0].view_as(costs)


def _measure(kind: int, plane: Tensor) -> Tensor:
    """(h, w) whole numbers that contexts are found by, as FORMAT.md has them."""
    if kind not in (_VALUES, _MAGNITUDES):
        return torch.zeros_like(plane)
    sizes = plane if kind == _VALUES else plane.abs()
    height, width = plane.shape
    padded = F.pad(sizes, (1, 1, 1, 0))
    north, west = padded[:height, 1 : width + 1], padded[1:, :width]
    if kind == _MAGNITUDES:
        around: Tensor = 2 * west + 2 * north + padded[:height, :width] + padded[:height, 2:]
        return around
    found: Tensor = west + north
    found[0] *= 2
    found[:, 0] = 2 * north[:, 0]
    return found
