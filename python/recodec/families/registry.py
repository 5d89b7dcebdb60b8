"""Every family by the number that headers have; imported when a file or a model asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from recodec import _core
from recodec.errors import UnsupportedError
from recodec.families.protocol import Family, FileHeader

if TYPE_CHECKING:
    import torch

    from recodec.families.protocol import Engine
    from recodec.ops.backend import Backend
    from recodec.weights import Model


class Place(NamedTuple):
    """Where a family is, and the id of its codec if that has no weights, so that nobody imports it to ask."""

    module: str
    name: str
    codec_id: str | None = None


FAMILIES = {
    _core.PLANE_FAMILY: Place("recodec.families.recurrent.family", "RECURRENT"),
    2: Place("recodec.families.lossless.family", "LOSSLESS", "lossless"),
    3: Place("recodec.zoo.family", "ZOO", "mlp"),
}


def find_family(number: int) -> Family:
    """Raises :class:`UnsupportedError` for a number that this version does not know."""
    if number not in FAMILIES:
        known = " and ".join(f"{one} ({find_family(one).name})" for one in FAMILIES)
        raise UnsupportedError(f"header field family is {number}; this version knows {known}")
    place = FAMILIES[number]
    family: Family = getattr(import_module(place.module), place.name)
    return family


def read_file_header(header: _core.Header) -> FileHeader:
    """A header as its family reads it. Raises :class:`FormatError` and :class:`UnsupportedError`."""
    return find_family(header.family).read(header)


def codecs_without_weights() -> tuple[str, ...]:
    """Their ids."""
    return tuple(place.codec_id for place in FAMILIES.values() if place.codec_id is not None)


def family_without_weights(codec_id: str) -> Family | None:
    """By the id of its codec; None for other ids."""
    for number, place in FAMILIES.items():
        if place.codec_id == codec_id:
            return find_family(number)
    return None


def engine_of(
    model: Model,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    backend: Backend = "auto",
) -> Engine:
    """A model where it runs. Raises :class:`DeviceError`."""
    return find_family(model.family).engine(model, device, dtype, backend)
