"""Integer tables of latents, counted in samples."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from recodec.networks.autoencoder.network import Autoencoder
from recodec.networks.autoencoder.tables import MAGNITUDES, NONE, VALUES, measure

# What is added to counts of zeros and ones, so that nothing is impossible.
_PRIOR = 0.4

# (N, h, w) of one plane.
_Plane = NDArray[np.int64]


@torch.no_grad()
def fit_tables(network: Autoencoder, latents: torch.Tensor, stage: int, level: int) -> None:
    """Set a stage's tables from (N, channels, h, w) whole numbers: contexts that save most, and what they were."""
    found = [_fitted(plane, network.config.bits, network.config.contexts) for plane in _planes(latents)]
    kinds, limits, probabilities = (np.stack(part) for part in zip(*found, strict=True))
    network.tables.put(
        level, stage, torch.from_numpy(kinds), torch.from_numpy(limits), torch.from_numpy(probabilities)
    )


def _planes(latents: torch.Tensor) -> list[_Plane]:
    return list(latents.cpu().numpy().astype(np.int64).transpose(1, 0, 2, 3))


def _fitted(plane: _Plane, bits: int, contexts: int) -> tuple[NDArray[np.int64], ...]:
    half = 1 << (bits - 1)
    paths = np.clip(plane, -half, half - 1) + half
    best: tuple[float, tuple[NDArray[np.int64], ...]] | None = None
    for kind in (NONE, VALUES, MAGNITUDES):
        found = measure(kind, torch.from_numpy(plane)).numpy()
        limits = _limits(found, contexts)
        context = np.searchsorted(limits, found, side="right")
        counts = np.zeros((contexts, 1 << bits), np.int64)
        np.add.at(counts, (context.ravel(), paths.ravel()), 1)
        probabilities, cost = _probabilities(counts, bits)
        if best is None or cost < best[0]:
            best = cost, (np.array(kind), limits, probabilities)
    assert best is not None
    return best[1]


def _limits(found: _Plane, contexts: int) -> NDArray[np.int64]:
    """Between contexts that have about equally many latents."""
    if contexts == 1:
        return np.zeros(0, np.int64)
    shares = np.arange(1, contexts) / contexts
    return np.quantile(found, shares, method="higher").astype(np.int64)


def _probabilities(counts: NDArray[np.int64], bits: int) -> tuple[NDArray[np.int64], float]:
    """Of a one at each node, in units of 2^−16, and the bits that the counted latents take by them."""
    contexts, leaves = counts.shape
    visits = np.zeros((contexts, 2 * leaves))
    visits[:, leaves:] = counts
    for node in range(leaves - 1, 0, -1):
        visits[:, node] = visits[:, 2 * node] + visits[:, 2 * node + 1]
    inner = np.arange(1, leaves)
    ones, zeros = visits[:, 2 * inner + 1], visits[:, 2 * inner]
    share = (ones + _PRIOR) / (ones + zeros + 2 * _PRIOR)
    found = np.full((contexts, leaves), 32768, np.int64)
    found[:, 1:] = np.clip(np.rint(share * 65536), 16, 65520)
    chosen = found[:, 1:] / 65536
    return found, float(-(ones * np.log2(chosen) + zeros * np.log2(1 - chosen)).sum())
