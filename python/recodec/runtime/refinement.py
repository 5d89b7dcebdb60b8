"""The analysis of a seamless network, refined by a search through its decoder, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.networks.latent.search import Curve, LatentSearch
from recodec.networks.plane_network import PlaneNetwork
from recodec.runtime.samples import Samples
from recodec.runtime.seamless import analyse
from recodec.runtime.states import Workplace
from recodec.runtime.tiling import Tile, plan_tiles

# Positions along a window's side: gradients take some kilobytes for each of its pixels.
_SIDE = 64


def refine(
    network: PlaneNetwork,
    samples: Samples,
    rows: int,
    columns: int,
    place: Workplace,
    *,
    search: LatentSearch,
    bits: Callable[[Tensor], np.ndarray],
    steps: int,
    progress: Callable[[float], object] | None = None,
) -> Tensor:
    """Indices (1, channels, rows, columns): those of the analysis, unless the search's are better in every prefix.

    ``bits`` are those of each chunk of such indices. ``progress`` is told the share that is done, up to 1; what it
    raises ends the search.
    """
    plain = analyse(network, samples, rows, columns, place)
    halo = max(network.reach)
    tiles = list(plan_tiles(rows, columns, halo, _SIDE).tiles())

    def windows() -> Iterator[tuple[Tile, Tensor]]:
        for tile in tiles:
            yield tile, samples.pixels(tile.window)[None].clone()
            _core.release_free_memory()

    def curve(index: Tensor) -> Curve:
        errors = [search.distortion(tile.window.of(index), pixels) for tile, pixels in windows()]
        return Curve(bits(index), np.sum(errors, 0))

    # The caller's inference mode has no gradients.
    with torch.inference_mode(False), torch.no_grad():
        plain = plain.clone()
        before = curve(plain)
        goal = search.goal(before)
        found = torch.empty_like(plain)
        for number, (tile, pixels) in enumerate(windows()):

            def told(share: float, done: int = number) -> None:
                if progress is not None:
                    progress((done + share) / len(tiles))

            tile.core.of(found)[:] = tile.inner.of(search.refine(pixels, goal, steps, progress=told))
        after = curve(found)
    better = goal.of(after, search.counts) <= goal.of(before, search.counts)
    return found if np.all(better) else plain
