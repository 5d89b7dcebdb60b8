"""Latents of one picture, moved by gradients through the decoder: fewer bits for as good a picture, in every prefix.

Analysis has learned what is best on average; the picture at hand can be asked. What counts is, at prefixes that are
drawn anew in each step, (rate + λ · distortion) / rate, where λ is the slope of the picture's own curve there: by how
much of itself a file of that quality shrinks. Rates follow from what the entropy model expects of each code, and both
terms from a quantiser made soft, ever less so as steps go on (Yang et al. 2020, "Improving inference for neural image
compression", anneals too, for one rate).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.distortion import measure
from recodec.networks.latent.network import LatentNetwork

# Of squared error and of 1 − MS-SSIM in the distortion.
_SHARES = 0.5, 0.5
# Prefixes of fewer chunks are of a few hundred bytes.
_FIRST_SHARE = 0.2
_POINTS, _ROWS_A_STEP = 6, 4
# In thresholds of the lowest plane a step, for a hundred steps, and what fewer steps may add up to.
_RATE, _STEPS_OF_RATE, _MOST_RATE = 0.02, 100, 0.05
# Of the quantiser, in widths of its intervals, at the first step and at the last.
_SOFT, _HARD = 0.2, 0.05
# What the entropy model expects changes little from step to step.
_STEPS_A_COST = 10


class Curve(NamedTuple):
    """Bits of each chunk of a picture, and its distortion after some numbers of chunks, summed over pixels."""

    bits: np.ndarray
    distortion: np.ndarray


class Goal(NamedTuple):
    """Of each number of chunks: bits of the whole picture, and what its distortion costs in bits."""

    bits: np.ndarray
    lambdas: np.ndarray

    def of(self, curve: Curve, counts: Sequence[int]) -> np.ndarray:
        """What is to be small, at some numbers of chunks."""
        rows = np.array(counts) - 1
        bits = np.cumsum(curve.bits)[rows] + self.lambdas[rows] * curve.distortion
        found: np.ndarray = bits / self.bits[rows]
        return found


class LatentSearch:
    """A model's decoder and entropy model, to ask what changes of a picture's latents are worth."""

    def __init__(self, network: LatentNetwork, entropy: EmbeddedEntropyModel, dtype: torch.dtype):
        # Weights that were loaded in inference mode know no gradients; copies of them do.
        self._network = copy.deepcopy(network).requires_grad_(False).compute_in(torch.float32)
        self._quick = copy.copy(self._network).compute_in(dtype)
        self._entropy = entropy.requires_grad_(False).to(network.scale.device)
        chunks = network.iterations
        first = max(1, round(_FIRST_SHARE * chunks))
        self.counts = sorted({round(count) for count in np.linspace(first, chunks, _POINTS)})

    def distortion(self, index: Tensor, pixels: Tensor) -> np.ndarray:
        """Of indices (1, channels, h, w) and pixels (1, 3, 16·h, 16·w) after :attr:`counts`, summed over pixels."""
        planes, area = self._network.planes, pixels[0, 0].numel()
        found = []
        for count in self.counts:
            values = planes.values(planes.prefix(index, count), count)
            shown = _show(self._network, values, count)
            found.append(float(measure(shown, pixels, _SHARES).distortion) * area)
        return np.array(found)

    def goal(self, curve: Curve) -> Goal:
        """What bits and distortion are to be weighed by, from the curve of the whole picture as it is."""
        bits = np.cumsum(curve.bits).clip(1)
        at = np.array(self.counts) - 1
        if len(at) == 1:
            return Goal(bits, np.full(len(bits), bits[at[0]] / max(curve.distortion[0], 1e-12)))
        fallen = np.maximum(-np.diff(curve.distortion), 1e-9 * curve.distortion[0] + 1e-12)
        slopes = np.maximum.accumulate(np.diff(bits[at]).clip(1) / fallen)
        middles = np.sqrt(bits[at][1:] * bits[at][:-1])
        return Goal(bits, np.exp(np.interp(np.log(bits), np.log(middles), np.log(slopes))))

    def refine(
        self,
        pixels: Tensor,
        goal: Goal,
        steps: int,
        seed: int = 0,
        progress: Callable[[float], object] = lambda share: None,
    ) -> Tensor:
        """Indices (1, channels, h, w) that serve the goal better than those of the analysis, after so many steps.

        ``progress`` is told the share of the steps that are done, after each.
        """
        latents = self._network.latents(pixels)
        planes = self._network.planes
        threshold = planes.threshold[:, None, None]
        moved = torch.zeros_like(latents, requires_grad=True)
        rate = min(_RATE * _STEPS_OF_RATE / steps, _MOST_RATE)
        optimiser = torch.optim.Adam([moved], rate, betas=(0.9, 0.99))
        generator = torch.Generator().manual_seed(seed)
        first, area = self.counts[0], pixels[0, 0].numel()
        costs: list[tuple[Tensor, Tensor]] = []
        for step in range(steps):
            left = 1 - step / steps
            optimiser.param_groups[0]["lr"] = rate * left
            softness = _HARD + (_SOFT - _HARD) * left
            now = (latents + threshold * moved).detach()
            index = planes.index(now)
            if step % _STEPS_A_COST == 0:
                costs = [self._entropy.crossing_bits(index, chunk) for chunk in range(len(planes.chunks))]
            places = torch.rand(_ROWS_A_STEP, generator=generator) + torch.arange(_ROWS_A_STEP)
            span = planes.count - first + 1
            counts = [first + int(place * span / _ROWS_A_STEP) for place in places.tolist()]
            gradient = torch.zeros_like(now)
            for chunk, cost in enumerate(costs):
                if weight := sum(1 / float(goal.bits[count - 1]) for count in counts if count > chunk):
                    gradient += weight * planes.pull(now, cost, chunk, softness)
            for count in counts:
                weight = area * float(goal.lambdas[count - 1] / goal.bits[count - 1])
                gradient += weight * self._pull_of_distortion(now, index, pixels, count, softness)
            moved.grad = gradient * threshold
            optimiser.step()
            progress((step + 1) / steps)
        return planes.index((latents + threshold * moved).detach())

    def _pull_of_distortion(
        self, latents: Tensor, index: Tensor, pixels: Tensor, count: int, softness: float
    ) -> Tensor:
        planes = self._network.planes
        values = planes.values(planes.prefix(index, count), count).requires_grad_()
        with torch.enable_grad():
            found = measure(_show(self._quick, values, count), pixels, _SHARES)
            (pull,) = torch.autograd.grad(found.distortion.sum(), values)
        return pull * planes.slopes(latents, count, softness)


def _show(network: LatentNetwork, values: Tensor, count: int) -> Tensor:
    rows = torch.full((len(values),), count - 1, device=values.device)
    return network.show(values, rows).float()
