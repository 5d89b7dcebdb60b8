"""Planes of codes to payloads of chunks and back: the entropy coder bound to one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import core_errors
from recodec.container.targets import positive_int
from recodec.errors import FormatError, WeightsError
from recodec.limits import too_much_memory

Codes = NDArray[np.int8]

# What a coder takes from a model.
CoderPart: TypeAlias = _core.EntropyTables | _core.EmbeddedTables | _core.EmbeddedOrder

# Kinds of entropy coders, and the versions of both for embedded planes.
ADAPTIVE, NETWORK = _core.ADAPTIVE, _core.NETWORK
EMBEDDED = {ADAPTIVE: 4, NETWORK: 4}


def needs_model(fields: _core.PlaneHeader) -> bool:
    """Whether codes cannot be decoded without a part of the model."""
    return fields.entropy == NETWORK or fields.embedded


class PlaneEncoder:
    """Turns one plane of codes after the other into payloads, with a version of an entropy coder.

    That is a network with tables as the model's ``part``, and adaptive contexts otherwise.
    """

    def __init__(
        self,
        depth: int,
        rows: int,
        columns: int,
        version: int = 1,
        part: CoderPart | None = None,
    ):
        with core_errors():
            kind = ADAPTIVE if part is None or isinstance(part, _core.EmbeddedOrder) else NETWORK
            self._coder = _core.ChunkCoder(kind, version, depth, rows, columns, part)

    def encode(self, codes: Codes) -> bytes:
        """Payload of the next plane; ``codes`` is (codes, rows, columns) of −1, +1 and, where there are any, 0."""
        with core_errors():
            return self._coder.encode(codes)


def _kind(
    model: str, fields: _core.PlaneHeader, grid: tuple[int, int], part: CoderPart | None
) -> tuple[int, int, int, int, int, CoderPart | None]:
    """What makes a coder. Raises :class:`WeightsError` where a file needs a ``part`` of its model and gets none."""
    if not needs_model(fields):
        part = None
    elif part is None:
        what = "an entropy network" if fields.entropy == NETWORK else "embedded planes"
        raise WeightsError(f"the codes of this file need {what}, which model {model!r} here does not have")
    return fields.entropy, fields.entropy_version, fields.depth, *grid, part


def coder_bytes(
    model: str,
    fields: _core.PlaneHeader,
    grid: tuple[int, int],
    part: CoderPart | None,
    threads: int = 1,
) -> int:
    """About the bytes that decoding planes takes, without the planes. Raises :class:`WeightsError` like a decoder."""
    with core_errors():
        return _core.coder_bytes(*_kind(model, fields, grid, part), threads)


class PlaneDecoder:
    """Turns one payload after the other into planes of codes, on up to so many ``threads``.

    Raises :class:`WeightsError` where the file needs a ``part`` of its model and gets none, and :class:`LimitError`,
    before memory is taken, where the process would take more than ``max_memory`` bytes, ``reserved`` of them for
    other things. Fewer threads take less.
    """

    def __init__(
        self,
        model: str,
        fields: _core.PlaneHeader,
        grid: tuple[int, int],
        max_memory: int,
        part: CoderPart | None = None,
        threads: int = 1,
        reserved: int = 0,
    ):
        self._shape = (fields.depth, *grid)
        room = positive_int("max_memory", max_memory) - reserved
        while (taken := coder_bytes(model, fields, grid, part, threads)) > room:
            if threads == 1:
                raise too_much_memory(reserved + taken, max_memory)
            threads -= 1
        with core_errors():
            self._coder = _core.ChunkCoder(*_kind(model, fields, grid, part))
        self.threads = threads

    def decode(self, payloads: Sequence[bytes]) -> list[Codes]:
        """The planes of the payloads that come next, (codes, rows, columns) each.

        With the entropy network, several are decoded at once, each a little behind the one before. Raises
        :class:`ChecksumError` if one is damaged.
        """
        with core_errors():
            planes = self._coder.decode(payloads, self.threads)
        return [plane.reshape(-1, *self._shape[1:]) for plane in planes]


class PlaneChecker:
    """Decodes the codes of a file and forgets them.

    ``iterations`` is how many planes its model has; without one, :class:`LimitError` is raised for more work than
    files of known models take in proportion to their pixels, before any of it.
    """

    def __init__(self, decoder: PlaneDecoder, fields: _core.PlaneHeader, iterations: int | None = None):
        self._decoder, self._fields, self._iterations = decoder, fields, iterations
        self._count = 0

    def take(self, payloads: Sequence[bytes]) -> None:
        """Check the payloads that come next, by decoding them. Raises like :meth:`PlaneDecoder.decode`."""
        self._count += len(payloads)
        self._check_count()
        # Planes that nobody wants need not all be there at once.
        for start in range(0, len(payloads), self._decoder.threads):
            self._decoder.decode(payloads[start : start + self._decoder.threads])

    def _check_count(self) -> None:
        if self._iterations is None:
            with core_errors():
                _core.check_codes(self._fields, self._count)
        elif self._count > self._iterations:
            raise FormatError(
                f"the file has {self._count} code chunks; its model has {self._iterations} iterations at most"
            )
