"""From files to pictures: what :meth:`recodec.Codec.decode` and :meth:`recodec.Codec.progressive` do."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image

from recodec.container.attachments import Attachments
from recodec.container.core import CODES, EXACT, STRIP
from recodec.container.reader import Chunk, Reader
from recodec.container.targets import positive_int
from recodec.decode_options import (
    DecodeOptions,
    ProgressiveOptions,
    check_decode_options,
    check_progressive_options,
)
from recodec.errors import FormatError, TruncatedError, WeightsError
from recodec.families.exact_rows import ExactRows
from recodec.families.lossless.strips import of_depth
from recodec.families.protocol import Decoder, Engine, FileHeader
from recodec.families.registry import read_file_header
from recodec.io.destinations import Destination, Replaced
from recodec.io.drafts import draft_factor, draft_iterations
from recodec.io.image_files import image_place, write_image
from recodec.io.output_images import Kind, Output, make_image, pillow_image
from recodec.io.reduced_sizes import MaxSize, check_max_size
from recodec.io.reduction import reduced
from recodec.io.sources import Source, read_blocks, read_source
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, Limits
from recodec.runtime.ambient import without_autocast
from recodec.runtime.batches import batched, prepared, usable_cores
from recodec.runtime.together import pictures_together
from recodec.several import attempt


@dataclass(frozen=True, slots=True)
class CodedFile:
    """A file whose header is read and checked."""

    reader: Reader
    header: FileHeader
    limits: Limits


def open_file(source: Source, limits: Limits) -> CodedFile:
    """Read a file and check its header against limits, before any memory is taken."""
    return _opened(Reader(read_source(source)), limits)


def _opened(reader: Reader, limits: Limits) -> CodedFile:
    header = read_file_header(reader.header())
    header.check(limits)
    return CodedFile(reader, header, limits)


class _Content:
    """What becomes of a file, as far as its chunks were taken. Raises :class:`WeightsError` for another codec's."""

    def __init__(
        self,
        engine: Engine,
        file: CodedFile,
        *,
        progressive: bool = False,
        threads: int = 1,
        place: Destination | Replaced | None = None,
        most: tuple[int, int] | None = None,
    ):
        if file.header.family.number != engine.family.number:
            raise WeightsError(
                f"the file is of family {file.header.family.name!r}, but this codec is {engine.id!r} of "
                f"{engine.family.name!r}; recodec.decode finds the codec that a file names"
            )
        engine.require(file.header)
        self.engine, self.header, self.place, self.most = engine, file.header, place, most
        self._begin = partial(engine.decoder, file.header, progressive=progressive, threads=threads)
        self._decoder: Decoder | None = None
        self.attachments = Attachments(file.header.common)
        self.rows = ExactRows(file.header, file.limits, threads)

    @property
    def decoder(self) -> Decoder:
        """Of the code chunks, once a chunk was taken that may be one."""
        assert self._decoder is not None
        return self._decoder

    @property
    def draft_factor(self) -> float:
        """See :func:`recodec.io.drafts.draft_factor`; 1 where fewer chunks would be a part of the picture."""
        common = self.header.common
        if self.most is None or self.header.details.by_rows:
            return 1.0
        return draft_factor((common.width, common.height), self.most)

    @property
    def batch_key(self) -> Hashable:
        """What pictures that are shown together have in common; None where that cannot be."""
        return None if self.rows.complete else self.decoder.batch_key

    def take(self, chunk: Chunk, *, exact: bool = True) -> None:
        """Look at the next chunk; those that hold codes are the caller's. Without ``exact`` rows are left alone."""
        if exact:
            self.rows.take(chunk)
        # Before anything takes memory, but behind what tells of exact rows, which leave less of it.
        if self._decoder is None and chunk.type != EXACT:
            self._decoder = self._begin(self.rows.rest)
        self.attachments.take(chunk)


def decode_all(
    engine: Engine,
    sources: Iterable[Source | CodedFile | Exception],
    kind: Kind,
    options: DecodeOptions,
    places: Iterable[Destination | None],
    *,
    alone: bool = False,
    batch_size: int | None = None,
) -> Iterator[Output | Exception]:
    """Pictures, in order, and an error in the place of each that is not to be had.

    Each is written to its place as well, where there is one. A file ``alone`` has the whole machine. Raises
    :class:`OptionError`, and :class:`TargetError` for options that no file could do with.
    """
    check_decode_options(options)
    # Places may go on for ever.
    wanted = zip(sources, places, strict=False)

    def show(content: _Content) -> Output:
        return _show(content, kind)

    together = pictures_together(engine.at_once, batch_size, alone=alone)
    if together == 1:

        def whole(item: tuple[Source | CodedFile | Exception, Destination | None]) -> Output:
            return show(_read(engine, *item, threads=torch.get_num_threads(), **options))

        yield from (attempt(whole, item) for item in wanted)
        return

    def process(contents: Sequence[_Content | Exception]) -> list[Output | Exception]:
        sound = [content for content in contents if not isinstance(content, Exception)]
        if not sound:
            return [content for content in contents if isinstance(content, Exception)]
        if sound[0].batch_key is not None:
            try:
                engine.decode_together([content.decoder for content in sound])
            except Exception as error:  # noqa: BLE001 - of all of them
                return [error] * len(sound)
        return [attempt(show, content) for content in sound]

    def read(item: tuple[Source | CodedFile | Exception, Destination | None]) -> _Content:
        return _read(engine, *item, **options)

    contents = prepared(wanted, partial(attempt, read), usable_cores())
    yield from batched(contents, _kind, process, together)


def _kind(content: _Content | Exception) -> Hashable:
    """Of files that are shown together; errors are of one kind, apart from all files."""
    return Exception if isinstance(content, Exception) else content.batch_key


def _read(
    engine: Engine,
    source: Source | CodedFile | Exception,
    place: Destination | None = None,
    *,
    iterations: int | None = None,
    strict: bool = False,
    max_size: MaxSize | None = None,
    draft: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    max_memory: int | None = DEFAULT_MAX_MEMORY,
    threads: int = 1,
) -> _Content:
    """All of a file but its picture. Raises like :meth:`recodec.Codec.decode`."""
    if isinstance(source, Exception):
        raise source
    wanted = engine.iterations if iterations is None else positive_int("iterations", iterations)
    file = source if isinstance(source, CodedFile) else open_file(source, Limits(max_pixels, max_memory))
    reader = file.reader
    content = _Content(engine, file, threads=threads, place=place, most=check_max_size(max_size))
    payloads: list[bytes] = []
    factor = content.draft_factor if draft else 1
    for chunk in reader.chunks():
        content.take(chunk, exact=iterations is None and factor == 1)
        if _is_code_chunk(engine, reader, chunk) and len(payloads) < wanted:
            payloads.append(chunk.payload)
    content.rows.decode()
    if strict and not reader.ended:
        raise TruncatedError(f"the file is cut after {reader.whole}; decode without strict to use them")
    if not payloads:
        raise TruncatedError("the file ends before its first code chunk")
    del payloads[draft_iterations(reader.iterations, factor) :]
    # Where rows are all exact, nothing else is shown.
    if not content.rows.complete:
        content.decoder.take(payloads)
    return content


def _is_code_chunk(engine: Engine, reader: Reader, chunk: Chunk) -> bool:
    """Raises :class:`FormatError` for more of them than a file of the codec can have."""
    if reader.iterations > engine.iterations:
        raise FormatError(f"the file has more code chunks than the {engine.iterations} of model {engine.id}")
    return chunk.type == CODES


# Not inference mode: what is handed out must be an ordinary tensor.
@torch.no_grad()
@without_autocast()
def _show(content: _Content, kind: Kind) -> Output:
    """The image that a caller would like from its parts."""
    common = content.header.common
    size = (common.channels + bool(common.alpha), common.height, common.width)
    rows, attachments = content.rows, content.attachments
    dtype = torch.uint8 if rows.depth == 8 else torch.uint16
    samples = torch.empty(size, dtype=dtype, device=content.engine.device)
    # Before the parts: those that have alpha themselves have more of it.
    if attachments.alpha is not None:
        samples[-1] = torch.from_numpy(of_depth(attachments.alpha, rows.depth))
    for region, part in rows.over(content.decoder):
        region.of(samples)[: len(part)] = part
    if content.most is not None:
        samples = reduced(samples, content.most)
    shown = make_image(samples, kind, attachments.metadata)
    if content.place is not None:
        # As the file has it, in which type the caller may want it.
        kept = shown if isinstance(shown, Image.Image) and kind.dtype is None else None
        write_image(content.place, kept or pillow_image(samples, attachments.metadata))
    return shown


def progressive(
    find: Callable[[FileHeader], Engine],
    source: Source,
    kind: Kind,
    options: ProgressiveOptions,
    out: Destination | None = None,
) -> Iterator[Output]:
    """A picture after every code chunk and every strip of a file whose bytes are still arriving.

    ``find`` finds its codec. Each picture takes the place of the one before in ``out``. Raises :class:`OptionError` and
    :class:`TargetError` at once.
    """
    limits, most = check_progressive_options(options), check_max_size(options.get("max_size"))
    place = image_place(out)
    kept = place if place is None or isinstance(place, str | os.PathLike) else Replaced(place)
    return _progressive(find, source, kind, most, limits, kept)


def _progressive(
    find: Callable[[FileHeader], Engine],
    source: Source,
    kind: Kind,
    most: tuple[int, int] | None,
    limits: Limits,
    place: Destination | Replaced | None,
) -> Iterator[Output]:
    reader = Reader()
    content: _Content | None = None
    for block in read_blocks(source):
        reader.feed(block)
        if content is None:
            try:
                file = _opened(reader, limits)
            except TruncatedError:
                continue  # the header may be complete with the next block
            content = _Content(
                find(file.header),
                file,
                progressive=True,
                threads=torch.get_num_threads(),
                place=place,
                most=most,
            )
        for chunk in reader.chunks():
            content.take(chunk)
            content.rows.decode()
            if _is_code_chunk(content.engine, reader, chunk):
                content.decoder.take([chunk.payload])
            elif chunk.type != STRIP or content.rows.fields is None:
                continue
            yield _show(content, kind)
        if reader.ended:
            break
    if reader.iterations == 0:
        raise TruncatedError("the data ends before the first code chunk")
