"""What a latent network codes a picture to, chunk by chunk, by rates that are estimated or an entropy network's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from recodec.eval.metrics import Pixels
from recodec.networks.latent.network import Known, LatentNetwork
from recodec.train.tasks.prefixes.schedule import plane_bits
from recodec.train.tasks.rate_distortion.curves import Code, padded, to_picture


def code_prefixes(network: LatentNetwork, bits: Callable[[Tensor, int], float] | None = None) -> Code:
    """Bits per pixel, and the pixels that would be shown.

    ``bits`` are those of a chunk of whole indices (1, channels, h, w); by default they are estimated.
    """

    def code(original: Pixels) -> Iterator[tuple[float, Pixels]]:
        index = network.analyse(padded(original))
        of_chunk = bits or estimated_bits(network, index)
        sent = 0.0
        for number in range(network.iterations):
            sent += of_chunk(index, number)
            known = Known(network.planes.prefix(index, number + 1), number + 1)
            yield sent / original[..., 0].size, to_picture(network.synthesise(known), original)

    return code


def estimated_bits(network: LatentNetwork, index: Tensor) -> Callable[[Tensor, int], float]:
    """Bits of a chunk of whole indices (N, channels, h, w) without context."""
    spent = torch.stack([plane_bits(index, plane) for plane in range(network.config.planes)], 1)

    def bits(_: Tensor, number: int) -> float:
        chunk = network.planes.chunks[number]
        return float(spent[chunk.channels, chunk.planes].sum())

    return bits
