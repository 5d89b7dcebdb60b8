"""The binarizer: real features to codes of −1 and +1, or of −1, 0 and +1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from recodec.networks.convolution import Projection
from recodec.ops.binarizer import ZONE_IN_TANH, binarize, signs, ternarize

# Not 0 in fp16 either.
_NARROWEST_ZONE = 1e-6


class Binarizer(nn.Module):
    """1×1 convolution, tanh, then one code per value. ``iterations`` as in :class:`Projection`.

    Where ``zones`` is above 0, there is a dead zone around 0 with a width for each of so many iterations:
    most codes are 0 and cost next to nothing, as the zeros of a quantised transform do. A sign costs a bit
    whatever it tells, so that sources with heavy tails, as images are, lose up to 3 dB by signs alone.
    """

    dead_zone: Tensor | None

    def __init__(self, width_in: int, depth: int, iterations: int | None = None, zones: int = 0):
        super().__init__()
        self.conv = Projection(width_in, depth, iterations)
        self.register_buffer("dead_zone", torch.full((zones,), 0.5) if zones else None)

    def forward(self, x: Tensor, iteration: int) -> Tensor:
        """Codes for inference: (N, width_in, h, w) to (N, depth, h, w)."""
        zone = None if self.dead_zone is None else self._zone(iteration)
        return binarize(x, *self.conv.at(iteration), zone=zone)

    def _zone(self, iteration: int) -> Tensor:
        assert self.dead_zone is not None
        return self.dead_zone[min(iteration, len(self.dead_zone) - 1)]

    def train_codes(
        self,
        x: Tensor,
        iteration: int,
        noise: Callable[[torch.Size], Tensor] | None = None,
        density: float | None = None,
    ) -> Tensor:
        """Codes whose gradient is that of tanh (straight through the rounding).

        ``noise`` gives values for a shape. Uniform in [−1, 1], it makes the codes +1 with probability
        (1 + y)/2, so that their mean is y; Toderici et al. 2016, section 3.2. With a dead zone there is no
        noise; ``density`` is the share of codes that are not 0, those with the largest features of all.
        """
        features = self.conv(x, iteration)
        if self.dead_zone is None:
            y = torch.tanh(features)
            codes = signs(y if noise is None else y + noise(y.shape))
        else:
            zone = self._zone(iteration) if density is None else dead_zone_for(features, density)
            # The zone follows the features, so nothing else would keep them where tanh is steep.
            y = torch.tanh(features * (ZONE_IN_TANH / zone))
            codes = ternarize(features, zone)
        return y + (codes - y).detach()


def density_at(density: Sequence[float], iteration: int) -> float:
    """The density of an iteration, counted from 0; later ones share the last."""
    return density[min(iteration, len(density) - 1)]


def dead_zone_for(features: Tensor, density: float) -> Tensor:
    """The width beyond which the share ``density`` of all features lies; above 0 even where they are all 0."""
    magnitudes = features.detach().abs().flatten()
    zone = magnitudes.kthvalue(max(1, round((1 - density) * len(magnitudes)))).values
    return zone.clamp_min(_NARROWEST_ZONE)
