"""What can be done with files without their model: look into them, check and shorten them.

Loads no torch, and NumPy and Pillow inside functions only, so that the command starts at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from recodec.errors import MetadataDroppedWarning, TargetError, TruncatedError
from recodec.io.sources import Source, read_source
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, Limits, check_pixels
from recodec.notices import warn

if TYPE_CHECKING:
    from recodec.container.info import Info


def info(data: Source) -> Info:
    """Read what a file says about itself; needs neither its model nor its pixels.

    Raises :class:`FormatError` if it is no recodec file or has no whole code chunk.
    """
    from recodec.container.info import InfoBuilder
    from recodec.container.reader import Reader
    from recodec.families.exact_rows import ExactIndex
    from recodec.families.registry import read_file_header

    reader = Reader(read_source(data))
    header = read_file_header(reader.header())
    builder, rows = InfoBuilder(reader), ExactIndex(header)
    for chunk in reader.chunks():
        builder.take(chunk)
        rows.take(chunk)
    return builder.build(header.family.name, header.details, rows.details)


def verify(
    data: Source, *, max_pixels: int | None = DEFAULT_MAX_PIXELS, max_memory: int | None = DEFAULT_MAX_MEMORY
) -> Info:
    """Check every checksum of a file and decode its alpha channel, all codes and strips, but no picture.

    Codes of the entropy network take the model that the file names. Returns :func:`info`. Raises
    :class:`WeightsError` where that is not at hand, :class:`ChecksumError` for damage, :class:`TruncatedError` for
    a cut file, :class:`LimitError` beyond ``max_pixels`` or ``max_memory`` (bytes), and for codes out of all
    proportion to the picture, which only their model could tell to be right.
    """
    from recodec.container.attachments import Attachments
    from recodec.container.core import CODES, EXACT
    from recodec.container.info import InfoBuilder
    from recodec.container.reader import Reader
    from recodec.families.exact_rows import ExactChecker
    from recodec.families.registry import read_file_header

    reader = Reader(read_source(data))
    header = read_file_header(reader.header())
    limits = Limits(max_pixels, max_memory)
    header.check(limits)
    builder, attachments = InfoBuilder(reader), Attachments(header.common)
    rows, checker = ExactChecker(header, limits), None
    payloads = []
    for chunk in reader.chunks():
        builder.take(chunk)
        rows.take(chunk)
        # Its limits come before any memory.
        if checker is None and chunk.type != EXACT:
            checker = header.checker(rows.rest)
        attachments.take(chunk)
        if chunk.type == CODES:
            payloads.append(chunk.payload)
    result = builder.build(header.family.name, header.details, rows.details)
    if checker is not None:
        checker.take(payloads)
    rows.decode()
    if result.truncated:
        raise TruncatedError(f"the file is cut after {reader.whole}")
    return result


def truncate(
    data: Source,
    *,
    iterations: int | None = None,
    bpp: float | None = None,
    max_bytes: int | None = None,
) -> bytes:
    """A complete file with fewer code chunks, made without decoding or re-encoding.

    Give exactly one target; sizes bound the whole file. A file that already meets it comes back whole. Strips of
    exact rows that follow the code chunks go first, with ``iterations`` all of them.
    Where not even the first chunk fits beside all metadata, XMP, EXIF and ICC are dropped in that order
    with a :class:`MetadataDroppedWarning`. Raises :class:`TargetError` if that is not enough.
    """
    from recodec.container.assembly import split
    from recodec.container.reader import Reader
    from recodec.container.targets import resolve_target
    from recodec.families.exact_rows import ExactIndex
    from recodec.families.registry import read_file_header

    content = read_source(data)
    if iterations is None and bpp is None and max_bytes is None:
        raise TargetError("nothing says where to cut; give iterations, bpp or max_bytes")
    reader = Reader(content)
    header = read_file_header(reader.header())
    pixels = header.common.width * header.common.height
    target = resolve_target(pixels, iterations=iterations, bpp=bpp, max_bytes=max_bytes)
    assembly, chunks, exact, strips = split(reader, ExactIndex(header).take)
    for chunk in chunks[: target.iterations]:
        if target.max_bytes is not None:
            if not assembly.code_chunks:
                assembly.make_room(chunk, target.max_bytes)
            if assembly.size_with(chunk) > target.max_bytes:
                break
        assembly.code_chunks.append(chunk)
    if target.max_bytes is not None and len(assembly.code_chunks) == len(chunks):
        assembly.add_strips(exact, strips, target.max_bytes)
    if assembly.dropped and target.max_bytes is not None:
        warn(MetadataDroppedWarning(assembly.dropped, target.max_bytes))
    return assembly.to_bytes()


def is_sound(
    path: str | os.PathLike[str],
    *,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    max_memory: int | None = DEFAULT_MAX_MEMORY,
) -> bool:
    """Whether a file is there and whole: a .rcd file verifies, another can be read as an image."""
    # To look what a pipe holds would take it away.
    if not os.path.isfile(path):
        return False
    try:
        if Path(path).suffix.lower() == ".rcd":
            verify(path, max_pixels=max_pixels, max_memory=max_memory)
        else:
            _verify_image(path, max_pixels)
    except Exception:  # noqa: BLE001 - Pillow's readers raise anything for a damaged file
        return False
    return True


def _verify_image(path: str | os.PathLike[str], max_pixels: int | None) -> None:
    from PIL import Image

    with Image.open(path) as image:
        check_pixels(image.width, image.height, Limits(max_pixels).max_pixels)
        # Of PNG this checks more than reading does, of other formats nothing.
        if image.format == "PNG":
            image.verify()
        else:
            image.load()
