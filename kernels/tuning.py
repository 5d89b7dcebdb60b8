"""Block sizes of the kernels: measured ones from ``configs/``, else a guess from the shape.

``configs/<operator>,device_name=<gpu>.json`` is reviewed data, written by ``python -m recodec.kernels.tuner.tune``. The
name of the GPU is in that of the file, so what was measured on one never reaches another. Nothing is
searched while a program runs, so every run uses the same tiles. Importing this needs no Triton.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from recodec.io import outputs

if TYPE_CHECKING:
    import torch

CONFIGS = Path(__file__).parent / "configs"

# As Triton calls them.
TYPE_NAMES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}

# Beyond a sum of so many doublings over all sizes, what was measured says little about a shape.
_FARTHEST = 6.0

# Where they are not one.
_ACCUMULATORS = {
    "conv_lstm_step": 4,
    "conv_gru_gates": 2,
    "conv_gru_candidate": 2,
    # Two for products and, beside them, the new state and what it is made of.
    "residual_conv_gru_candidate": 4,
}

# Programs that keep a large GPU busy (an A100 has 108 multiprocessors, an H100 132).
_PROGRAMS = 108


@dataclass(frozen=True, slots=True)
class Tiles:
    """What one program computes: ``pixels`` by ``channels`` outputs, in steps of ``inputs`` input channels.

    All three are powers of two and at least 16, as ``tl.dot`` wants them. ``channels`` counts those of one gate.
    """

    pixels: int
    channels: int
    inputs: int
    warps: int = 4
    stages: int = 3

    def __post_init__(self) -> None:
        for name, least in {"pixels": 16, "channels": 16, "inputs": 16, "warps": 1, "stages": 1}.items():
            value = getattr(self, name)
            if value < least or (name != "stages" and value & (value - 1)):
                raise ValueError(
                    f"{name} of tiles is {value}; it must be a power of two and at least {least}"
                )

    def constants(self) -> dict[str, int]:
        """The block sizes as the kernels name them."""
        return {"PIXELS": self.pixels, "CHANNELS": self.channels, "INPUTS": self.inputs}

    def options(self) -> dict[str, int | bool]:
        """What Triton's compiler is told."""
        # Triton 3.10 would change its default, and 3.9 warns of that.
        return {"num_warps": self.warps, "num_stages": self.stages, "enable_fp_fusion": True}


class CompileCase(NamedTuple):
    """A kernel with everything that compiling it ahead of time takes; kernel files list theirs."""

    name: str
    function: Any
    # Types of the arguments that are no constants, such as "*fp16" or "i32"; ":16" after one that is a multiple.
    signature: Mapping[str, str]
    constants: Mapping[str, Any]
    tiles: Tiles
    # The least that a GPU must have, such as 89 for 8.9.
    capability: int = 80


def tiles_for(operator: str, shape: Mapping[str, int], dtype: torch.dtype, device: torch.device) -> Tiles:
    """The tiles to launch ``operator`` with.

    ``shape`` has "pixels" (of the output, over the whole batch), "channels" (of the output; of one gate if there
    are several) and "inputs" (input channels), and whatever else tells shapes apart ("kernel", "stride", …).
    The measured shape with the same names that is nearest on a logarithmic scale decides; if there is none
    for this GPU and number type, or only far ones, :func:`guess` does.
    """
    number_type = str(dtype).removeprefix("torch.")
    return _tiles_for(operator, tuple(sorted(shape.items())), number_type, _device_name(device))


@functools.lru_cache(maxsize=4096)
def _tiles_for(operator: str, shape: tuple[tuple[str, int], ...], dtype: str, device_name: str) -> Tiles:
    sizes = dict(shape)
    best, least = None, _FARTHEST
    for entry in load(operator, device_name):
        if entry["dtype"] == dtype and (away := distance(sizes, entry["shape"])) <= least:
            best, least = entry["tiles"], away
    return guess(operator, sizes, dtype) if best is None else Tiles(**best)


def distance(shape: Mapping[str, int], other: Mapping[str, int]) -> float:
    """How many doublings lie between two shapes, summed over their sizes; infinite if these differ in name."""
    if shape.keys() != other.keys():
        return math.inf
    return sum(abs(math.log2((1 + shape[name]) / (1 + other[name]))) for name in shape)


def accumulators(operator: str) -> int:
    """How many accumulators of pixels x channels a program of this operator holds."""
    return _ACCUMULATORS.get(operator, 1)


def guess(operator: str, shape: Mapping[str, int], dtype: str) -> Tiles:
    """Tiles that were not measured: safe on every GPU that Triton supports, not fast on each.

    The largest program that leaves enough of them to fill the GPU; its accumulators take at most half of the
    registers, and Hopper's tensor cores want 64 positions. In float32, which is multiplied without tensor
    cores, operands live in registers too.
    """
    gates = accumulators(operator)
    sizes: tuple[tuple[int, int, int], ...]
    sizes = ((128, 256, 8), (64, 256, 8), (64, 128, 4), (64, 64, 4), (32, 64, 4), (16, 64, 4))
    if dtype == "float32":
        sizes = ((64, 64, 8), (32, 64, 4), (32, 32, 4), (16, 32, 4))
    # The larger block where it does not add up to more than the smaller one.
    larger = dtype != "float32" and -shape["inputs"] % 32 < 16
    inputs = 32 if larger else 16
    for pixels, columns, warps in sizes:
        channels = max(16, min(columns // gates, _power_of_two(shape["channels"])))
        tiles = Tiles(pixels, channels, inputs, warps, 3)
        programs = math.ceil(shape["pixels"] / pixels) * math.ceil(shape["channels"] / channels)
        if programs >= _PROGRAMS:
            break
    return tiles


def _power_of_two(size: int) -> int:
    """The smallest power of two that is not below ``size``, and at least 16."""
    return max(16, 1 << (size - 1).bit_length())


@functools.cache
def _device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return device.type
    import torch

    return torch.cuda.get_device_name(device)


def path_of(operator: str, device_name: str, folder: Path = CONFIGS) -> Path:
    """Where the measured tiles of an operator on a GPU are."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", device_name)
    return folder / f"{operator},device_name={plain}.json"


@functools.cache
def load(operator: str, device_name: str, folder: Path = CONFIGS) -> tuple[dict[str, Any], ...]:
    """Measured entries {"shape", "dtype", "tiles", "microseconds"} of an operator on a GPU; () if there are none."""
    return _read(path_of(operator, device_name, folder))


def _read(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(path.read_text())["entries"]) if path.is_file() else ()


def save(
    operator: str,
    device_name: str,
    entries: Iterable[Mapping[str, Any]],
    versions: Mapping[str, str],
    folder: Path = CONFIGS,
) -> Path:
    """Write measured entries as :func:`load` returns them, over those of the same shapes and number types."""
    path = path_of(operator, device_name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    old = {_key(entry): entry for entry in _read(path)}
    merged = old | {_key(entry): dict(entry) for entry in entries}
    data = {"device": device_name, "versions": dict(versions), "entries": list(merged.values())}
    outputs.write(path, (json.dumps(data, indent=1) + "\n").encode())
    return path


def _key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry["dtype"], *sorted(entry["shape"].items())


def on_device(tensor: torch.Tensor) -> AbstractContextManager[Any]:
    """Make the device of ``tensor`` the current one, where Triton launches."""
    if not tensor.is_cuda:
        return nullcontext()
    import torch

    return torch.cuda.device(tensor.device)
