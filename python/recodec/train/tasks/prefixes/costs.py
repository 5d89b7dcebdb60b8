"""What codes cost, for an encoder that learns: gradients of distortion and of bits through quantisers made soft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from recodec.errors import TrainingError
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.network import LatentNetwork
from recodec.networks.latent.planes import EmbeddedPlanes
from recodec.weights import Model, load_model

# Of a quantiser, in widths of its intervals.
_SOFTNESS = 0.15
# From which the entropy network learns in a step.
_CHUNKS = 2


class CodeCosts(nn.Module):
    """The entropy network of a model, by id or file, which learns on as the codes change.

    Raises :class:`WeightsError`, and :class:`TrainingError` for a model without such a network.
    """

    rates: Tensor

    def __init__(self, model: str, device: torch.device):
        super().__init__()
        found = load_model(model)
        if not isinstance(found.network, LatentNetwork) or not found.tables:
            raise TrainingError(f"model {found.id} has no entropy network of embedded planes to tell costs")
        self._model = found.id
        planes = found.network.planes.to(device)
        self._chunk_of = planes.chunk_of
        self.entropy = EmbeddedEntropyModel.from_tables(planes, found.tables)
        self.entropy.rounding = True
        # Of all chunks up to each, which its bits count against.
        self.register_buffer("rates", torch.ones(planes.count))

    def check(self, planes: EmbeddedPlanes) -> None:
        """Raise :class:`TrainingError` unless costs are of these planes."""
        if not torch.equal(planes.chunk_of.cpu(), self._chunk_of.cpu()):
            raise TrainingError(f"the planes of {self._model}, which tells costs, are in another order")

    def take_from(self, start: Model) -> bool:
        """Go on with the entropy network of what a run starts from, which learned with its codes; whether it has one.

        One of other widths is left. Raises :class:`TrainingError` like :meth:`check`.
        """
        assert isinstance(start.network, LatentNetwork)
        self.check(start.network.planes)
        if not start.tables:
            return False
        own = EmbeddedEntropyModel.from_tables(start.network.planes, start.tables)
        if own.bias.shape != self.entropy.bias.shape or own.inner_bias.shape != self.entropy.inner_bias.shape:
            return False
        self.entropy.load_state_dict(own.state_dict())
        return True

    def averaged(
        self, state: Mapping[str, Tensor], prefix: str, planes: EmbeddedPlanes
    ) -> EmbeddedEntropyModel:
        """The entropy network with the weights that ``state`` has under ``prefix``, as it is shipped."""
        network = EmbeddedEntropyModel(planes, self.entropy.bias.shape[1], self.entropy.inner_bias.shape[1])
        start = f"{prefix}entropy."
        network.load_state_dict(
            {name.removeprefix(start): value.cpu() for name, value in state.items() if name.startswith(start)}
        )
        network.rounding = True
        return network.requires_grad_(False).eval()

    @torch.no_grad()
    def bits(self, index: Tensor, chunk: int) -> float:
        """Of a chunk of whole indices (N, channels, h, w)."""
        return float(self.entropy.bits(index, chunk).sum())

    def learn(self, index: Tensor, generator: np.random.Generator) -> Tensor:
        """The entropy network's loss: bits per position of a few chunks, each against the rate of all up to it."""
        chunks = len(self.rates)
        drawn = generator.permutation(chunks)[:_CHUNKS].tolist()
        # Around a crop nothing is known; around most positions of a picture it is.
        inner = slice(1, -1) if min(index.shape[2:]) > 2 else slice(None)
        parts = [
            self.entropy.bits(index, chunk)[:, inner, inner].mean() / self.rates[chunk] for chunk in drawn
        ]
        return torch.stack(parts).mean()

    @torch.no_grad()
    def slopes(self, planes: EmbeddedPlanes, latents: Tensor, counts: Sequence[int]) -> Tensor:
        """How what is shown of each crop (N, channels, h, w) after its number of chunks grows with its latents."""
        return torch.cat(
            [planes.slopes(latents[i : i + 1], count, _SOFTNESS) for i, count in enumerate(counts)]
        )

    def pull(self, planes: EmbeddedPlanes, latents: Tensor, index: Tensor, counts: Sequence[int]) -> Tensor:
        """How the bits of each crop's chunks grow with its latents, (N, channels, h, w).

        Of all chunks: what passing an edge costs in one is largely saved in the next, and a few that are drawn
        have four times the variance of the sum.
        """
        found = torch.zeros_like(latents)
        with self.entropy.rounded_once():
            for chunk in range(max(counts)):
                held = torch.tensor(
                    [i for i, count in enumerate(counts) if count > chunk], device=index.device
                )
                costs = self.entropy.crossing_bits(index[held], chunk)
                found.index_add_(0, held, planes.pull(latents[held], costs, chunk, _SOFTNESS))
        return found
