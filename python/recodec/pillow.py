"""Pillow plugin: after ``import recodec.pillow``, Pillow opens and saves .rcd files::

    with Image.open("photo.rcd") as image:  # the header and the metadata; no model is loaded
        image.draft(None, (320, 240))  # fewer pixels, of fewer iterations
        image.load()
    image.save("copy.rcd", quality=60)  # or bpp=, max_bytes=, psnr=, iterations=; effort=, model=, exif=, dpi=, ...
    image.save("exact.rcd", lossless=True)  # every sample; effort=, preview=

What other formats of Pillow take and recodec does not, such as ``optimize``, is ignored with a warning. Importing this
module loads no torch; the first picture that is decoded or saved does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import IO, Any

from PIL import Image, ImageFile

from recodec import _core, files
from recodec.container.core import CODES, END, METADATA_NAMES, core_errors, picture_mode
from recodec.container.reader import Chunk, Reader, keep_metadata
from recodec.errors import FormatError, ImageError, InputWarning, RecodecError
from recodec.families.registry import read_file_header
from recodec.io.declared import declared
from recodec.io.drafts import draft_iterations
from recodec.io.exclusive import exclusive
from recodec.io.further_pictures import frames_of
from recodec.io.metadata import INFO_KEYS, as_bytes, as_info, written_exif
from recodec.io.reduced_sizes import covering_size, reduced_size
from recodec.io.resolution import asked_dpi
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS
from recodec.lossless_mode import LOSSLESS, lossless_mode
from recodec.notices import warn
from recodec.options import ignored_options

# Image.open takes no options, so these are the module's: the largest picture that load() decodes, and the memory that
# the process may take for it.
MAX_PIXELS, MAX_MEMORY = DEFAULT_MAX_PIXELS, DEFAULT_MAX_MEMORY

_HEADER_BYTES = 4 + 1 + 2 + 512 + 4
_CHUNK_HEAD_BYTES = 1 + 5


@contextmanager
def _errors_as(kind: type[Exception]) -> Iterator[None]:
    """Raise what Pillow expects of a plugin: SyntaxError for no such file, OSError for no such picture."""
    try:
        yield
    except RecodecError as error:
        raise kind(str(error)) from error


class RecodecImageFile(ImageFile.ImageFile):
    """A .rcd file as a Pillow image.

    Opening reads the header and the metadata and skips the codes, so ``size``, ``mode`` and ``info`` cost
    nothing. ``n_iterations`` is the number of whole code chunks in the file, and ``truncated`` tells
    whether it ends before its end mark. ``load`` decodes the first ``iterations`` (1 to ``n_iterations``,
    at first all of them) with the model that the file names.

    A file that was cut loads as far as its whole chunks go. A damaged chunk is an error, unless
    ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES`` is set: then the chunks before it are shown.
    """

    format = "RECODEC"
    format_description = "recodec progressive image"

    # What an image has that was unpickled, and so has no file any more.
    n_iterations = 0
    iterations = 0
    truncated = False
    _by_rows = False
    # What a draft left of the size: of the file's picture, as ``max_size`` has it.
    _whole = (0, 0)
    _most: tuple[int, int] | None = None

    def _open(self) -> None:
        assert self.fp is not None
        reader = Reader(self.fp.read(_HEADER_BYTES))
        with _errors_as(SyntaxError):
            header = reader.header()
            self._by_rows = read_file_header(header).details.by_rows
            self._mode = picture_mode(header)
            self._size = self._whole = (header.width, header.height)
        # What is no recodec file, Pillow tries to read as another; damage in one has to be named.
        with _errors_as(OSError):
            try:
                self._read_index(reader.header_bytes)
            except FormatError:
                if not ImageFile.LOAD_TRUNCATED_IMAGES:
                    raise
        self.iterations = self.n_iterations
        self.tile = [ImageFile._Tile("recodec", (0, 0, *self.size), 0, self.mode)]

    def _read_index(self, position: int) -> None:
        """Count code chunks and take the metadata, seeking from chunk to chunk."""
        assert self.fp is not None
        self.truncated = True
        metadata: dict[int, bytes] = {}
        end = self.fp.seek(0, os.SEEK_END)
        for chunk_type, start, stop in _chunks(self.fp, position, end):
            if chunk_type == END:
                self.truncated = False
                break
            if chunk_type == CODES:
                self.n_iterations += 1
            elif chunk_type in METADATA_NAMES:
                self.fp.seek(start)
                chunk = Chunk(chunk_type, self.fp.read(stop - start), stop)
                keep_metadata(metadata, chunk, after_codes=self.n_iterations > 0)
        self.info |= as_info(metadata)

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Have ``load`` give the smallest picture of the same shape that is no smaller than ``size`` on either side.

        ``thumbnail`` does so by itself. Shown at 1/f of its width, a picture needs about 1/f of its iterations to
        look as good, since scaling averages the errors away, and no more of them are decoded. ``size`` of the image
        is the new one at once, and no draft makes it larger again. ``mode`` is ignored. Returns the mode and box
        that ``load`` will give, or None if the picture is loaded already.
        """
        if not self.tile:
            return None
        if size is not None and covering_size(*self.size, size):
            # Fewer strips would be a part of the picture.
            if not self._by_rows:
                factor = min(whole / max(part, 1) for whole, part in zip(self._whole, size, strict=True))
                self.iterations = min(self.iterations, draft_iterations(self.n_iterations, factor))
            self._most = covering_size(*self._whole, size)
            assert self._most is not None
            self._size = reduced_size(*self._whole, self._most)
            self.tile = [self.tile[0]._replace(extents=(0, 0, *self.size))]
        return self.mode, (0, 0, *self.size)

    def load(self) -> Any:
        """Decode the picture unless that is done. Raises OSError if it cannot be decoded."""
        if self.tile:
            picture = self._decode(self._content())
            self.im, self._mode, self._size = picture.im, picture.mode, picture.size
            self.readonly = picture.readonly
            self.tile = []
            if self.fp and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Tell :class:`PIL.ImageFile.Parser` to hand over whole files: there is nothing to seek."""

    def verify(self) -> None:
        """Decode all codes and compare every checksum, without the model.

        Raises OSError for damage and for a file that was cut.
        """
        with _errors_as(OSError):
            files.verify(self._content(), max_pixels=MAX_PIXELS, max_memory=MAX_MEMORY)
        super().verify()

    def _content(self) -> bytes:
        if self.fp is None:
            raise ValueError("Operation on closed image")
        self.fp.seek(0)
        return self.fp.read()

    def _decode(self, data: bytes) -> Image.Image:
        from recodec.api import decode, progressive

        options: Any = {"max_size": self._most, "max_pixels": MAX_PIXELS, "max_memory": MAX_MEMORY}
        with _errors_as(OSError):
            # With all code chunks, what follows them too. No code chunk at all: decode says so.
            wanted = self.iterations if 0 < self.iterations < self.n_iterations else None
            if not ImageFile.LOAD_TRUNCATED_IMAGES:
                whole: Image.Image = decode(data, iterations=wanted, **options)
                return whole
            best: Image.Image | None = None
            try:
                pictures = progressive(data, **options)
                for picture in islice(pictures, wanted):
                    best = picture
            except FormatError:
                if best is None:
                    raise
            assert best is not None
            return best


def _chunks(fp: IO[bytes], position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and stop of the payload of each whole chunk, read from its head alone."""
    while True:
        fp.seek(position)
        with core_errors():
            head = _core.read_chunk_head(fp.read(_CHUNK_HEAD_BYTES), 0)
        if head is None:
            return
        start = position + head.payload
        position += head.next
        if position > end:
            return
        yield head.type, start, position


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_core.MAGIC)


def _save(im: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    from recodec.api import encode
    from recodec.codec import EncodeOptions
    from recodec.io.pictures import from_pillow

    given: dict[str, Any] = im.encoderinfo
    names = EncodeOptions.__optional_keys__ | {"model"}
    if ignored := ignored_options(given, {*names, *INFO_KEYS, "dpi", "append_images"}):
        warn(ignored)
    options: Any = {name: value for name, value in given.items() if name in names}
    metadata: Any = {key: _metadata(key, given[key]) for key in INFO_KEYS if key in given}
    metadata["dpi"] = asked_dpi(given.get("dpi"))
    # As with all of Pillow's writers, the current frame is meant.
    with exclusive(im):
        told = replace(declared(im), frames=1)
    convert, strip = bool(options.get("convert")), bool(options.get("strip"))
    exact = lossless_mode(options, lossless=options.get("model") == LOSSLESS).lossless
    try:
        picture = from_pillow(im, convert=convert, strip=strip, exact=exact, told=told, given=metadata)
        fp.write(encode(picture, **options))
    except ImageError as error:
        raise OSError(f"cannot write mode {im.mode} as RECODEC: {error}") from error


def _save_all(im: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    count = frames_of(im) + len(list(im.encoderinfo.get("append_images") or ()))
    if count > 1:
        raise OSError(f"cannot write {count} pictures as RECODEC, which stores one; save the one you want")
    _save(im, fp, filename)


def _metadata(key: str, value: Any) -> bytes | None:
    """An argument of ``save``. Raises :class:`ImageError` for one of the wrong type."""
    if key != "exif" or not isinstance(value, Image.Exif):
        return as_bytes(key, value)
    exif, said = written_exif(value)
    for text in said:
        warn(InputWarning(f"of the image, {text}"))
    return exif


Image.register_open(RecodecImageFile.format, RecodecImageFile, _accept)
Image.register_save(RecodecImageFile.format, _save)
Image.register_save_all(RecodecImageFile.format, _save_all)
Image.register_extension(RecodecImageFile.format, ".rcd")
Image.register_mime(RecodecImageFile.format, "image/x-recodec")
