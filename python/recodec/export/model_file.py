"""What the entropy coder needs of a model, as one file: ``MODEL.rcm``. docs/export.md has its layout."""

from __future__ import annotations

import struct

import torch

from recodec import _core
from recodec.errors import WeightsError
from recodec.networks.latent.network import LatentNetwork
from recodec.weights import Model

_MAGIC, _VERSION = b"\x8eRCM", 0
_VALUE_BYTES = {torch.int8: 1, torch.int32: 4}


def model_file(model: Model) -> bytes:
    """Identity, order of planes and entropy network. Raises :class:`WeightsError` for tables of other types."""
    network: LatentNetwork = model.network
    channels, planes = network.planes.chunk_of.shape
    data = bytearray(_MAGIC)
    data += bytes([_VERSION]) + _text(model.id) + model.hash
    data += bytes([network.stride, channels % 256, planes, network.iterations])
    data += network.planes.chunk_of.to(torch.uint8).numpy().tobytes()
    data.append(len(model.tables))
    for name in sorted(model.tables):
        tensor = model.tables[name].contiguous()
        if tensor.dtype not in _VALUE_BYTES:
            raise WeightsError(
                f"model {model.id}: the table {name} is of {tensor.dtype}, which no coder takes"
            )
        data += _text(name) + bytes([_VALUE_BYTES[tensor.dtype], tensor.ndim])
        data += struct.pack(f"<{tensor.ndim}I", *tensor.shape)
        data += tensor.numpy().astype(tensor.numpy().dtype.newbyteorder("<")).tobytes()
    return bytes(data) + _core.crc32c(bytes(data)).to_bytes(4, "little")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded
