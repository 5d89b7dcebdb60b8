"""What decoding needs of a model, as one file: ``MODEL.rcm``. docs/export.md has its layout."""

from __future__ import annotations

import struct

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.errors import WeightsError
from recodec.networks.latent.network import LatentNetwork
from recodec.weights import Model

_MAGIC, _VERSION = b"\x8eRCM", 0
_INT8, _INT32, _FLOAT16, _FLOAT32 = range(4)
_INTEGERS = {torch.int8: _INT8, torch.int32: _INT32}


def check_exported(model: Model) -> None:
    """Raise :class:`WeightsError` for a model that has no embedded planes."""
    if not isinstance(model.network, LatentNetwork):
        raise WeightsError(
            f"model {model.id} is of architecture {model.architecture!r}; only {LatentNetwork.architecture!r} is "
            "exported, as that of the default model"
        )


def model_file(model: Model) -> bytes:
    """Identity, order of planes, both networks. Raises :class:`WeightsError` for a model that has no such."""
    check_exported(model)
    network: LatentNetwork = model.network
    channels, planes = network.planes.chunk_of.shape
    data = bytearray(_MAGIC)
    data += bytes([_VERSION]) + _text(model.id) + model.hash
    data += bytes([network.stride, channels % 256, planes, network.iterations])
    data += network.planes.chunk_of.to(torch.uint8).numpy().tobytes()
    tensors = [_tensor(name, tensor) for name, tensor in sorted({**model.tables, **_floats(network)}.items())]
    return _with_checksum(bytes(data) + bytes([len(tensors)]) + b"".join(tensors))


def _floats(network: LatentNetwork) -> dict[str, Tensor]:
    """What makes pixels of indices."""
    layers = {f"synthesis.{name}": tensor for name, tensor in network.synthesis.state_dict().items()}
    return layers | {
        "scale": network.scale,
        "threshold": network.planes.threshold,
        "point": network.planes.point,
        "log_gain": network.chunks.log_gain,
        "offset": network.chunks.offset,
    }


def _tensor(name: str, tensor: Tensor) -> bytes:
    values = tensor.detach().contiguous().numpy()
    if tensor.is_floating_point():
        half = values.astype(np.float16)
        exact = np.array_equal(half.astype(np.float32), values)
        kind, values = (_FLOAT16, half) if exact else (_FLOAT32, values.astype(np.float32))
    elif tensor.dtype in _INTEGERS:
        kind = _INTEGERS[tensor.dtype]
    else:
        raise WeightsError(f"the table {name} is of {tensor.dtype}, which no coder takes")
    sides = struct.pack(f"<{values.ndim}I", *values.shape)
    little = values.astype(values.dtype.newbyteorder("<"))
    return _text(name) + bytes([kind, values.ndim]) + sides + little.tobytes()


def _with_checksum(data: bytes) -> bytes:
    return data + _core.crc32c(data).to_bytes(4, "little")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded
