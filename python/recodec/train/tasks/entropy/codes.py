"""What an entropy network learns from: codes of a frozen model, whole and in windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec.errors import ImageError
from recodec.families.recurrent.encoder import TILE_SIDE
from recodec.networks.plane_network import PlaneNetwork
from recodec.runtime.samples import Samples
from recodec.runtime.states import Workplace
from recodec.runtime.tiled_network import TiledEncoder
from recodec.runtime.tiling import grid_shape, plan_tiles
from recodec.train.data.photographs import Photographs

# Photographs give this much at most, so that one does not outweigh the others.
_MOST_PIXELS = 640
# The share that is shrunk, for what the others have lost to their own JPEG coding, and by what.
_SHRUNK, _SCALE, _LEAST_PIXELS = 0.3, (0.5, 0.9), 64
# How far outside windows may be drawn, in positions, so that the picture's border is not rare.
_OVERHANG = 4


class Coded(NamedTuple):
    """Size of a picture in pixels, and its codes (T, D, h, w)."""

    width: int
    height: int
    codes: NDArray[np.int8] | NDArray[np.int16]


@torch.inference_mode()
def code_picture(network: PlaneNetwork, image: Image.Image, device: torch.device) -> Coded:
    """Codes of all iterations, as :meth:`recodec.Codec.encode` writes them."""
    rows, columns = grid_shape(image.width, image.height, network.stride)
    samples = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    encoder = TiledEncoder(
        network,
        Samples(samples, network.stride, device),
        plan_tiles(rows, columns, network.reach.decoder, TILE_SIDE),
        Workplace(device, torch.float32),
    )
    return Coded(image.width, image.height, np.stack(list(encoder.planes(network.iterations))))


def first_readable(photographs: Photographs, count: int) -> list[Image.Image]:
    """Up to ``count`` photographs, whole. Raises :class:`ImageError` if none can be read."""
    found: list[Image.Image] = []
    for index in range(len(photographs)):
        if len(found) == count:
            break
        try:
            found.append(photographs.read(index))
        except ImageError:
            continue
    if not found:
        raise ImageError(f"none of {len(photographs)} photographs can be read")
    return found


def training_pictures(photographs: Photographs, count: int, seed: int) -> Iterator[Image.Image | None]:
    """``count`` photographs in random order, cut to 640×640 pixels, some shrunk; None for unreadable ones.

    Where there are fewer, they come again with other cuts. Number i is a pure function of (seed, i).
    """
    for number in range(count):
        turn, place = divmod(number, len(photographs))
        index = int(np.random.default_rng([seed, 0, turn]).permutation(len(photographs))[place])
        rng = np.random.default_rng([seed, 1, number])
        try:
            image = photographs.read(index)
        except ImageError:
            yield None
            continue
        if rng.random() < _SHRUNK:
            factor = rng.uniform(*_SCALE)
            width, height = (max(min(side, _LEAST_PIXELS), round(side * factor)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        left, top = (int(rng.integers(max(0, side - _MOST_PIXELS) + 1)) for side in image.size)
        right, bottom = min(image.width, left + _MOST_PIXELS), min(image.height, top + _MOST_PIXELS)
        yield image.crop((left, top, right, bottom))


@dataclass(frozen=True, slots=True)
class Border:
    """What a window does not count where it ends within a picture, as the network lacks its surroundings there."""

    top: int
    side: int
    bottom: int


def draw_windows(
    coded: Sequence[Coded], count: int, size: int, border: Border, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Random windows (N, T, D, h, w) of ``size`` positions or the smallest picture drawn, and 1 for what counts.

    Beyond a picture there is what networks pad with, so no window reaches there.
    """
    chosen = [coded[int(rng.integers(len(coded)))].codes for _ in range(count)]
    shape = tuple(min(size, *(codes.shape[axis] for codes in chosen)) for axis in (2, 3))
    windows, counts = [], torch.ones(count, *shape)
    for codes, weight in zip(chosen, counts, strict=True):
        room = [codes.shape[axis] - side for axis, side in zip((2, 3), shape, strict=True)]
        y, x = (min(max(0, int(rng.integers(-_OVERHANG, most + _OVERHANG + 1))), most) for most in room)
        windows.append(codes[:, :, y : y + shape[0], x : x + shape[1]])
        if y > 0:
            weight[: border.top] = 0
        if x > 0:
            weight[:, : border.side] = 0
        if y < room[0] and border.bottom:
            weight[-border.bottom :] = 0
        if x < room[1]:
            weight[:, -border.side :] = 0
    return torch.from_numpy(np.stack(windows)).float(), counts
