"""Planes of codes to payloads of chunks and back: the entropy coder bound to one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import core_errors
from recodec.errors import LimitError, WeightsError

Codes = NDArray[np.int8]

# What a coder takes from a model.
CoderPart: TypeAlias = _core.EntropyTables | _core.EmbeddedTables | _core.EmbeddedOrder

# Kinds of entropy coders, and the versions of both for embedded planes.
ADAPTIVE, NETWORK = _core.ADAPTIVE, _core.NETWORK
EMBEDDED = {ADAPTIVE: 4, NETWORK: 2}

# Codes times depth per pixel of a whole file: twice what 12 iterations at depth 96, stride 16 take.
_COST_PER_PIXEL = 864


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


class PlaneDecoder:
    """Turns one payload after the other into planes of codes.

    Decoding takes time in proportion to codes times depth, whatever the size of a chunk. Raises
    :class:`LimitError` where that exceeds what any sound file of ``max_pixels`` pixels would take: for
    the first plane before memory is taken, for later ones before they are decoded. Raises
    :class:`WeightsError` where the file needs a ``part`` of its model and gets none. What embedded planes take is
    fixed by the model.
    """

    def __init__(
        self,
        model: str,
        fields: _core.PlaneHeader,
        grid: tuple[int, int],
        max_pixels: int,
        part: CoderPart | None = None,
        threads: int = 1,
    ):
        rows, columns = grid
        self._threads = threads
        self._count = 0
        self._shape = (fields.depth, rows, columns)
        self._cost = 0 if fields.embedded else fields.depth * rows * columns * fields.depth
        self._budget = _COST_PER_PIXEL * max_pixels
        self._check_budget()
        if not needs_model(fields):
            part = None
        elif part is None:
            what = "an entropy network" if fields.entropy == NETWORK else "embedded planes"
            raise WeightsError(
                f"the codes of this file need {what}, which model {model!r} here does not have"
            )
        with core_errors():
            self._coder = _core.ChunkCoder(fields.entropy, fields.entropy_version, *self._shape, part)

    def _check_budget(self) -> None:
        if self._cost * (self._count + 1) > self._budget:
            depth, rows, columns = self._shape
            raise LimitError(
                f"{self._count + 1} code chunks of {depth} x {rows} x {columns} codes take too long to decode "
                "for the limit on pixels; raise max_pixels to allow it"
            )

    def decode(self, payloads: Sequence[bytes]) -> list[Codes]:
        """The planes of the payloads that come next, (codes, rows, columns) each.

        With the entropy network, several are decoded at once, each a little behind the one before. Raises
        :class:`ChecksumError` if one is damaged.
        """
        for _ in payloads:
            self._check_budget()
            self._count += 1
        with core_errors():
            planes = self._coder.decode(payloads, self._threads)
        return [plane.reshape(-1, *self._shape[1:]) for plane in planes]

    def take(self, payloads: Sequence[bytes]) -> None:
        """Check the payloads that come next, by decoding them. Raises like :meth:`decode`."""
        self.decode(payloads)
