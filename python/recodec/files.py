"""What can be done with a file without its model: look into it, check it, shorten it. Loads no torch."""

from __future__ import annotations

import warnings

from recodec import bitstream
from recodec.attachments import Attachments
from recodec.bitstream import CODES, Info, Reader
from recodec.entropy import PlaneDecoder
from recodec.errors import MetadataDroppedWarning, TargetError, TruncatedError
from recodec.limits import DEFAULT_MAX_PIXELS, check_pixels
from recodec.rate import resolve_target
from recodec.sources import Buffer, Source, read_source


def info(data: Source) -> Info:
    """Read what a file says about itself; needs neither its model nor its pixels.

    Raises :class:`FormatError` if it is no recodec file or has no whole code chunk.
    """
    return bitstream.read_info(read_source(data))


def verify(data: Source, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Info:
    """Check every checksum of a file and decode its alpha channel and all codes, without its model.

    Returns :func:`info`. Raises :class:`ChecksumError` for damage, :class:`TruncatedError` for a cut
    file, :class:`LimitError` beyond ``max_pixels``.
    """
    content = read_source(data)
    result = bitstream.read_info(content)
    check_pixels(result.width, result.height, max_pixels, result.stride)
    reader = Reader(content)
    planes = PlaneDecoder(reader.header(), max_pixels)
    attachments = Attachments(reader.header())
    for chunk in reader.chunks():
        attachments.take(chunk)
        if chunk.type == CODES:
            planes.decode(chunk)
    if result.truncated:
        raise TruncatedError(f"the file is cut after {result.iterations} whole code chunks")
    return result


def truncate(
    data: Source,
    *,
    iterations: int | None = None,
    bpp: float | None = None,
    max_bytes: int | None = None,
) -> bytes:
    """A complete file with fewer code chunks, made without decoding or re-encoding.

    Give exactly one target; sizes bound the whole file. A file that already meets it comes back whole.
    Where not even the first chunk fits beside all metadata, XMP, EXIF and ICC are dropped in that order
    with a :class:`MetadataDroppedWarning`. Raises :class:`TargetError` if that is not enough.
    """
    content: Buffer = read_source(data)
    if iterations is None and bpp is None and max_bytes is None:
        raise TargetError("nothing says where to cut; give iterations, bpp or max_bytes")
    header = Reader(content).header()
    target = resolve_target(header.width * header.height, iterations=iterations, bpp=bpp, max_bytes=max_bytes)
    assembly, chunks = bitstream.split(content)
    for chunk in chunks[: target.iterations]:
        if target.max_bytes is not None:
            if not assembly.code_chunks:
                assembly.make_room(chunk, target.max_bytes)
            if assembly.size_with(chunk) > target.max_bytes:
                break
        assembly.code_chunks.append(chunk)
    if assembly.dropped and target.max_bytes is not None:
        warnings.warn(MetadataDroppedWarning(assembly.dropped, target.max_bytes), stacklevel=2)
    return assembly.to_bytes()
