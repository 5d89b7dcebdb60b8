"""Every family by the number that headers have; imported when a file or a model asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from recodec import _core
from recodec.errors import UnsupportedError
from recodec.families.protocol import Family, FileHeader

if TYPE_CHECKING:
    import torch

    from recodec.families.protocol import Engine
    from recodec.ops.backend import Backend
    from recodec.weights import Model

# Module and object.
FAMILIES = {
    _core.PLANE_FAMILY: ("recodec.families.recurrent.family", "RECURRENT"),
    2: ("recodec.families.lossless.family", "LOSSLESS"),
    3: ("recodec.zoo.family", "ZOO"),
}


def find_family(number: int) -> Family:
    """Raises :class:`UnsupportedError` for a number that this version does not know."""
    if number not in FAMILIES:
        known = " and ".join(f"{one} ({find_family(one).name})" for one in FAMILIES)
        raise UnsupportedError(f"header field family is {number}; this version knows {known}")
    module, name = FAMILIES[number]
    family: Family = getattr(import_module(module), name)
    return family


def read_file_header(header: _core.Header) -> FileHeader:
    """A header as its family reads it. Raises :class:`FormatError` and :class:`UnsupportedError`."""
    return find_family(header.family).read(header)


def families_without_weights() -> dict[str, Family]:
    """By the id of their codecs."""
    families = map(find_family, FAMILIES)
    return {family.codec_id: family for family in families if family.codec_id is not None}


def engine_of(
    model: Model,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    backend: Backend = "auto",
) -> Engine:
    """A model where it runs. Raises :class:`DeviceError`."""
    return find_family(model.family).engine(model, device, dtype, backend)
