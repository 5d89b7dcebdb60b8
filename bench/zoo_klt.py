"""The floor that a network must beat: the KLT of patches, as a model like any other.

Principal components of the training pictures' patches, each in 6 bits over a range that errs least on them; a
convolution of analysis and one of synthesis say the same, so files are made as those of every other system.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.networks.autoencoder.network import Autoencoder
from recodec.ops.rearrange import depth_to_space
from recodec.train.tasks.autoencoder.fitting import fit_tables
from recodec.weights import save_model
from zoo_pictures import Pixels

BITS = 6
# Half of a coefficient's range in standard deviations.
_RANGES = np.arange(1.5, 8.0, 0.25)


@dataclass(frozen=True)
class Floor:
    """So many coefficients of squares of so many pixels."""

    id: str
    side: int
    coefficients: int


FLOORS = (Floor("klt-4", 4, 4), Floor("klt-8", 8, 16))


def save_floor(floor: Floor, training: Pixels, folder: Path) -> None:
    """Find the components of N×H×W×3 pictures, whose sides are multiples of the square's, and write the model."""
    side, count = floor.side, floor.coefficients
    pixels = torch.from_numpy(training).permute(0, 3, 1, 2).float() / 255 - 0.5
    patches = (
        pixels.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * side**2)
    )
    mean = patches.mean(0)
    centred = (patches - mean).double()
    _, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    basis = vectors.flip(1)[:, :count].T
    values = basis @ centred.T
    half = torch.stack([_best_range(component) for component in values])
    network = Autoencoder(
        AutoencoderConfig.from_dict(
            {
                "quantiser": "unit",
                "bits": BITS,
                # An odd kernel whose right lower part is the square.
                "analysis": [{"kind": "conv", "width": count, "kernel": 2 * side - 1, "factor": side}],
                "synthesis": [
                    {"kind": "conv", "width": 3 * side**2, "kernel": 1},
                    {"kind": "shuffle", "factor": side},
                ],
            }
        )
    )
    analysis: Any = network.get_submodule("analysis.0.0")
    synthesis: Any = network.get_submodule("synthesis.0.0")
    with torch.no_grad():
        scaled = (basis / (2 * half[:, None])).float()
        analysis.weight.zero_()
        analysis.weight[:, :, side - 1 :, side - 1 :] = scaled.reshape(count, 3, side, side)
        analysis.bias.copy_(-scaled @ mean)
        # Which pixel of the square a feature becomes.
        features = torch.eye(3 * side**2)[..., None, None]
        pixel_of = depth_to_space(features, side).flatten(1).argmax(1)
        synthesis.weight.copy_((basis * 2 * half[:, None]).T.float()[pixel_of][..., None, None])
        synthesis.bias.copy_(mean[pixel_of])
    network.half().float().eval().requires_grad_(False)
    fit_tables(network, network.quantise(network.analyse(pixels)), 0, 0)
    save_model(folder / f"{floor.id}.safetensors", network, {"made": "by bench/zoo_klt.py"})


def _best_range(values: torch.Tensor) -> torch.Tensor:
    """Half of the range that errs least, by what is cut off and what is rounded."""
    steps = 2**BITS - 1

    def error(half: torch.Tensor) -> float:
        share = (values / (2 * half) + 0.5).clamp(0, 1)
        shown = ((share * steps).round() / steps - 0.5) * 2 * half
        return float((shown - values).square().mean())

    halves: list[torch.Tensor] = list(values.std() * torch.from_numpy(_RANGES))
    return min(halves, key=error)
