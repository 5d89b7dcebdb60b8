"""Pictures on their way in: Pillow images, files, NumPy arrays, torch tensors."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec.errors import ImageError
from recodec.io.buffers import file_bytes
from recodec.io.declared import Declared
from recodec.io.exact import levels
from recodec.io.exclusive import exclusive
from recodec.io.metadata import NOTHING_GIVEN, Given
from recodec.io.pillow_images import CONVERT, CheckSize, opened, read_image, to_eight_bits
from recodec.io.sources import Buffer

# Of arrays, those of 16 bits or floats are for files without loss, or with ``convert``.
Samples: TypeAlias = NDArray[np.uint8 | np.uint16 | np.floating[Any]]
# An image file is also its bytes: arrays and tensors of one axis.
ImageLike: TypeAlias = Image.Image | Samples | Tensor | Buffer | mmap.mmap | str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on its way in, and what is stored beside it.

    ``samples`` is (C, H, W) with 1 channel or 3, uint8 or floating point in [0, 1], and for files without loss uint8
    or uint16; ``alpha`` is H×W uint8, or uint16 where only that is exact. ``said`` is what of the input is not in the
    file, or not as it was.
    """

    samples: Tensor
    alpha: NDArray[Any] | None
    metadata: dict[int, bytes]
    said: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return int(self.samples.shape[0])

    @property
    def depth(self) -> int:
        """Bits of a sample."""
        return 16 if self.samples.dtype == torch.uint16 else 8

    def of_eight_bits(self) -> Picture:
        """The same with samples of 8 bits, the nearest."""
        if self.depth == 8:
            return self
        samples = torch.from_numpy(to_eight_bits(self.samples.cpu().numpy()))
        alpha = (
            to_eight_bits(self.alpha)
            if self.alpha is not None and self.alpha.dtype != np.uint8
            else self.alpha
        )
        return replace(self, samples=samples, alpha=alpha)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.samples.shape[1])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.samples.shape[2])


def is_batch(image: object) -> bool:
    """Whether it is a tensor N×C×H×W or an array N×H×W×C."""
    return isinstance(image, Tensor | np.ndarray) and image.ndim == 4


def read_picture(
    image: ImageLike | Picture,
    check_size: CheckSize,
    *,
    convert: bool = False,
    strip: bool = False,
    exact: bool = False,
) -> Picture:
    """Accept any supported kind of single image; one that is read already is passed on.

    ``check_size`` is called once, with width and height, as soon as they are known. ``convert`` allows kinds that
    cannot be stored as they are (:meth:`Codec.encode` lists them), ``strip`` leaves metadata out. With ``exact``
    samples are whole, of 8 bits or 16, and what would have to be rounded is refused. Raises :class:`ImageError`, and
    what ``check_size`` raises.
    """
    if isinstance(image, Picture):
        check_size(image.width, image.height)
        return image
    file = _file(image)
    if file is not None:
        with opened(file, check_size) as read:
            return from_pillow(read, convert=convert, strip=strip, exact=exact)
    if isinstance(image, Tensor):
        return _from_torch(image, check_size, convert=convert, exact=exact)
    if isinstance(image, np.ndarray):
        return _from_numpy(image, check_size, convert=convert, exact=exact)
    if isinstance(image, Image.Image):
        check_size(image.width, image.height)
        return from_pillow(image, convert=convert, strip=strip, exact=exact)
    kinds = "a Pillow image, a uint8 NumPy array, a torch tensor, a path, an open binary file or its bytes"
    raise ImageError(f"a {type(image).__name__} is not an image; give {kinds}")


def _file(image: object) -> str | os.PathLike[str] | BinaryIO | None:
    """An image file, wherever it is; None for what is something else."""
    if isinstance(image, str | os.PathLike):
        return image
    # A memory map is its bytes, wherever it stands.
    if hasattr(image, "read") and not isinstance(image, mmap.mmap):
        return cast(BinaryIO, image)
    data = file_bytes(image)
    # A view of a memory map would keep it from being closed.
    return None if data is None else io.BytesIO(data)


def from_pillow(
    image: Image.Image,
    *,
    convert: bool = False,
    strip: bool = False,
    exact: bool = False,
    told: Declared | None = None,
    given: Given = NOTHING_GIVEN,
) -> Picture:
    """Accept an image of Pillow; :func:`read_image` says what of. Raises :class:`ImageError`."""
    if 0 in image.size:
        raise ImageError(f"the image has {image.width} x {image.height} pixels; give one that has some")
    with exclusive(image):
        array, metadata, said = read_image(
            image, convert=convert, strip=strip, exact=exact, told=told, given=given
        )
    return _stored(array, metadata, said)


def _from_numpy(array: NDArray[Any], check_size: CheckSize, *, convert: bool, exact: bool) -> Picture:
    if np.ma.is_masked(array):
        raise ImageError("the array has masked values; fill them first")
    # Subclasses, such as matrices, have rules of their own.
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise ImageError(f"the array has shape {array.shape}; give H x W or H x W x C with C from 1 to 4")
    check_size(array.shape[1], array.shape[0])
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.uint16 and exact:
        return _stored(array, {})
    if array.dtype == np.uint16 and convert:
        array = to_eight_bits(array)
    elif array.dtype.kind == "f" and convert:
        if not ((array >= 0) & (array <= 1)).all():
            raise ImageError("the array holds NaN or values outside [0, 1]; scale and clamp it first")
        array = levels(array, white=1) if exact else np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        remedy = f", or {CONVERT}" if array.dtype == np.uint16 or array.dtype.kind == "f" else ""
        raise ImageError(f"the array has type {array.dtype}; give uint8 in 0..255{remedy}")
    return _stored(array, {})


def _stored(array: NDArray[Any], metadata: dict[int, bytes], said: Sequence[str] = ()) -> Picture:
    if array.ndim == 2:
        array = array[:, :, None]
    colours = 1 if array.shape[2] < 3 else 3
    # The caller's array may be written to, or change while it is being encoded. A copy by NumPy, since
    # torch takes no negative stride, not even of an axis of length 1, where it says nothing.
    samples = torch.from_numpy(array[:, :, :colours].copy()).permute(2, 0, 1)
    alpha = _alpha(array[:, :, colours].copy()) if array.shape[2] > colours else None
    return Picture(samples, alpha, metadata, tuple(said))


def _alpha(alpha: NDArray[Any]) -> NDArray[Any]:
    """In 8 bits if these say as much."""
    return (alpha // 257).astype(np.uint8) if alpha.dtype == np.uint16 and not (alpha % 257).any() else alpha


def _from_torch(tensor: Tensor, check_size: CheckSize, *, convert: bool, exact: bool) -> Picture:
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise ImageError(
            f"the tensor is {tensor.layout} on {tensor.device}; give a dense one that holds values"
        )
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 2, 3, 4) or 0 in tensor.shape:
        raise ImageError(f"the tensor has shape {tuple(tensor.shape)}; give C x H x W with C from 1 to 4")
    check_size(tensor.shape[2], tensor.shape[1])
    tensor = tensor.detach()
    if exact and (tensor.is_floating_point() or tensor.dtype in (torch.uint8, torch.uint16)):
        return _exactly(tensor)
    if tensor.dtype == torch.uint16 and convert:
        tensor = ((tensor.to(torch.int32) + 128) // 257).to(torch.uint8)
    if tensor.is_floating_point():
        tensor = tensor.float()
        if not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise ImageError("the tensor holds NaN or values outside [0, 1]; scale and clamp it first")
    elif tensor.dtype != torch.uint8:
        remedy = f", or {CONVERT}" if tensor.dtype == torch.uint16 else ""
        raise ImageError(f"the tensor has type {tensor.dtype}; give uint8 or floating point{remedy}")
    colours = 1 if tensor.shape[0] < 3 else 3
    if tensor.shape[0] == colours:
        return Picture(tensor, None, {})
    alpha = tensor[colours]
    if alpha.is_floating_point():
        alpha = (alpha * 255).round().to(torch.uint8)
    return Picture(tensor[:colours], alpha.cpu().contiguous().numpy(), {})


def _exactly(tensor: Tensor) -> Picture:
    """(C, H, W) samples that are to be kept as they are, alpha among them."""
    if tensor.is_floating_point():
        return _stored(levels(tensor.permute(1, 2, 0).cpu().double().numpy(), white=1), {})
    return _stored(tensor.permute(1, 2, 0).cpu().numpy(), {})
