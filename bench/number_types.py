"""What narrow number types do to pictures: PSNR when encoder, decoder or both work in them.

    python bench/number_types.py FOLDER [--model MODEL] [--out PATH]

bfloat16 and float16 are those of ``recodec.load(dtype=...)``; "float8" is an experiment, cells that multiply
float8 e4m3 in a network that is float32 else, for networks with cells. All of it is the arithmetic of the reference, on
a CPU.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
import torch
from torch import Tensor

import options
import recodec
import result_file
from recodec.eval.curve import load_rgb
from recodec.networks.cells import ConvGRU, ConvLSTM
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.networks.plane_network import PlaneNetwork, State
from recodec.ops import conv_gru, conv_lstm, residual_conv_gru
from recodec.ops.convolution import same_convolution

PLAIN = "float32"
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def rounded_weight(weight: Tensor) -> Tensor:
    """The nearest that e4m3 has, with a scale for every row (rows, …) that brings its peak to the largest number."""
    peaks = weight.abs().flatten(1).amax(1).clamp_min(torch.finfo(torch.float32).tiny)
    scale = (peaks / torch.finfo(torch.float8_e4m3fn).max)[:, None, None, None]
    return rounded(weight / scale) * scale


def rounded(x: Tensor) -> Tensor:
    """The nearest numbers that e4m3 has."""
    return x.float().to(torch.float8_e4m3fn).to(x)


def multiplying_8_bits(network: Any) -> ExitStack:
    """Let the cells of ``network`` multiply 8 bits until closed; linear paths around residual GRUs stay."""
    cells = [cell for cell in network.modules() if isinstance(cell, ConvLSTM | ConvGRU)]
    layers = [getattr(cell, name, None) for cell in cells for name in ("input", "hidden", "candidate")]
    narrow = {id(layer.weight) for layer in layers if layer is not None}

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
        if id(weight) not in narrow:
            return same_convolution(x, weight, bias, stride)
        return same_convolution(rounded(x), rounded_weight(weight), bias, stride)

    stack = ExitStack()
    for module in (conv_lstm, conv_gru, residual_conv_gru):
        stack.enter_context(mock.patch.object(module, "same_convolution", convolve))
    return stack


def encoded(network: PlaneNetwork, pixels: Tensor) -> list[Tensor]:
    """Codes of every iteration."""
    target = network.analyse(pixels)
    state: State = None
    decoded: State = None
    planes = []
    for _ in range(network.iterations):
        codes, state = network.encode_step(target, state, decoded)
        decoded = network.decode_step(codes, decoded)
        planes.append(codes)
    return planes


def shown(network: PlaneNetwork, dtype: torch.dtype, planes: list[Tensor]) -> Iterator[Tensor]:
    """The picture after every iteration, levels from 0 to 255."""
    state: State = None
    for codes in planes:
        state = network.decode_step(codes.to(dtype), state)
        yield (255 * (network.synthesise(state).float().clamp(-0.5, 0.5) + 0.5)).round()


@torch.inference_mode()
def compare(networks: dict[str, PlaneNetwork], pixels: Tensor) -> Iterator[tuple[str, list[float], float]]:
    """For each pair of types: PSNR in dB by iteration, and the most levels that a float32 decoder is away."""
    original = (255 * (pixels + 0.5)).round()
    for writer, encoder in networks.items():
        planes = encoded(encoder, pixels)
        plain = list(shown(networks[PLAIN], torch.float32, planes))
        for reader, decoder in networks.items():
            if PLAIN not in (writer, reader) and writer != reader:
                continue
            pictures = (
                plain if reader == PLAIN else list(shown(decoder, NARROW.get(reader, torch.float32), planes))
            )
            errors = [float((picture - original).square().mean()) for picture in pictures]
            away = max(float((a - b).abs().max()) for a, b in zip(pictures, plain, strict=True))
            yield f"{writer} to {reader}", [10 * float(np.log10(255**2 / error)) for error in errors], away


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.model()
@options.limit()
@options.out
def main(folder: Path, model: str, limit: int | None, out: Path | None) -> None:
    """Means over the pictures of FOLDER."""
    loaded = recodec.load(model).model
    plain = loaded.plane_network()
    networks = {PLAIN: plain}
    networks |= {name: copy.deepcopy(plain).compute_in(dtype) for name, dtype in NARROW.items()}
    with_cells = copy.deepcopy(plain)
    if isinstance(with_cells, RecurrentCodec):
        networks["float8"] = with_cells
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))[:limit]
    if not paths:
        raise click.ClickException(f"{folder} holds no PNG or JPEG pictures")
    quality: defaultdict[str, list[list[float]]] = defaultdict(list)
    levels: defaultdict[str, float] = defaultdict(float)
    for path in paths:
        picture, stride = load_rgb(path), plain.stride
        height, width = (size // stride * stride for size in picture.shape[:2])
        pixels = torch.from_numpy(picture[:height, :width]).permute(2, 0, 1)[None].float() / 255 - 0.5
        with multiplying_8_bits(with_cells):
            for pair, values, away in compare(networks, pixels):
                quality[pair].append(values)
                levels[pair] = max(levels[pair], away)
    base, *others = ((pair, np.mean(values, axis=0)) for pair, values in quality.items())
    print(
        "encoder to decoder, levels away from a decoder in float32, PSNR in dB after each chunk or the difference"
    )
    for pair, values in (base, *((pair, values - base[1]) for pair, values in others)):
        print(f"{pair:21}{levels[pair]:3.0f}" + "".join(f"{value:8.3f}" for value in values))
    pairs = {
        pair: {"psnr": np.mean(values, axis=0).tolist(), "levels": levels[pair]}
        for pair, values in quality.items()
    }
    record = {"model": loaded.id, "hash": loaded.hash.hex(), "pictures": len(paths), "pairs": pairs}
    result_file.write(out, record)


if __name__ == "__main__":
    main()
