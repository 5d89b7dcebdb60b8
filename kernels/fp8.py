"""Weights of 8 bits for the cells' kernels: float8 e4m3 of Micikevicius et al. 2022, with a scale for every row.

An experiment that no operator takes part in yet: ``bench/number_types.py`` says what it does to pictures,
``bench/fp8.py`` what to time. The feature maps keep their type in memory and are rounded where they are multiplied,
without a scale. Wants a GPU of capability 8.9 or more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import torch
from recodec.kernels.tuning import Specimen, Tiles
from torch import Tensor

TYPE = torch.float8_e4m3fn

# Before it, GPUs have no such products.
LEAST_CAPABILITY = 89

# What such a product has at least: fewer positions, and Hopper multiplies 16 bits instead.
_PIXELS, _INPUTS = 64, 32


def quantise(*weights: Tensor) -> tuple[list[Tensor], Tensor]:
    """Weights (rows, …) in 8 bits, channels_last, and the float32 scales (rows,) that they are to be multiplied by.

    Rows of the same number are summed before they are scaled, so that they share one.
    """
    shape = (-1, *[1] * (weights[0].dim() - 1))
    peaks = torch.stack([weight.float().abs().flatten(1).amax(1) for weight in weights]).amax(0)
    scale = (peaks / torch.finfo(TYPE).max).clamp_min(torch.finfo(torch.float32).tiny)
    rounded = [(weight.float() / scale.view(shape)).to(TYPE) for weight in weights]
    return [weight.contiguous(memory_format=torch.channels_last) for weight in rounded], scale


def quantise_gru(weight: Tensor, hidden: Tensor, candidate: Tensor) -> tuple[list[Tensor], Tensor]:
    """Those of a GRU: ``hidden`` and ``candidate`` go with the rows z, r and candidate of ``weight``."""
    (weight, states), scale = quantise(weight, torch.cat([hidden, candidate]))
    return [weight, states[: len(hidden)], states[len(hidden) :]], scale


def tiles_of(tiles: Tiles) -> Tiles:
    """The next tiles that products of 8 bits can have."""
    return replace(tiles, pixels=max(_PIXELS, tiles.pixels), inputs=max(_INPUTS, tiles.inputs))


def specimens() -> Iterator[Specimen]:
    """The cells in bfloat16 with weights of 8 bits; paths around a GRU stay as they are."""
    # Quantising needs no Triton.
    from recodec.kernels import conv_gru, conv_lstm

    weights = ("weight", "hidden_weight", "candidate_weight")
    for specimen in chain(conv_lstm.specimens(), conv_gru.specimens()):
        if "bfloat16" not in specimen.name.split():
            continue
        signature = {
            name: "*fp8e4nv:16" if name in weights else kind for name, kind in specimen.signature.items()
        }
        yield specimen._replace(
            name=specimen.name.replace("bfloat16", "float8"),
            signature=signature | {"scale": "*fp32:16"},
            tiles=tiles_of(specimen.tiles),
            capability=LEAST_CAPABILITY,
        )
