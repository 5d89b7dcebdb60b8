"""What an error of each latent does to the distortion, measured around the transform's own quantisers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from recodec.networks.latent.levels import TransformNetwork

_DRAWS, _CROPS_AT_ONCE = 4, 16
# In steps: about as far as rounding moves a latent.
_DISTANCE = 0.5
# Less would say that a channel can be left out for nothing, which no finite sample can tell.
_LEAST = 0.02


def curvatures(
    network: TransformNetwork,
    pixels: Tensor,
    distortion: Callable[[Tensor, Tensor], Tensor],
    seed: int,
) -> Tensor:
    """Distortion per squared error of a latent, (levels, channels), of pictures whose pixels count one each.

    Half the diagonal of the Hessian at each level's quantised latents, from sample crops (N, 3, H, W): an error v of
    random signs changes the gradient by H·v, and v·(H·v) is the diagonal in the mean (Hutchinson 1990). ``distortion``
    gives that of each picture.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for level in range(network.config.levels):
        total = torch.zeros(network.config.channels, dtype=torch.float64)
        positions = 0
        for crops in torch.split(pixels, _CROPS_AT_ONCE):
            levels = torch.full((len(crops),), level)
            steps = network.levels.steps(levels).detach()
            with torch.no_grad():
                latents = (network.analyse(crops) / steps).round() * steps
            for _ in range(_DRAWS):
                signs = torch.randint(0, 2, latents.shape, generator=generator).float() * 2 - 1
                error = _DISTANCE * steps * signs
                change = _gradient(network, crops, latents + error, levels, distortion)
                change -= _gradient(network, crops, latents - error, levels, distortion)
                # The gradient of the sum over pixels changes by 2·H·v.
                total += (change * error / (4 * error.square())).sum((0, 2, 3), dtype=torch.float64)
                positions += latents[:, 0].numel()
        rows.append(total / positions)
    found = torch.stack(rows).float()
    return torch.maximum(found, _LEAST * found.clamp_min(0).mean(1, keepdim=True))


def _gradient(
    network: TransformNetwork,
    pixels: Tensor,
    latents: Tensor,
    levels: Tensor,
    distortion: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    latents = latents.detach().requires_grad_(True)
    found = distortion(network.synthesise(latents, levels), pixels).sum() * pixels[0, 0].numel()
    return torch.autograd.grad(found, latents)[0]
