"""What can be done with files without their model: look into them, check and shorten them.

Loads no torch, and NumPy and Pillow inside functions only, so that the command starts at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from recodec.errors import MetadataDroppedWarning, TargetError, TruncatedError
from recodec.io.destinations import Destination, deliver, destinations, placed
from recodec.io.sources import Source, read_source
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, Limits, check_pixels
from recodec.notices import warn
from recodec.several import Items, Several, each, is_several

if TYPE_CHECKING:
    from recodec.container.info import Info
    from recodec.container.targets import Target, Targets


@overload
def info(data: Source) -> Info: ...  # type: ignore[overload-overlap]
@overload
def info(data: Several[Source]) -> list[Info]: ...


def info(data: Any) -> Info | list[Info]:
    """Read what a file says about itself; needs neither its model nor its pixels. Of several gives a list, as
    :func:`recodec.decode` does.

    Raises :class:`FormatError` if it is no recodec file or has no whole code chunk, :class:`BatchError` where that is
    so of some of a list.
    """
    return each(_info, Items(data)) if is_several(data) else _info(data)


def _info(data: Source) -> Info:
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


@overload
def verify(data: Source, *, max_pixels: int | None = ..., max_memory: int | None = ...) -> Info: ...  # type: ignore[overload-overlap]
@overload
def verify(
    data: Several[Source], *, max_pixels: int | None = ..., max_memory: int | None = ...
) -> list[Info]: ...


def verify(
    data: Any,
    *,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    max_memory: int | None = DEFAULT_MAX_MEMORY,
) -> Info | list[Info]:
    """Check every checksum of a file and decode its alpha channel, all codes and strips, but no picture.

    Codes of the entropy network take the model that the file names. Returns :func:`info`. Raises
    :class:`WeightsError` where that is not at hand, :class:`ChecksumError` for damage, :class:`TruncatedError` for
    a cut file, :class:`LimitError` beyond ``max_pixels`` or ``max_memory`` (bytes), and for codes out of all
    proportion to the picture, which only their model could tell to be right. Of several gives a list, and raises
    :class:`BatchError` where some of them are not sound.
    """
    limits = Limits(max_pixels, max_memory)
    check = partial(_verify, limits=limits)
    return each(check, Items(data)) if is_several(data) else check(data)


def _verify(data: Source, limits: Limits) -> Info:
    from recodec.container.attachments import Attachments
    from recodec.container.core import CODES, EXACT
    from recodec.container.info import InfoBuilder
    from recodec.container.reader import Reader
    from recodec.families.exact_rows import ExactChecker
    from recodec.families.registry import read_file_header

    reader = Reader(read_source(data))
    header = read_file_header(reader.header())
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


@overload
def truncate(  # type: ignore[overload-overlap]
    data: Source,
    *,
    iterations: int | None = ...,
    quality: float | None = ...,
    bpp: float | None = ...,
    max_bytes: int | None = ...,
    out: Destination | None = ...,
) -> bytes: ...
@overload
def truncate(
    data: Several[Source],
    *,
    iterations: int | None = ...,
    quality: float | None = ...,
    bpp: float | None = ...,
    max_bytes: int | None = ...,
    out: Sequence[Destination] | None = ...,
) -> list[bytes]: ...


def truncate(
    data: Any,
    *,
    iterations: int | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    max_bytes: int | None = None,
    out: Any = None,
) -> bytes | list[bytes]:
    """A complete file with fewer code chunks, made without decoding or re-encoding.

    Give exactly one target, as for :func:`recodec.encode`, whose file for it this is: ``bpp`` and ``max_bytes`` bound
    the whole file, ``quality`` is a rate of codes and alpha channel. A file that already meets it comes back whole.
    Strips of exact rows that follow the code chunks go first, with ``iterations`` and ``quality`` all of them.
    Where not even the first chunk fits beside all metadata, XMP, EXIF and ICC are dropped in that order
    with a :class:`MetadataDroppedWarning`. Raises :class:`TargetError` if that is not enough.
    Of several gives a list, and raises :class:`BatchError` where some of them cannot be cut. The result is also
    written to ``out``, a path, whole or not at all, or an open binary file; for a list a list of them. Raises
    :class:`OutputError` where it cannot be.
    """
    from recodec.container.targets import resolve_target

    targets: Targets = {"iterations": iterations, "quality": quality, "bpp": bpp, "max_bytes": max_bytes}
    if all(value is None for value in targets.values()):
        raise TargetError("nothing says where to cut; give iterations, quality, bpp or max_bytes")
    resolve_target(1, **targets)
    if not is_several(data):
        return _cut((data, destinations(out, None)[0]), targets)
    items, places = placed(Items(data), out)
    return each(partial(_cut, targets=targets), zip(items, places, strict=False))


def _cut(item: tuple[Source | Exception, Destination | None], targets: Targets) -> bytes:
    source, place = item
    if isinstance(source, Exception):
        raise source
    data = _truncate(source, targets)
    if place is not None:
        deliver(place, data)
    return data


def _truncate(data: Source, targets: Targets) -> bytes:
    from recodec.container.assembly import split
    from recodec.container.core import ALPHA
    from recodec.container.reader import Reader
    from recodec.container.targets import resolve_target
    from recodec.families.exact_rows import ExactIndex
    from recodec.families.registry import read_file_header

    reader = Reader(read_source(data))
    header = read_file_header(reader.header())
    pixels = header.common.width * header.common.height
    target = resolve_target(pixels, **targets)
    assembly, chunks, payload_bytes, exact, strips = split(reader, ExactIndex(header).take)
    if target.soft:
        assembly.code_chunks += chunks[: _chunks_of_rate(target, assembly.size_of(ALPHA), payload_bytes)]
        return assembly.to_bytes()
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


def _chunks_of_rate(target: Target, alpha_bytes: int, payload_bytes: Sequence[int]) -> int:
    """Code chunks that an encode for a rate would have written, which counts neither header nor what frames chunks."""
    from recodec.container.core import CHECKSUM_BYTES

    assert target.max_bytes is not None
    spent, count = alpha_bytes if target.alpha else 0, 0
    for size in payload_bytes:
        spent += size - CHECKSUM_BYTES
        if spent > target.max_bytes and count:
            break
        count += 1
    return count


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
