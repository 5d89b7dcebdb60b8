"""The file of one picture, filled chunk by chunk until it meets its target."""

from __future__ import annotations

from collections.abc import Iterable

from recodec import _core
from recodec.container.assembly import Assembly
from recodec.container.attachments import encode_alpha
from recodec.container.core import (
    ALPHA,
    ALPHA_AS_PNG,
    CHECKSUM_BYTES,
    CODES,
    EXACT,
    EXIF,
    ICC,
    STRIP,
    XMP,
    attached_chunk,
)
from recodec.container.targets import Target
from recodec.errors import MetadataDroppedWarning, RecodecWarning
from recodec.io.pictures import Picture


class FileWriter:
    """Takes the payloads of code chunks until the file is complete, which it is with ``iterations`` of them at most.

    ``max_bytes`` 0 is no limit. A target for quality in dB is its caller's business: to this it is no target.
    """

    def __init__(self, header: _core.Header, picture: Picture, target: Target, iterations: int):
        self.iterations = target.iterations or iterations
        self.noticed: list[RecodecWarning] = []
        self.assembly = _start(header, picture)
        self.max_bytes = target.max_bytes or 0
        self._soft, self._limit = target.soft, target.max_bytes
        self._spent = self.assembly.size_of(ALPHA) if target.alpha else 0

    @property
    def warnings(self) -> list[RecodecWarning]:
        """What is to be said of the file: what was noticed of the picture, and metadata that had no room."""
        dropped = self.assembly.dropped
        return [*self.noticed, MetadataDroppedWarning(dropped, self.max_bytes)] if dropped else self.noticed

    def add(self, payload: bytes) -> bool:
        """Take one more code chunk, unless the file has no room for it, and tell whether the file is complete.

        Raises :class:`TargetError` if not even the first chunk has room.
        """
        chunk, chunks = _core.write_chunk(CODES, payload), self.assembly.code_chunks
        full = False
        if self._limit is not None and self._soft:
            self._spent += len(payload) - CHECKSUM_BYTES
            full = self._spent > self._limit
        elif self._limit is not None:
            if not chunks:
                self.assembly.make_room(chunk, self._limit)
            full = self.assembly.size_with(chunk) > self._limit
        if not (full and chunks):
            chunks.append(chunk)
        return full or len(chunks) == self.iterations

    def add_strips(self, fields: bytes, payloads: Iterable[bytes]) -> None:
        """Let strips of exact rows follow the code chunks; ``fields`` are those of strips."""
        strips = [_core.write_chunk(STRIP, payload) for payload in payloads]
        self.assembly.add_strips(attached_chunk(EXACT, fields), strips)


def _start(header: _core.Header, picture: Picture) -> Assembly:
    """A file without codes yet."""
    assembly = Assembly(header)
    attached = dict(picture.metadata)
    if header.alpha == ALPHA_AS_PNG:
        assert picture.alpha is not None
        attached[ALPHA] = encode_alpha(picture.alpha)
    for chunk_type in (ICC, ALPHA, EXIF, XMP):
        if chunk_type in attached:
            chunk = attached_chunk(chunk_type, attached[chunk_type])
            assembly.attach(chunk_type, chunk, before_codes=chunk_type in (ICC, ALPHA))
    return assembly
