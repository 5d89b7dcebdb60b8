"""What a file says about itself, readable without its model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from recodec.container.core import CODES, ICC, METADATA_NAMES, STRIP, picture_mode
from recodec.container.reader import Chunk, Reader
from recodec.errors import FormatError, TruncatedError


@dataclass(frozen=True)
class Details:
    """What a family says of its own fields; one that has none says nothing.

    With ``by_rows`` chunks hold parts of the picture, from the top; without, each improves all of it.
    """

    by_rows: ClassVar[bool] = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    def is_exact(self, chunks: int) -> bool:
        """Whether so many chunks are the picture without loss."""
        return False

    def rows(self) -> dict[str, str]:
        """A few lines for a reader, each under a name of at most 8 letters."""
        return {}


@dataclass(frozen=True, slots=True)
class Info:
    """What a file says about itself, readable without its model.

    ``channels`` counts those of colour, without alpha. ``family`` names how the picture is coded, ``details`` are the
    family's own: for "recurrent" a :class:`recodec.families.recurrent.header.PlaneDetails`.
    ``chunk_bytes`` holds the size of every whole code chunk, ``truncated`` tells whether the file ends
    before its end mark. Where strips of exact rows follow the code chunks, ``exact`` has what the file says of them,
    the same as ``details`` of the family "lossless", and ``strip_bytes`` the sizes of those that are there.
    """

    width: int
    height: int
    channels: int
    alpha: bool
    bit_depth: int
    family: str
    model: str
    model_hash: str
    details: Any
    iterations: int
    file_bytes: int
    header_bytes: int
    chunk_bytes: tuple[int, ...]
    exact: Any
    strip_bytes: tuple[int, ...]
    metadata: tuple[str, ...]
    truncated: bool
    mode: str
    _chunk_ends: tuple[int, ...] = field(repr=False)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * self.file_bytes / self.pixels

    @property
    def lossless(self) -> bool:
        """Whether every sample comes back as it was, all of it being intact."""
        if self.exact is None:
            return bool(self.details.is_exact(self.iterations))
        return bool(self.exact.is_exact(len(self.strip_bytes)))

    @property
    def strips(self) -> int:
        """Strips of exact rows that are there."""
        return self.iterations if self.details.by_rows else len(self.strip_bytes)

    def prefix_bytes(self, iterations: int) -> int:
        """Bytes from the start of the file to the end of the given code chunk (from 1)."""
        if not 1 <= iterations <= self.iterations:
            raise FormatError(f"iterations is {iterations}; the file holds {self.iterations}")
        return self._chunk_ends[iterations - 1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, the family's details, those of strips and ``bpp`` included."""
        data = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        del data["details"], data["exact"]
        data |= self.details.to_dict()
        if self.exact is not None:
            data |= self.exact.to_dict()
        return {**data, "strips_present": self.strips, "lossless": self.lossless, "bpp": self.bpp}


class InfoBuilder:
    """Gathers what a file says about itself as its chunks go by."""

    def __init__(self, reader: Reader):
        self._reader = reader
        self._header = reader.header()
        self._previous = reader.header_bytes
        self._sizes: list[int] = []
        self._ends: list[int] = []
        self._strips: list[int] = []
        self._names: dict[str, None] = {}

    def take(self, chunk: Chunk) -> None:
        """Look at the next chunk of the file, of any type."""
        if chunk.type == CODES:
            self._sizes.append(chunk.end - self._previous)
            self._ends.append(chunk.end)
        elif chunk.type == STRIP:
            self._strips.append(chunk.end - self._previous)
        elif chunk.type in METADATA_NAMES and (chunk.type != ICC or not self._sizes):
            self._names[METADATA_NAMES[chunk.type]] = None
        self._previous = chunk.end

    def build(self, family: str, details: Details, exact: Details | None = None) -> Info:
        """After the last chunk; ``exact`` is of strips that follow the code chunks.

        Raises :class:`TruncatedError` if there is no whole code chunk.
        """
        reader, header = self._reader, self._header
        if not self._sizes:
            raise TruncatedError(f"the file ends before its first code chunk, after {len(reader)} bytes")
        return Info(
            width=header.width,
            height=header.height,
            channels=header.channels,
            alpha=bool(header.alpha),
            bit_depth=header.bit_depth,
            family=family,
            model=header.model,
            model_hash=header.model_hash.hex(),
            details=details,
            iterations=len(self._sizes),
            # What follows the end mark is not part of the file.
            file_bytes=reader.position if reader.ended else len(reader),
            header_bytes=reader.header_bytes,
            chunk_bytes=tuple(self._sizes),
            exact=exact,
            strip_bytes=tuple(self._strips if exact is not None else ()),
            metadata=tuple(self._names),
            truncated=not reader.ended,
            mode=picture_mode(header),
            _chunk_ends=tuple(self._ends),
        )
