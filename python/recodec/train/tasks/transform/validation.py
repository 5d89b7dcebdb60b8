"""What a transform codes a picture to at each level, by estimated rates."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from recodec.eval.metrics import Pixels
from recodec.networks.latent.context import TransformContext
from recodec.networks.latent.levels import TransformNetwork
from recodec.train.tasks.rate_distortion.curves import Code, padded, to_picture


def code_at_levels(network: TransformNetwork, context: TransformContext) -> Code:
    """Estimated bits per pixel, and the pixels that would be shown."""

    def code(original: Pixels) -> Iterator[tuple[float, Pixels]]:
        latents = network.analyse(padded(original))
        for level in range(network.config.levels):
            levels = torch.tensor([level])
            steps = network.levels.steps(levels)
            rounded = (latents / steps).round() * steps
            bits = float(context(rounded, steps, levels))
            yield bits / original[..., 0].size, to_picture(network.synthesise(rounded, levels), original)

    return code
