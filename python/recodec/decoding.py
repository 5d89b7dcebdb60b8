"""From files to pictures: what :meth:`recodec.Codec.decode` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec import _core
from recodec.attachments import Attachments
from recodec.batches import by_kind, prepared, usable_cores
from recodec.bitstream import CODES, Chunk, Reader
from recodec.engine import Engine
from recodec.entropy import Codes, PlaneDecoder, grid_shape
from recodec.errors import FormatError, TruncatedError
from recodec.images import Kind, make_image, to_uint8
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, check_pixels, check_tiles
from recodec.rate import positive_int
from recodec.sources import Source, read_source
from recodec.tiled_network import TiledDecoder, decode_windows
from recodec.tiling import Region, TileGrid

Output: TypeAlias = Image.Image | NDArray[np.uint8] | Tensor


class DecodeOptions(TypedDict, total=False):
    """Keyword arguments of :meth:`recodec.Codec.decode` beside ``like``."""

    iterations: int | None
    strict: bool
    max_pixels: int


class Content(NamedTuple):
    """A file's codes, and what becomes of them beside the networks."""

    header: _core.Header
    codes: list[Codes]
    attachments: Attachments

    @property
    def kind(self) -> Any:
        """What files that are decoded together have in common; None where that cannot be."""
        if self.header.tile_rows * self.header.tile_columns > 1:
            return None
        return len(self.codes), *self.codes[0].shape


def decode_all(
    engine: Engine, sources: Sequence[Source], kind: Kind, options: DecodeOptions
) -> Iterator[Output]:
    """Pictures, in order."""
    if engine.at_once == 1 or len(sources) == 1:
        for source in sources:
            content = read(engine, source, threads=torch.get_num_threads(), **options)
            tiles = decoder_of(engine, content.header)
            yield show(engine, tiles.decode(content.codes), content.header, kind, content.attachments)
        return

    def process(contents: Sequence[Content]) -> list[Output]:
        if contents[0].kind is None:
            parts: Iterable[Iterator[tuple[Region, Tensor]]] = (
                decoder_of(engine, content.header).decode(content.codes) for content in contents
            )
        else:
            parts = map(iter, decode_together(engine, contents))
        return [
            show(engine, cores, content.header, kind, content.attachments)
            for cores, content in zip(parts, contents, strict=True)
        ]

    contents = prepared(sources, lambda source: read(engine, source, **options), usable_cores())
    yield from by_kind(contents, lambda content: content.kind, process, engine.at_once)


def read(
    engine: Engine,
    source: Source,
    *,
    iterations: int | None = None,
    strict: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    threads: int = 1,
) -> Content:
    """All of a file but its picture. Raises like :meth:`recodec.Codec.decode`."""
    wanted = engine.network.iterations if iterations is None else positive_int("iterations", iterations)
    reader = Reader(read_source(source))
    planes = open_planes(engine, reader, max_pixels)
    chunks: list[Chunk] = []
    attachments = Attachments(reader.header())
    for chunk in reader.chunks():
        attachments.take(chunk)
        if chunk.type == CODES:
            check_iterations(engine, reader)
            if len(chunks) < wanted:
                chunks.append(chunk)
    if strict and not reader.ended:
        raise TruncatedError(
            f"the file is cut after {reader.iterations} whole code chunks; decode without strict to use them"
        )
    if not chunks:
        raise TruncatedError("the file ends before its first code chunk")
    return Content(reader.header(), planes.decode_all(chunks, threads), attachments)


def open_planes(engine: Engine, reader: Reader, max_pixels: int) -> PlaneDecoder:
    """Check the header against limits and model, before any memory is taken."""
    header, network = reader.header(), engine.network
    check_pixels(header.width, header.height, max_pixels, header.stride)
    engine.model.require(header)
    if (header.stride, header.depth) != (network.stride, network.depth):
        raise FormatError(
            f"the file has stride {header.stride} and depth {header.depth}, but model {engine.model.id} has "
            f"{network.stride} and {network.depth}: the file is damaged"
        )
    check_tiles(header, max_pixels)
    return PlaneDecoder(header, max_pixels, engine.model.contexts)


def check_iterations(engine: Engine, reader: Reader) -> None:
    """Raise :class:`FormatError` for more code chunks than a file of the model can have."""
    most = engine.network.iterations
    if reader.iterations > most:
        raise FormatError(f"the file has more code chunks than the {most} of model {engine.model.id}")


def decoder_of(engine: Engine, header: _core.Header, max_memory: int = DEFAULT_MAX_MEMORY) -> TiledDecoder:
    """The decoder of a file's tiles."""
    rows, columns = grid_shape(header.width, header.height, header.stride)
    grid = TileGrid(rows, columns, header.tile_rows, header.tile_columns, header.tile_halo)
    place = engine.workplace(header.width * header.height, max_memory)
    return TiledDecoder(engine.network, grid.tiles(), place)


@torch.no_grad()
def decode_together(engine: Engine, contents: Sequence[Content]) -> list[list[tuple[Region, Tensor]]]:
    """The pixels of files of one kind, each in one piece."""
    codes = np.stack([content.codes for content in contents], axis=1)
    place = engine.workplace(sum(content.header.width * content.header.height for content in contents))
    pictures = decode_windows(engine.network, torch.from_numpy(codes).to(engine.device), place)
    region = Region(0, 0, *codes.shape[3:])
    return [[(region, picture)] for picture in pictures]


# Not inference mode: what is handed out must be an ordinary tensor.
@torch.no_grad()
def show(
    engine: Engine,
    cores: Iterator[tuple[Region, Tensor]],
    header: _core.Header,
    kind: Kind,
    attachments: Attachments,
) -> Output:
    """The image of a kind from its parts."""
    size = (header.channels, header.height, header.width)
    samples = torch.empty(size, dtype=torch.uint8, device=engine.device)
    for region, pixels in cores:
        part = region.scaled(header.stride).of(samples)
        part[:] = to_uint8(pixels[:, : part.shape[1], : part.shape[2]], header.channels)
    return make_image(samples, attachments.alpha, kind, attachments.metadata)
