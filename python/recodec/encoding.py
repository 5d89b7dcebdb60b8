"""From pictures to files: what :meth:`recodec.Codec.encode` does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, Unpack, get_args

import torch

from recodec import _core
from recodec.batches import by_kind, prepared, usable_cores
from recodec.bitstream import ARITHMETIC, ICC, NETWORK
from recodec.engine import Engine
from recodec.entropy import grid_shape
from recodec.errors import TargetError, WeightsError
from recodec.images import ImageLike, Picture, read_picture, to_uint8
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, check_pixels
from recodec.rate import Targets, resolve_target
from recodec.tiled_network import Samples, TiledDecoder, TiledEncoder, encode_windows
from recodec.tiling import Region, TileGrid, plan_tiles
from recodec.writer import FileWriter

# Positions along a tile's side. Larger ones leave the processor's caches, smaller ones are mostly halo.
TILE_SIDE = 64

_ARITHMETIC = {getattr(torch, name): number for number, name in ARITHMETIC.items()}

# Which entropy coder writes: the model's network, adaptive contexts, or the network where the model has one.
Entropy: TypeAlias = Literal["auto", "network", "adaptive"]


class EncodeOptions(Targets, total=False):
    """Keyword arguments of :meth:`recodec.Codec.encode`."""

    convert: bool
    strip: bool
    entropy: Entropy
    max_pixels: int
    max_memory: int


@dataclass(frozen=True, slots=True)
class Job:
    """A picture on its way into a file."""

    picture: Picture
    psnr: float | None
    grid: TileGrid
    writer: FileWriter
    max_memory: int

    @property
    def kind(self) -> Any:
        """What pictures that are encoded together have in common; None where that cannot be."""
        if self.psnr is not None or self.grid.rows * self.grid.columns > 1:
            return None
        return self.grid.height, self.grid.width, self.writer.iterations


def encode_all(
    engine: Engine, images: Sequence[ImageLike | Picture], options: EncodeOptions
) -> Iterator[FileWriter]:
    """Complete files, in order."""
    if engine.at_once == 1:
        for image in images:
            job = start(engine, image, **options)
            fill(engine, job)
            yield job.writer
        return

    def process(jobs: Sequence[Job]) -> list[FileWriter]:
        if jobs[0].kind is None:
            for job in jobs:
                fill(engine, job)
        else:
            fill_together(engine, jobs)
        return [job.writer for job in jobs]

    if len(images) == 1:
        yield from process([start(engine, images[0], **options)])
        return
    jobs = prepared(images, lambda image: start(engine, image, **options), usable_cores())
    yield from by_kind(jobs, lambda job: job.kind, process, engine.at_once)


def start(
    engine: Engine,
    image: ImageLike | Picture,
    *,
    convert: bool = False,
    strip: bool = False,
    entropy: Entropy = "auto",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_memory: int = DEFAULT_MAX_MEMORY,
    **targets: Unpack[Targets],
) -> Job:
    """Read a picture and begin its file."""
    network = engine.network
    picture = read_picture(image, max_pixels, convert=convert, strip=strip)
    check_pixels(picture.width, picture.height, max_pixels, network.stride)
    target = resolve_target(picture.width * picture.height, **targets)
    contexts = _contexts(engine, entropy)
    if target.iterations is not None and target.iterations > network.iterations:
        raise TargetError(
            f"iterations is {target.iterations}; model {engine.model.id} has {network.iterations}"
        )
    rows, columns = grid_shape(picture.width, picture.height, network.stride)
    grid = plan_tiles(rows, columns, network.reach.decoder, TILE_SIDE)
    header = _header(engine, picture, grid, contexts)
    writer = FileWriter(header, picture, target, network.iterations, contexts)
    return Job(picture, target.psnr, grid, writer, max_memory)


@torch.inference_mode()
def fill(engine: Engine, job: Job) -> None:
    """Complete the file of one picture."""
    picture = job.picture
    samples = Samples(picture.samples, engine.network.stride, engine.device)
    place = engine.workplace(picture.width * picture.height, job.max_memory)
    encoder = TiledEncoder(engine.network, samples, job.grid, place)
    while True:
        plane = encoder.next_plane()
        complete = job.writer.add(plane)
        if complete and job.psnr is None:
            return
        encoder.decode(plane)
        if job.psnr is not None:
            reached = _psnr(samples, encoder.decoder)
            if reached >= job.psnr:
                return
            if complete:
                raise TargetError(
                    f"psnr is {job.psnr} dB, but all {job.writer.iterations} iterations reach {reached:.2f} dB on this "
                    "picture; lower it"
                )


@torch.inference_mode()
def fill_together(engine: Engine, jobs: Sequence[Job]) -> None:
    """Complete the files of pictures of one kind."""
    grid, stride = jobs[0].grid, engine.network.stride
    region = Region(0, 0, grid.height, grid.width)
    pixels = [Samples(job.picture.samples, stride, engine.device).pixels(region) for job in jobs]
    place = engine.workplace(sum(job.picture.width * job.picture.height for job in jobs))
    codes = (
        encode_windows(engine.network, torch.stack(pixels), jobs[0].writer.iterations, place).cpu().numpy()
    )

    def write(number: int) -> None:
        for plane in codes[:, number]:
            if jobs[number].writer.add(plane):
                return

    for _ in prepared(range(len(jobs)), write, usable_cores()):
        pass


def _contexts(engine: Engine, entropy: Entropy) -> _core.ContextTables | None:
    """The network that codes are to be written with; None for adaptive contexts."""
    if entropy not in get_args(Entropy):
        raise TargetError(f"entropy is {entropy!r}; it must be one of {', '.join(get_args(Entropy))}")
    if entropy == "adaptive":
        return None
    if entropy == "network" and engine.model.contexts is None:
        raise WeightsError(f"entropy is 'network', but model {engine.model.id} has no entropy network")
    return engine.model.contexts


def _header(
    engine: Engine, picture: Picture, grid: TileGrid, contexts: _core.ContextTables | None
) -> _core.Header:
    header = _core.Header()
    header.width, header.height, header.channels = picture.width, picture.height, picture.channels
    header.colour = int(ICC in picture.metadata)
    header.alpha = int(picture.alpha is not None)
    header.tile_rows, header.tile_columns, header.tile_halo = grid.rows, grid.columns, grid.halo
    header.model, header.model_hash = engine.model.id, engine.model.hash
    network = engine.network
    header.stride, header.depth = network.stride, network.depth
    header.arithmetic = _ARITHMETIC[engine.dtype]
    if contexts is not None:
        header.entropy = NETWORK
    elif network.symbols == 3:
        # Readers from before version 3 can read what does not need it.
        header.entropy_version = 3
    return header


def _psnr(samples: Samples, decoder: TiledDecoder) -> float:
    """PSNR in dB of what a decoder would show, over the samples that are stored."""
    total, count = 0.0, 0
    for region, pixels in decoder.pixels():
        original = samples.original(region)
        channels, height, width = original.shape
        if original.dtype != torch.uint8:
            original = (original * 255).round()
        shown = to_uint8(pixels[:, :height, :width], channels).float()
        total += float((shown - original.to(shown)).square().sum(dtype=torch.float64))
        count += original.numel()
    return 10 * math.log10(255**2 * count / total) if total else math.inf
