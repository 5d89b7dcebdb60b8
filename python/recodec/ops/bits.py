"""Codes as bits, as they leave a binarizer: an eighth of the memory of bytes.

Bits are bytes (N, planes, H, W, ⌈depth/8⌉): 1/8 byte per code for two symbols, 2/8 for three. The channels of
a position lie together, channel 8k + j in bit j of byte k, bit 0 being the least significant; bits beyond the
last channel are 0. Two symbols, −1 and +1, have one plane, which says where a code is +1. Three, −1, 0 and
+1, have two: "active" says where a code is not 0, "positive" where it is +1.

Our own codec takes codes to and from a GPU as bytes: packing them on a CPU takes longer than the bytes do on the bus.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from recodec.ops.backend import Backend, allocate, require, use_backend, use_kernels


def bits_reference(codes: Tensor, symbols: int) -> Tensor:
    """The definition of bits: (N, depth, H, W) codes to (N, symbols − 1, H, W, ⌈depth/8⌉) bytes."""
    positive = codes > 0
    planes = torch.stack([positive] if symbols == 2 else [positive | (codes < 0), positive], dim=1)
    padded = F.pad(planes.movedim(2, -1), (0, -codes.shape[1] % 8))
    octets = padded.reshape(*padded.shape[:-1], -1, 8) << torch.arange(8, device=codes.device)
    return octets.sum(-1).to(torch.uint8)


def codes_reference(bits: Tensor, depth: int, dtype: torch.dtype) -> Tensor:
    """The definition of codes that bits stand for, (N, depth, H, W) and channels_last."""
    planes = ((bits[..., None] >> torch.arange(8, device=bits.device)) & 1).flatten(-2)[..., :depth]
    codes = 2 * planes[:, -1].to(torch.int8) - 1
    if bits.shape[1] == 2:
        codes = codes * planes[:, 0]
    return codes.to(dtype).permute(0, 3, 1, 2)


def unpack_codes(
    bits: Tensor, depth: int, dtype: torch.dtype = torch.float32, *, backend: Backend | None = None
) -> Tensor:
    """Bits back to (N, depth, H, W) codes of a floating type, channels_last."""
    with use_backend(backend):
        if use_kernels(bits.new_empty(0, dtype=dtype)):
            codes: Tensor = _unpacking(bits, depth, dtype)
            return codes
        return codes_reference(bits, depth, dtype)


def unpack_codes_(bits: Tensor, codes_out: Tensor, *, backend: Backend | None = None) -> None:
    """:func:`unpack_codes` into a buffer; one that is channels_last is not copied."""
    with use_backend(backend):
        _unpacking_to(bits, codes_out)


def codes_to_bits(codes: NDArray[np.int8], symbols: int) -> NDArray[np.uint8]:
    """Bits of the entropy coder's planes (…, depth, rows, columns) of −1, +1 and, of three ``symbols``, 0.

    Returns (…, symbols − 1, rows, columns, ⌈depth/8⌉). Raises :class:`ValueError` for a 0 among two symbols.
    """
    active, positive = codes != 0, codes > 0
    if symbols == 2 and not active.all():
        raise ValueError("a code is 0; with two symbols it must be -1 or +1, or say symbols=3")
    planes = np.stack([positive] if symbols == 2 else [active, positive], axis=-4)
    return np.packbits(np.moveaxis(planes, -3, -1), axis=-1, bitorder="little")


def bits_to_codes(bits: NDArray[np.uint8], depth: int) -> NDArray[np.int8]:
    """Planes (…, depth, rows, columns) of codes from bits (…, planes, rows, columns, ⌈depth/8⌉)."""
    planes = np.unpackbits(bits, axis=-1, count=depth, bitorder="little").view(np.int8)
    codes = 2 * planes[..., -1, :, :, :] - 1
    if bits.shape[-4] == 2:
        codes *= planes[..., 0, :, :, :]
    return np.ascontiguousarray(np.moveaxis(codes, -1, -3))


def expect_bits(bits: Tensor, device: torch.device, shape: list[int]) -> None:
    """Refuse bits of another shape, type or order in memory than a kernel reads or writes."""
    wrong = f"bits are {tuple(bits.shape)} {bits.dtype} on {bits.device}"
    right = list(bits.shape) == shape and bits.dtype == torch.uint8 and bits.device == device
    require(right and bits.is_contiguous(), f"{wrong}; they must be {shape} uint8 on {device} and contiguous")


def _unpack_to(bits: Tensor, codes_out: Tensor) -> None:
    n, depth, height, width = codes_out.shape
    require(bits.shape[1] in (1, 2), f"bits have {bits.shape[1]} planes; there are 1 or 2")
    expect_bits(bits, codes_out.device, [n, bits.shape[1], height, width, (depth + 7) // 8])
    if use_kernels(codes_out):
        from recodec.kernels.binarizer import launch_unpack_codes

        launch_unpack_codes(bits, codes_out)
    else:
        codes_out.copy_(codes_reference(bits, depth, codes_out.dtype))


def _unpacked(bits: Tensor, depth: int, dtype: torch.dtype) -> Tensor:
    n, _, height, width, _ = bits.shape
    return allocate(bits, [n, depth, height, width], dtype)


def _unpack(bits: Tensor, depth: int, dtype: torch.dtype) -> Tensor:
    codes = _unpacked(bits, depth, dtype)
    _unpack_to(bits, codes)
    return codes


_unpacking = torch.library.custom_op("recodec::unpack_codes", _unpack, mutates_args=())
_unpacking.register_fake(_unpacked)
_unpacking_to = torch.library.custom_op("recodec::unpack_codes_", _unpack_to, mutates_args=("codes_out",))
