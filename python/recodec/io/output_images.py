"""Pictures on their way out, as the kind of image that a caller would like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec.errors import ReducedDepthWarning, TargetError
from recodec.io.metadata import as_info
from recodec.io.pillow_images import to_eight_bits
from recodec.notices import warn

Like = Literal["pil", "numpy", "torch"]
Type = Literal["uint8", "uint16", "float32"]
# Arrays whose samples are whole numbers, and those in [0, 1]; type checkers tell one from the other.
WholeType: TypeAlias = Literal["uint8", "uint16"] | type[np.uint8 | np.uint16] | None
RealType: TypeAlias = Literal["float32"] | type[np.float32]
AnyType: TypeAlias = WholeType | RealType | np.dtype[Any] | torch.dtype
# Files without loss may have samples of 16 bits, all others have 8.
Array: TypeAlias = NDArray[np.uint8 | np.uint16]
RealArray: TypeAlias = NDArray[np.float32]
Output: TypeAlias = Image.Image | Array | RealArray | Tensor


@dataclass(frozen=True, slots=True)
class Kind:
    """Of image, and of its samples; without ``dtype`` they are as the file has them."""

    like: Like
    dtype: Type | None = None


def check_kind(like: Any, dtype: Any = None) -> Kind:
    """The kind that a caller names. Raises :class:`TargetError` for none that there is."""
    if like not in get_args(Like):
        raise TargetError(f"like is {like!r}; it must be one of {', '.join(get_args(Like))}")
    if dtype is None:
        return Kind(like)
    name = _name(dtype)
    if name not in get_args(Type):
        raise TargetError(f"dtype is {dtype!r}; it must be one of {', '.join(get_args(Type))}, or None")
    if like == "pil" and name != "uint8":
        raise TargetError(
            f"dtype is {name!r}, which images of Pillow cannot be; give like='numpy' or 'torch'"
        )
    return Kind(like, name)


def _name(dtype: Any) -> Any:
    if isinstance(dtype, str):
        return dtype
    if isinstance(dtype, torch.dtype):
        return str(dtype).removeprefix("torch.")
    try:
        return np.dtype(dtype).name
    except TypeError:
        return None


def make_image(samples: Tensor, kind: Kind, metadata: dict[int, bytes]) -> Output:
    """(C, H, W) samples of 8 or 16 bits to the kind of image asked for; with 2 or 4 channels the last is alpha."""
    samples = _of_type(samples, kind.dtype)
    if kind.like == "torch":
        return samples
    return _array(samples) if kind.like == "numpy" else pillow_image(samples, metadata)


def _of_type(samples: Tensor, dtype: Type | None) -> Tensor:
    if dtype == "float32":
        return samples.float() / (255 if samples.dtype == torch.uint8 else 65535)
    if dtype is None or str(samples.dtype) == f"torch.{dtype}":
        return samples
    if dtype == "uint16":
        return (samples.to(torch.int32) * 257).to(torch.uint16)
    return ((samples.to(torch.int32) + 128) // 257).to(torch.uint8)


def _array(samples: Tensor) -> Array | RealArray:
    found: Array | RealArray = samples.permute(1, 2, 0).contiguous().cpu().numpy()
    return found


def pillow_image(samples: Tensor, metadata: dict[int, bytes]) -> Image.Image:
    """The same for Pillow. Warns with :class:`ReducedDepthWarning` where it has no mode for 16 bits."""
    array = _array(samples)
    if array.dtype == np.uint16 and array.shape[2] > 1:
        warn(ReducedDepthWarning(("LA", "RGB", "RGBA")[array.shape[2] - 2]))
        array = to_eight_bits(array)
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    image.info |= as_info(metadata)
    return image
