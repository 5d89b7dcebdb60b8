"""Columns of batches, encoded and decoded: what Ray Data's ``map_batches`` calls, and others that map batches::

    dataset.map_batches(EncodeColumn, fn_constructor_kwargs={"bpp": 0.5}, batch_size=16, concurrency=4)

A batch is a dictionary of columns: NumPy arrays or lists, all of one length. Ray itself is not needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

import recodec
from recodec.codec import EncodeOptions
from recodec.decode_options import DecodeOptions, check_decode_options
from recodec.errors import BatchError, OptionError, line_of
from recodec.io.output_images import AnyType, check_kind
from recodec.lossless_mode import model_for
from recodec.options import check_options, with_options
from recodec.pipelines.codecs import Codecs
from recodec.runtime.together import check_batch_size
from recodec.several import outcomes

Batch: TypeAlias = Mapping[str, Any]


class EncodeColumn:
    """From a batch to the same batch with a column of pictures encoded. Pickles; holds one codec."""

    @with_options(EncodeOptions)
    def __init__(
        self,
        column: str = "image",
        *,
        into: str | None = None,
        errors: str | None = "error",
        model: str = "default",
        device: str = "cpu",
        arithmetic: str = "float32",
        batch_size: int | None = None,
        **options: Unpack[EncodeOptions],
    ):
        """Encode what :func:`recodec.encode` takes: image files' bytes, paths, arrays; a column may be N×H×W×C.

        The files, as bytes, take the column's place, or are a column of their own, ``into``. One bad picture costs
        itself alone: its file is None, and the column ``errors`` says why, which is None for all others; without such a
        column a :class:`BatchError` is raised. Networks compute on ``device`` in ``arithmetic`` ("float32", "bfloat16",
        "float16"), on a GPU ``batch_size`` pictures together. Raises like :func:`recodec.load`.
        """
        check_options("EncodeColumn", options, EncodeOptions.__optional_keys__)
        self._place = _Place(column, into, errors)
        self._options = {"batch_size": check_batch_size(batch_size), **options}
        self._codec = recodec.load(model_for(model, options), device=device, dtype=arithmetic)

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The batch, with the column encoded; other columns are passed on. Raises :class:`OptionError` without it."""
        files = outcomes(self._codec.encode, self._place.items(batch), **self._options)
        return self._place.filled(batch, files, _objects)


class DecodeColumn:
    """From a batch to the same batch with a column of .rcd files decoded. Pickles; loads the models that files name."""

    @with_options(DecodeOptions)
    def __init__(
        self,
        column: str = "image",
        *,
        into: str | None = None,
        errors: str | None = "error",
        dtype: AnyType = None,
        device: str = "cpu",
        arithmetic: str = "float32",
        batch_size: int | None = None,
        **options: Unpack[DecodeOptions],
    ):
        """Decode what :func:`recodec.decode` takes: files' bytes, or their paths, to arrays H×W×C.

        They are one array N×H×W×C where all have one shape, else an array of arrays. ``dtype`` is that of
        :func:`recodec.decode`; ``into``, ``errors``, ``device``, ``arithmetic`` and ``batch_size`` are those of
        :class:`EncodeColumn`.
        """
        check_decode_options(options)
        check_kind("numpy", dtype)
        self._place = _Place(column, into, errors)
        self._options = {"dtype": dtype, "batch_size": check_batch_size(batch_size), **options}
        self._codecs = Codecs(device, arithmetic)

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """The batch, with the column decoded; other columns are passed on. Raises :class:`OptionError` without it."""
        shown = self._codecs.decode(self._place.items(batch), like="numpy", **self._options)
        return self._place.filled(batch, shown, _arrays)


class _Place:
    """Which columns are read and written."""

    def __init__(self, column: str, into: str | None, errors: str | None):
        self._column, self._into, self._errors = column, column if into is None else into, errors
        if errors in (column, self._into):
            raise OptionError(
                f"errors is {errors!r}, which is a column of pictures; give another name, or None"
            )

    def items(self, batch: Batch) -> Sequence[Any]:
        if self._column not in batch:
            raise OptionError(
                f"the batch has no column {self._column!r}; there are {', '.join(map(str, batch))}"
            )
        return [*batch[self._column]]

    def filled(self, batch: Batch, results: Sequence[Any], made: Any) -> dict[str, Any]:
        failed = {place: one for place, one in enumerate(results) if isinstance(one, Exception)}
        shown = [None if place in failed else one for place, one in enumerate(results)]
        if failed and self._errors is None:
            raise BatchError(shown, failed)
        columns = {**batch, self._into: made(shown)}
        if self._errors is not None:
            said = [line_of(failed[place]) if place in failed else None for place in range(len(results))]
            columns[self._errors] = _objects(said)
        return columns


def _objects(items: Sequence[Any]) -> NDArray[Any]:
    # By NumPy's own rules arrays of one shape would become one of more axes.
    found = np.empty(len(items), object)
    for place, item in enumerate(items):
        found[place] = item
    return found


def _arrays(items: Sequence[Any]) -> NDArray[Any]:
    alike = {None if one is None else (one.shape, one.dtype) for one in items}
    return np.stack(items) if len(alike) == 1 and None not in alike else _objects(items)
