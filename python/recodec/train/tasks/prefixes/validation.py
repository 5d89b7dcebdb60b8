"""What a latent network codes a picture to, chunk by chunk, by estimated rates."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from recodec.eval.metrics import Pixels
from recodec.networks.latent.network import Known, LatentNetwork
from recodec.train.tasks.prefixes.schedule import plane_bits
from recodec.train.tasks.rate_distortion.curves import Code, padded, to_picture


def code_prefixes(network: LatentNetwork) -> Code:
    """Estimated bits per pixel, and the pixels that would be shown."""

    def code(original: Pixels) -> Iterator[tuple[float, Pixels]]:
        index = network.analyse(padded(original))
        spent = torch.stack([plane_bits(index, plane) for plane in range(network.config.planes)], 1)
        bits = 0.0
        for number, chunk in enumerate(network.planes.chunks):
            bits += float(spent[chunk.channels, chunk.planes].sum())
            known = Known(network.planes.prefix(index, number + 1), number + 1)
            yield bits / original[..., 0].size, to_picture(network.synthesise(known), original)

    return code
