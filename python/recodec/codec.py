"""The codec: one model on one device, ready to encode and decode."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, get_args, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec import _core, bitstream, files
from recodec.attachments import Attachments, encode_alpha
from recodec.bitstream import (
    ALPHA,
    ARITHMETIC,
    CODES,
    EXIF,
    ICC,
    METADATA_NAMES,
    NETWORK,
    XMP,
    Assembly,
    Chunk,
    Reader,
)
from recodec.entropy import PlaneDecoder, PlaneEncoder, grid_shape
from recodec.errors import (
    DeviceError,
    FormatError,
    MetadataDroppedWarning,
    TargetError,
    TruncatedError,
    WeightsError,
)
from recodec.images import (
    ImageLike,
    Kind,
    Picture,
    check_kind,
    make_image,
    read_picture,
    to_uint8,
)
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, check_pixels, check_tiles
from recodec.rate import Target, Targets, resolve_target, whole
from recodec.sources import Buffer, Source, read_blocks, read_source
from recodec.states import Workplace
from recodec.tiling import Region, Samples, TiledDecoder, TiledEncoder, TileGrid, plan_tiles
from recodec.weights import Model

_ARITHMETIC = {getattr(torch, name): number for number, name in ARITHMETIC.items()}

# Positions along a tile's side. Larger ones leave the processor's caches, smaller ones are mostly halo.
TILE_SIDE = 64
# On GPUs. On a CPU four at once took a third longer than one by one.
_TILES_AT_ONCE = 8

# What there is beside states: the process with torch and one tile at work; a picture as Pillow has it, as an
# array, as decoded, and its codes.
_FIXED_BYTES = 700 * 2**20
_BYTES_PER_PIXEL = 12

# Which entropy coder writes: the model's network, adaptive contexts, or the network where the model has one.
Entropy: TypeAlias = Literal["auto", "network", "adaptive"]
Output: TypeAlias = Image.Image | NDArray[np.uint8] | Tensor


class EncodeOptions(Targets, total=False):
    """Keyword arguments of :meth:`Codec.encode`."""

    convert: bool
    strip: bool
    entropy: Entropy
    max_pixels: int
    max_memory: int


class DecodeOptions(TypedDict, total=False):
    """Keyword arguments of :meth:`Codec.decode` beside ``like``."""

    iterations: int | None
    strict: bool
    max_pixels: int


class Codec:
    """Encodes and decodes with one model. Holds no state between calls: share it between threads.

    Made by :func:`recodec.load`.
    """

    def __init__(
        self, model: Model, device: str | torch.device = "cpu", dtype: str | torch.dtype = "float32"
    ):
        self.model = model
        wanted = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
        if wanted not in (torch.float32, torch.bfloat16, torch.float16):
            raise DeviceError(f"dtype is {dtype}; it must be float32, bfloat16 or float16")
        self.dtype: torch.dtype = wanted
        try:
            self.device = torch.device(device)
            if self.device.type == "meta":
                raise RuntimeError("it holds no values")
            self._network = model.network.to(self.device, self.dtype)
        # A build of torch without a back end fails an assertion instead.
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise DeviceError(f"the device {str(device)!r} cannot be used: {reason}") from error

    # What needs no model, so that a codec has all there is.
    info = staticmethod(files.info)
    truncate = staticmethod(files.truncate)
    verify = staticmethod(files.verify)

    @property
    def iterations(self) -> int:
        """The most iterations a file of this model can hold."""
        return self.model.network.config.iterations

    @overload
    def encode(self, image: list[ImageLike | Picture], **options: Unpack[EncodeOptions]) -> list[bytes]: ...
    @overload
    def encode(self, image: ImageLike | Picture, **options: Unpack[EncodeOptions]) -> bytes: ...

    def encode(
        self, image: ImageLike | Picture | list[ImageLike | Picture], **options: Unpack[EncodeOptions]
    ) -> bytes | list[bytes]:
        """Encode one image to a file, or a list (or N×C×H×W tensor) of images to a list of files.

        An image is a Pillow image, a path, an array (uint8, H×W or H×W×C) or a tensor (uint8 or float in
        [0, 1], C×H×W); 1 and 2 channels are grey and grey with alpha, 3 and 4 RGB and RGBA. Alpha is kept
        without loss. Palettes become RGB, or RGBA where something in them is transparent.

        ``convert`` allows what is refused otherwise: CMYK, YCbCr, LAB and HSV become sRGB, by their ICC
        profile if there is one; 16-bit samples become v / 257, rounded (Pillow itself reads those of colour
        images as v / 256, cut); values of modes I and F must lie in 0..255, floats of arrays in [0, 1], and
        are rounded. ``strip`` leaves ICC, EXIF and XMP out. ``entropy`` "adaptive" codes without the model's
        trained entropy network: larger files, which readers from before it can read.

        Give at most one target; none means ``quality=60``. ``iterations`` writes that many chunks.
        ``bpp`` and ``max_bytes`` bound the whole file and are never exceeded: where not even one chunk fits
        beside all metadata, XMP, EXIF and ICC are dropped in that order with a
        :class:`MetadataDroppedWarning`. ``quality`` (0 to 100) is a target rate of 2^(quality/20 − 4) bpp
        for the picture and its alpha channel, without metadata, and gives at least one chunk. ``psnr`` (dB,
        over grey or RGB) stops at the first chunk that reaches it. ``max_pixels`` bounds the picture and
        ``max_memory`` (bytes) about what the process takes, which is some 700 MiB whatever the picture. Raises
        :class:`ImageError`, :class:`TargetError`, :class:`LimitError`.
        """
        if isinstance(image, list) or (isinstance(image, Tensor) and image.ndim == 4):
            return [self._encode_one(item, **options) for item in image]
        return self._encode_one(image, **options)

    def _encode_one(
        self,
        image: ImageLike | Picture,
        *,
        convert: bool = False,
        strip: bool = False,
        entropy: Entropy = "auto",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        max_memory: int = DEFAULT_MAX_MEMORY,
        **targets: Unpack[Targets],
    ) -> bytes:
        picture = read_picture(image, max_pixels, convert=convert, strip=strip)
        check_pixels(picture.width, picture.height, max_pixels, self.model.network.config.stride)
        target = resolve_target(picture.width * picture.height, **targets)
        assembly = self._encode(picture, target, self._contexts(entropy), max_memory)
        if assembly.dropped and target.max_bytes is not None:
            warnings.warn(MetadataDroppedWarning(assembly.dropped, target.max_bytes), stacklevel=3)
        return assembly.to_bytes()

    @torch.inference_mode()
    def _encode(
        self, picture: Picture, target: Target, contexts: _core.ContextTables | None, max_memory: int
    ) -> Assembly:
        config = self.model.network.config
        if target.iterations is not None and target.iterations > config.iterations:
            raise TargetError(
                f"iterations is {target.iterations}; model {self.model.id} has {config.iterations}"
            )
        last = target.iterations or config.iterations
        rows, columns = grid_shape(picture.width, picture.height, config.stride)
        grid = plan_tiles(rows, columns, config, TILE_SIDE)
        header = self._header(picture, grid, contexts)
        assembly = _start_file(header, picture)
        limit = target.max_bytes
        if limit is not None and target.soft:
            limit += assembly.size_of(*METADATA_NAMES)
        coder = PlaneEncoder(config.depth, rows, columns, header.entropy_version, contexts)
        samples = Samples(picture.samples, config.stride, self.device, self.dtype)
        place = self._workplace(picture.width * picture.height, max_memory)
        encoder = TiledEncoder(self._network, samples, grid, place)
        while True:
            plane = encoder.next_plane()
            chunk = coder.encode(plane)
            if limit is not None and not assembly.code_chunks and not target.soft:
                assembly.make_room(chunk, limit)
            full = limit is not None and assembly.size_with(chunk) > limit
            if full and assembly.code_chunks:
                break
            assembly.code_chunks.append(chunk)
            at_end = full or len(assembly.code_chunks) == last
            if at_end and target.psnr is None:
                break
            encoder.decode(plane)
            if target.psnr is not None:
                reached = _psnr(samples, encoder.decoder)
                if reached >= target.psnr:
                    break
                if at_end:
                    raise TargetError(
                        f"psnr is {target.psnr} dB, but all {last} iterations reach {reached:.2f} dB on this "
                        "picture; lower it"
                    )
        return assembly

    def _workplace(self, pixels: int, max_memory: int) -> Workplace:
        cuda = self.device.type == "cuda"
        reserved = _FIXED_BYTES + _BYTES_PER_PIXEL * pixels
        limit = whole("max_memory", max_memory)
        return Workplace(self.device, self.dtype, _TILES_AT_ONCE if cuda else 1, limit, reserved)

    def _contexts(self, entropy: Entropy) -> _core.ContextTables | None:
        """The network that codes are to be written with; None for adaptive contexts."""
        if entropy not in get_args(Entropy):
            raise TargetError(f"entropy is {entropy!r}; it must be one of {', '.join(get_args(Entropy))}")
        if entropy == "adaptive":
            return None
        if entropy == "network" and self.model.contexts is None:
            raise WeightsError(f"entropy is 'network', but model {self.model.id} has no entropy network")
        return self.model.contexts

    def _header(self, picture: Picture, grid: TileGrid, contexts: _core.ContextTables | None) -> _core.Header:
        header = _core.Header()
        header.width, header.height, header.channels = picture.width, picture.height, picture.channels
        header.colour = int(ICC in picture.metadata)
        header.alpha = int(picture.alpha is not None)
        header.tile_rows, header.tile_columns, header.tile_halo = grid.rows, grid.columns, grid.halo
        header.model, header.model_hash = self.model.id, self.model.hash
        config = self.model.network.config
        header.stride, header.depth = config.stride, config.depth
        header.arithmetic = _ARITHMETIC[self.dtype]
        if contexts is not None:
            header.entropy = NETWORK
        elif config.dead_zone:
            # Readers from before version 3 can read what does not need it.
            header.entropy_version = 3
        return header

    @overload
    def decode(
        self, data: Source, *, like: Literal["pil"] = "pil", **options: Unpack[DecodeOptions]
    ) -> Image.Image: ...
    @overload
    def decode(
        self, data: Source, *, like: Literal["numpy"], **options: Unpack[DecodeOptions]
    ) -> NDArray[np.uint8]: ...
    @overload
    def decode(self, data: Source, *, like: Literal["torch"], **options: Unpack[DecodeOptions]) -> Tensor: ...
    @overload
    def decode(self, data: Source, *, like: str, **options: Unpack[DecodeOptions]) -> Output: ...
    @overload
    def decode(
        self, data: list[Source], *, like: str = "pil", **options: Unpack[DecodeOptions]
    ) -> list[Any]: ...

    def decode(
        self, data: Source | list[Source], *, like: str = "pil", **options: Unpack[DecodeOptions]
    ) -> Output | list[Any]:
        """Decode a file (bytes, path or open binary file), or a list of them.

        ``like`` is "pil" (mode L, LA, RGB or RGBA), "numpy" (H×W×C uint8) or "torch" (C×H×W uint8 on the
        codec's device), C being 1 to 4 in that order of modes.
        ``iterations`` stops after so many chunks. A file cut short decodes as far as its whole chunks
        go, or is an error with ``strict``. Nothing is shown unless every chunk used is intact. Raises
        :class:`FormatError`, :class:`WeightsError`, :class:`TargetError`.
        """
        if isinstance(data, list):
            return [self._decode_one(item, check_kind(like), **options) for item in data]
        return self._decode_one(data, check_kind(like), **options)

    def _decode_one(
        self,
        data: Source,
        kind: Kind,
        *,
        iterations: int | None = None,
        strict: bool = False,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> Output:
        wanted = self.iterations if iterations is None else whole("iterations", iterations)
        reader = Reader(read_source(data))
        planes = self._open(reader, max_pixels)
        chunks: list[Chunk] = []
        attachments = Attachments(reader.header())
        for chunk in reader.chunks():
            attachments.take(chunk)
            if chunk.type == CODES:
                self._check_iterations(reader)
                if len(chunks) < wanted:
                    chunks.append(chunk)
        if strict and not reader.ended:
            raise TruncatedError(
                f"the file is cut after {reader.iterations} whole code chunks; decode without strict to use them"
            )
        if not chunks:
            raise TruncatedError("the file ends before its first code chunk")
        codes = planes.decode_all(chunks, torch.get_num_threads())
        tiles = self._decoder(reader, DEFAULT_MAX_MEMORY)
        return self._show(tiles.decode(codes), reader, kind, attachments)

    @overload
    def progressive(
        self, data: Source, *, like: Literal["pil"] = "pil", max_pixels: int = ..., max_memory: int = ...
    ) -> Iterator[Image.Image]: ...
    @overload
    def progressive(
        self, data: Source, *, like: Literal["numpy"], max_pixels: int = ..., max_memory: int = ...
    ) -> Iterator[NDArray[np.uint8]]: ...
    @overload
    def progressive(
        self, data: Source, *, like: Literal["torch"], max_pixels: int = ..., max_memory: int = ...
    ) -> Iterator[Tensor]: ...
    @overload
    def progressive(
        self, data: Source, *, like: str, max_pixels: int = ..., max_memory: int = ...
    ) -> Iterator[Output]: ...

    def progressive(
        self,
        data: Source,
        *,
        like: str = "pil",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        max_memory: int = DEFAULT_MAX_MEMORY,
    ) -> Iterator[Any]:
        """Yield one ever better image per code chunk.

        ``data`` may be a binary file object that is still being filled (a pipe, a socket's file): each
        image comes as soon as its chunk is complete, and nothing is read beyond the end mark's block.
        ``max_memory`` (bytes) bounds what is kept from image to image. Raises like :meth:`decode`.
        """
        return self.progressive_blocks(Reader(), read_blocks(data), check_kind(like), max_pixels, max_memory)

    def progressive_blocks(
        self,
        reader: Reader,
        blocks: Iterator[Buffer],
        kind: Kind,
        max_pixels: int,
        max_memory: int = DEFAULT_MAX_MEMORY,
    ) -> Iterator[Output]:
        """:meth:`progressive` from a reader that may have been fed before, and the blocks to come."""
        planes: PlaneDecoder | None = None
        tiles: TiledDecoder | None = None
        attachments: Attachments | None = None
        while not reader.ended:
            with suppress(TruncatedError):  # a header may be complete with the next block
                planes = planes or self._open(reader, max_pixels)
            for chunk in reader.chunks() if planes else ():
                attachments = attachments or Attachments(reader.header())
                attachments.take(chunk)
                if chunk.type == CODES and planes:
                    self._check_iterations(reader)
                    tiles = tiles or self._decoder(reader, max_memory)
                    with torch.inference_mode():
                        tiles.advance(planes.decode(chunk))
                    yield self._show(tiles.pixels(), reader, kind, attachments)
            block = b"" if reader.ended else next(blocks, b"")
            if not block:
                break
            reader.feed(block)
        if tiles is None:
            raise TruncatedError("the data ends before the first code chunk")

    def _open(self, reader: Reader, max_pixels: int) -> PlaneDecoder:
        """Check the header against limits and model, before any memory is taken."""
        header, config = reader.header(), self.model.network.config
        check_pixels(header.width, header.height, max_pixels, header.stride)
        self.model.require(header)
        if (header.stride, header.depth) != (config.stride, config.depth):
            raise FormatError(
                f"the file has stride {header.stride} and depth {header.depth}, but model {self.model.id} has "
                f"{config.stride} and {config.depth}: the file is damaged"
            )
        check_tiles(header, max_pixels)
        return PlaneDecoder(header, max_pixels, self.model.contexts)

    def _check_iterations(self, reader: Reader) -> None:
        if reader.iterations > self.iterations:
            raise FormatError(
                f"the file has more code chunks than the {self.iterations} of model {self.model.id}"
            )

    def _decoder(self, reader: Reader, max_memory: int) -> TiledDecoder:
        header = reader.header()
        rows, columns = grid_shape(header.width, header.height, header.stride)
        grid = TileGrid(rows, columns, header.tile_rows, header.tile_columns, header.tile_halo)
        place = self._workplace(header.width * header.height, max_memory)
        return TiledDecoder(self._network, grid.tiles(), place)

    # Not inference mode: what is handed out must be an ordinary tensor.
    @torch.no_grad()
    def _show(
        self, cores: Iterator[tuple[Region, Tensor]], reader: Reader, kind: Kind, attachments: Attachments
    ) -> Output:
        header = reader.header()
        size = (header.channels, header.height, header.width)
        samples = torch.empty(size, dtype=torch.uint8, device=self.device)
        for region, pixels in cores:
            part = region.scaled(header.stride).of(samples)
            part[:] = to_uint8(pixels[:, : part.shape[1], : part.shape[2]], header.channels)
        return make_image(samples, attachments.alpha, kind, attachments.metadata)


def _start_file(header: _core.Header, picture: Picture) -> Assembly:
    """A file without codes yet."""
    with bitstream.core_errors():
        assembly = Assembly(_core.write_header(header))
    attached = dict(picture.metadata)
    if picture.alpha is not None:
        attached[ALPHA] = encode_alpha(picture.alpha)
    for kind in (ICC, ALPHA, EXIF, XMP):
        if kind in attached:
            chunk = bitstream.attached_chunk(kind, attached[kind])
            assembly.attach(kind, chunk, before_codes=kind in (ICC, ALPHA))
    return assembly


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
