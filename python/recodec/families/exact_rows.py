"""Exact rows over a lossy picture: EXACT and STRIP chunks, whatever family the code chunks are of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recodec.container.core import CODES, EXACT, STRIP
from recodec.container.reader import Chunk
from recodec.errors import FormatError
from recodec.families.lossless.fields import MEMORY_SHARE, StripDetails, StripFields
from recodec.families.lossless.strips import Samples, StripChecker, StripDecoder, Workers, of_depth
from recodec.families.protocol import Decoder, FileHeader
from recodec.limits import Limits

if TYPE_CHECKING:
    from torch import Tensor

    from recodec.runtime.tiling import Region


class ExactIndex:
    """What the chunks of a file say of its exact rows, without decoding any.

    ``fields`` are those of the strips, None where a file announces none.
    """

    def __init__(self, header: FileHeader):
        self._common = header.common
        # Files of strips have nothing to lay more of them over.
        self._ignored = header.details.by_rows
        self._first = True
        self._codes = self._strips = 0
        self.fields: StripFields | None = None

    @property
    def details(self) -> StripDetails | None:
        """What :func:`recodec.info` says of them."""
        return None if self.fields is None else self.fields.details(self._common.height)

    def take(self, chunk: Chunk) -> None:
        """Look at the next chunk, of any type. Raises :class:`FormatError` for one at the wrong place."""
        first, self._first = self._first, False
        if self._ignored:
            return
        if chunk.type == EXACT:
            if not first:
                raise FormatError(
                    "an exact chunk stands behind other chunks; it must be the first, and the only one"
                )
            self.fields = StripFields.read(chunk.verified(), self._common)
        elif chunk.type == CODES:
            if self._strips:
                raise FormatError("a code chunk comes after strips of exact rows: the file is damaged")
            self._codes += 1
        elif chunk.type == STRIP:
            self._strips += 1
            if self.fields is None or not self._codes:
                before = "code chunks" if self.fields else "the exact chunk"
                raise FormatError(
                    f"a strip of exact rows comes without {before} before it: the file is damaged"
                )
            if self._strips > (number := self.fields.strips(self._common.height)):
                raise FormatError(f"the file has more strips than the {number} of its picture")


class ExactChecker(ExactIndex):
    """The same, with the strips decoded and forgotten."""

    def __init__(self, header: FileHeader, limits: Limits, threads: int = 1):
        super().__init__(header)
        self._limits, self._threads = limits, threads
        self._decoder: StripChecker | None = None
        self._waiting: list[bytes] = []

    @property
    def rest(self) -> Limits:
        """What is left for the lossy picture. Raises :class:`LimitError`."""
        if self.fields is None:
            return self._limits
        width, height = self._common.width, self._common.height
        return self._limits.less(self.fields.memory(width, height, self._workers(self.fields).at_once))

    def take(self, chunk: Chunk) -> None:
        """Look at the next chunk, as above; strips wait for :meth:`decode`."""
        super().take(chunk)
        if chunk.type == STRIP and self.fields is not None:
            self._waiting.append(chunk.payload)

    def decode(self) -> None:
        """Decode the strips that were taken. Raises :class:`ChecksumError` and :class:`FormatError`."""
        payloads, self._waiting = self._waiting, []
        if payloads and self.fields is not None:
            if self._decoder is None:
                self._decoder = self._begin(self.fields)
            self._decoder.take(payloads)

    def _workers(self, fields: StripFields) -> Workers:
        width, height = self._common.width, self._common.height
        memory = int(self._limits.max_memory * MEMORY_SHARE)
        return Workers(fields.at_once(width, height, self._threads, memory), self._threads)

    def _begin(self, fields: StripFields) -> StripChecker:
        return StripChecker(self._common.width, self._common.height, fields, self._workers(fields), STRIP)


class ExactRows(ExactChecker):
    """The same, with the rows laid over what a decoder shows."""

    _picture: StripDecoder | None = None
    _filled = False

    def _begin(self, fields: StripFields) -> StripChecker:
        common = self._common
        self._picture = StripDecoder(common.width, common.height, fields, self._workers(fields), STRIP)
        return self._picture

    @property
    def complete(self) -> bool:
        """Whether nothing of the lossy picture is to be seen."""
        return self._picture is not None and self._picture.rows == self._common.height

    @property
    def depth(self) -> int:
        """Bits of a sample in all pictures of the file, so that they are of one kind."""
        return self._common.bit_depth if self.fields is None else self.fields.depth

    def over(self, decoder: Decoder) -> Iterator[tuple[Region, Tensor]]:
        """Region by region, the picture: rows that are exact, and below them what ``decoder`` shows.

        Parts have the channels of colour, or those and alpha where strips hold it.
        """
        import torch

        from recodec.runtime.tiling import Region

        if self._picture is None:
            for region, part in decoder.show():
                yield region, self._of_depth(part)
            return
        samples, known = self._picture.samples, self._picture.rows
        # Once is enough: no code chunk comes after a strip.
        if not self._filled and not self.complete:
            for region, part in decoder.show():
                _fill(samples, known, region, self._of_depth(part).cpu())
        self._filled = True
        shown = torch.from_numpy(samples).permute(2, 0, 1)
        rows = Region(0, 0, known, self._common.width)
        yield rows, rows.of(shown)
        # Of alpha, which strips may hold, a decoder has nothing to say.
        below = Region(known, 0, self._common.height - known, self._common.width)
        yield below, below.of(shown)[: self._common.channels]

    def _of_depth(self, part: Tensor) -> Tensor:
        import torch

        # Tensors of 16 bits know no arithmetic.
        return part if self.depth == 8 else torch.from_numpy(of_depth(part.cpu().numpy(), self.depth))


def _fill(samples: Samples, known: int, region: Region, part: Tensor) -> None:
    """Samples below the known rows, from a part of the picture."""
    top = max(region.top, known)
    target = samples[top : region.top + region.height, region.left : region.left + region.width]
    target[:, :, : len(part)] = part[:, top - region.top :].permute(1, 2, 0).numpy()
