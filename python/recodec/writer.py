"""The file of one picture, filled chunk by chunk until it meets its target."""

from __future__ import annotations

from recodec import _core
from recodec.attachments import encode_alpha
from recodec.bitstream import (
    ALPHA,
    EXIF,
    ICC,
    METADATA_NAMES,
    XMP,
    Assembly,
    attached_chunk,
    core_errors,
)
from recodec.entropy import Codes, PlaneEncoder, grid_shape
from recodec.images import Picture
from recodec.rate import Target


class FileWriter:
    """Takes planes of codes until the file is complete; ``iterations`` is the most that it takes, ``max_bytes`` 0 no limit.

    A target for quality in dB is its caller's business: to this it is no target.
    """

    def __init__(
        self,
        header: _core.Header,
        picture: Picture,
        target: Target,
        iterations: int,
        contexts: _core.ContextTables | None,
    ):
        self.iterations = target.iterations or iterations
        self.assembly = _start(header, picture)
        self.max_bytes = target.max_bytes or 0
        self._soft, self._limit = target.soft, target.max_bytes
        if self._limit is not None and target.soft:
            self._limit += self.assembly.size_of(*METADATA_NAMES)
        rows, columns = grid_shape(picture.width, picture.height, header.stride)
        self._coder = PlaneEncoder(header.depth, rows, columns, header.entropy_version, contexts)

    @property
    def dropped(self) -> list[str]:
        """Metadata that ``max_bytes`` left no room for."""
        return self.assembly.dropped

    def add(self, plane: Codes) -> bool:
        """Code one more plane, unless the file has no room for it, and tell whether the file is complete.

        Raises :class:`TargetError` if not even the first chunk has room.
        """
        chunk, chunks = self._coder.encode(plane), self.assembly.code_chunks
        full = False
        if self._limit is not None:
            if not chunks and not self._soft:
                self.assembly.make_room(chunk, self._limit)
            full = self.assembly.size_with(chunk) > self._limit
        if not (full and chunks):
            chunks.append(chunk)
        return full or len(chunks) == self.iterations


def _start(header: _core.Header, picture: Picture) -> Assembly:
    """A file without codes yet."""
    with core_errors():
        assembly = Assembly(_core.write_header(header))
    attached = dict(picture.metadata)
    if picture.alpha is not None:
        attached[ALPHA] = encode_alpha(picture.alpha)
    for kind in (ICC, ALPHA, EXIF, XMP):
        if kind in attached:
            chunk = attached_chunk(kind, attached[kind])
            assembly.attach(kind, chunk, before_codes=kind in (ICC, ALPHA))
    return assembly
