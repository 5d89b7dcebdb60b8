"""Pictures on their way out, as the kind of image that a caller would like."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec.errors import ReducedDepthWarning, TargetError
from recodec.io.metadata import as_info
from recodec.io.pillow_images import to_eight_bits
from recodec.notices import warn

Like = Literal["pil", "numpy", "torch"]
# Files without loss may have samples of 16 bits, all others have 8.
Array: TypeAlias = NDArray[np.uint8 | np.uint16]
Output: TypeAlias = Image.Image | Array | Tensor


def check_like(like: str) -> Like:
    """Return ``like`` if it names a kind of image. Raises :class:`TargetError` otherwise."""
    if like not in get_args(Like):
        raise TargetError(f"like is {like!r}; it must be one of {', '.join(get_args(Like))}")
    return like  # type: ignore[return-value]


def make_image(samples: Tensor, like: Like, metadata: dict[int, bytes]) -> Output:
    """(C, H, W) samples of 8 or 16 bits to the kind of image asked for; with 2 or 4 channels the last is alpha."""
    if like == "torch":
        return samples
    return _array(samples) if like == "numpy" else pillow_image(samples, metadata)


def _array(samples: Tensor) -> Array:
    found: Array = samples.permute(1, 2, 0).contiguous().cpu().numpy()
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
