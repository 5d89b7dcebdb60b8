"""About how many bits latents take by a model's tables, with gradients: what a search for latents goes by."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.networks.autoencoder.network import Autoencoder
from recodec.networks.autoencoder.tables import measure

_UNIT = 65536.0
# Tables are counts; neighbouring values are to cost about the same, or gradients are noise.
_SMOOTHING = (0.25, 0.5, 0.25)


class RateEstimate:
    """Of one stage at one level.

    Contexts are those of the rounded latents around, and have no gradient. Probabilities are those that a chunk begins
    with; between whole numbers costs go along a line. ``smooth`` evens them out.
    """

    def __init__(self, network: Autoencoder, level: int, stage: int, *, smooth: bool = True):
        config = network.config
        kinds, self._limits, probabilities = network.tables.of(level, stage)
        self._half, self._unbounded = 2 ** (config.bits - 1), config.quantiser == "rounded"
        self._kinds = kinds.tolist()
        costs = _leaf_costs(probabilities / _UNIT, config.bits)
        self._costs = _smoothed(costs) if smooth else costs

    def bits(self, latents: Tensor) -> Tensor:
        """Of all (channels, h, w) latents together."""
        rounded = latents.detach().round()
        found = [self._plane(number, plane, rounded[number]) for number, plane in enumerate(latents)]
        return torch.stack(found).sum()

    def _plane(self, number: int, plane: Tensor, rounded: Tensor) -> Tensor:
        found = measure(self._kinds[number], rounded[None])[0]
        limits = self._limits[number].to(plane.device)
        costs = self._costs[number].to(plane.device)[torch.bucketize(found, limits, right=True)]
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
