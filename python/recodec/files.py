"""What can be done with a file without its model: look into it, check it, shorten it. Loads no torch."""

from __future__ import annotations

from recodec import bitstream
from recodec.bitstream import CODES, METADATA_NAMES, Info, Reader, keep_metadata
from recodec.entropy import PlaneDecoder
from recodec.errors import TargetError, TruncatedError
from recodec.limits import DEFAULT_MAX_PIXELS, check_pixels
from recodec.rate import resolve_target, too_small
from recodec.sources import Buffer, Source, read_source


def info(data: Source) -> Info:
    """Read what a file says about itself; needs neither its model nor its pixels.

    Raises :class:`FormatError` if it is no recodec file or has no whole code chunk.
    """
    return bitstream.read_info(read_source(data))


def verify(data: Source, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Info:
    """Check every checksum of a file and decode all its codes, without its model.

    Returns :func:`info`. Raises :class:`ChecksumError` for damage, :class:`TruncatedError` for a cut
    file, :class:`LimitError` beyond ``max_pixels``.
    """
    content = read_source(data)
    result = bitstream.read_info(content)
    check_pixels(result.width, result.height, max_pixels, result.stride)
    reader = Reader(content)
    planes = PlaneDecoder(reader.header(), max_pixels)
    metadata: dict[int, bytes] = {}
    for chunk in reader.chunks():
        if chunk.type == CODES:
            planes.decode(chunk)
        elif chunk.type in METADATA_NAMES:
            keep_metadata(metadata, chunk, after_codes=reader.iterations > 0)
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
    Raises :class:`TargetError` if not even the first chunk fits.
    """
    content: Buffer = read_source(data)
    if iterations is None and bpp is None and max_bytes is None:
        raise TargetError("nothing says where to cut; give iterations, bpp or max_bytes")
    header = Reader(content).header()
    target = resolve_target(header.width * header.height, iterations=iterations, bpp=bpp, max_bytes=max_bytes)
    assembly, chunks = bitstream.split(content)
    for chunk in chunks[: target.iterations]:
        if target.max_bytes is not None and assembly.size_with(chunk) > target.max_bytes:
            if not assembly.code_chunks:
                raise too_small(target.max_bytes, assembly.size_with(chunk))
            break
        assembly.code_chunks.append(chunk)
    return assembly.to_bytes()
