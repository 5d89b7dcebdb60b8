"""What codes cost, for an encoder that learns: gradients of distortion and of bits through quantisers made soft."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recodec.errors import TrainingError
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.network import LatentNetwork
from recodec.networks.latent.planes import EmbeddedPlanes
from recodec.weights import load_model

# Of a quantiser, in widths of its intervals.
_SOFTNESS = 0.15
# Chunks of a crop that are asked for in a step, in the place of all.
_CHUNKS = 3


class CodeCosts:
    """The entropy network of a model, by id or file, asked for a few chunks at a time.

    Raises :class:`WeightsError`, and :class:`TrainingError` for a model without such a network.
    """

    def __init__(self, model: str, device: torch.device):
        found = load_model(model)
        if not isinstance(found.network, LatentNetwork) or not found.tables:
            raise TrainingError(f"model {found.id} has no entropy network of embedded planes to tell costs")
        self._model = found.id
        self._planes = found.network.planes.to(device)
        self._entropy = EmbeddedEntropyModel.from_tables(self._planes, found.tables).requires_grad_(False)
        self._entropy.to(device).eval()

    def check(self, planes: EmbeddedPlanes) -> None:
        """Raise :class:`TrainingError` unless costs are of these planes."""
        if not torch.equal(planes.chunk_of, self._planes.chunk_of):
            raise TrainingError(f"the planes of {self._model}, which tells costs, are in another order")

    @torch.no_grad()
    def bits(self, index: Tensor, chunk: int) -> float:
        """Of a chunk of whole indices (1, channels, h, w)."""
        return float(self._entropy.bits(index, chunk).sum())

    @torch.no_grad()
    def slopes(self, planes: EmbeddedPlanes, latents: Tensor, counts: Sequence[int]) -> Tensor:
        """How what is shown of each crop (N, channels, h, w) after its number of chunks grows with its latents."""
        return torch.cat(
            [planes.slopes(latents[i : i + 1], count, _SOFTNESS) for i, count in enumerate(counts)]
        )

    @torch.no_grad()
    def pull(
        self,
        planes: EmbeddedPlanes,
        latents: Tensor,
        index: Tensor,
        counts: Sequence[int],
        generator: np.random.Generator,
    ) -> Tensor:
        """How the bits of each crop's chunks grow with its latents, (N, channels, h, w), estimated from a few."""
        found = torch.zeros_like(latents)
        for i, count in enumerate(counts):
            drawn = generator.permutation(count)[:_CHUNKS].tolist()
            for chunk in drawn:
                costs = self._entropy.crossing_bits(index[i : i + 1], chunk)
                found[i : i + 1] += (
                    count / len(drawn) * planes.pull(latents[i : i + 1], costs, chunk, _SOFTNESS)
                )
        return found
