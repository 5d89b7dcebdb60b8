"""Pictures in and out: Pillow images, NumPy arrays, torch tensors, files.

Inside, a picture is a (1, 3, H, W) float tensor in [−0.5, 0.5]; a grey one is shown to the network
as three equal channels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from recodec.bitstream import EXIF, ICC, XMP
from recodec.errors import ImageError, LimitError, RecodecError, TargetError
from recodec.limits import DEFAULT_MAX_PIXELS, check_pixels

ImageLike: TypeAlias = Image.Image | NDArray[np.uint8] | Tensor | str | os.PathLike[str]
Kind = Literal["pil", "numpy", "torch"]

# Pillow keeps JPEG's prefix in front of the TIFF header; the file format does not.
_EXIF_PREFIX = b"Exif\0\0"

# Raw modes of Pillow's readers for 16-bit samples; plain ";16" is a packed 5-6-5 pixel.
_DEEP = re.compile(r";16[BLN]\b")

ORIENTATION = 0x0112
# Sizes, strips and tiles of the pixels, and the ICC profile, which is stored by itself.
_TIFF_LAYOUT = (
    *range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 320, *range(322, 326), 338, 339, 347, 700, 34675,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on its way in: (1, 3, H, W) pixels in [−0.5, 0.5] and what is stored beside them."""

    pixels: Tensor
    channels: int
    metadata: dict[int, bytes]

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[2])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[3])


def check_kind(like: str) -> Kind:
    """Return ``like`` if it names a kind of image. Raises :class:`TargetError` otherwise."""
    if like not in get_args(Kind):
        raise TargetError(f"like is {like!r}; it must be one of {', '.join(get_args(Kind))}")
    return like  # type: ignore[return-value]


def read_picture(image: ImageLike, device: torch.device, max_pixels: int) -> Picture:
    """Accept any supported kind of single image. Raises :class:`ImageError` or :class:`LimitError`."""
    if isinstance(image, Tensor):
        return _from_torch(image, device, max_pixels)
    if isinstance(image, np.ndarray):
        return _from_numpy(image, {}, device, max_pixels)
    if isinstance(image, Image.Image):
        return _from_pil(image, device, max_pixels)
    if isinstance(image, str | os.PathLike):
        return _from_pil(open_image(image, max_pixels), device, max_pixels)
    raise ImageError(
        f"a {type(image).__name__} is not an image; give a Pillow image, a uint8 NumPy array, a torch tensor or a path"
    )


@contextmanager
def _unreadable(name: str) -> Iterator[None]:
    """Turn whatever Pillow's readers raise on broken files, which is almost anything, into our errors."""
    try:
        yield
    except RecodecError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image that Pillow can read") from error
    except Image.DecompressionBombError as error:
        raise LimitError(f"{name}: {error}; raise PIL.Image.MAX_IMAGE_PIXELS to allow it") from error
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name} cannot be read as an image: {reason}") from error


def open_image(
    source: str | os.PathLike[str] | BinaryIO, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Image.Image:
    """Open and load an image file with Pillow.

    Raises :class:`ImageError` if it cannot be read or is of a kind that recodec does not store (16 bits
    per sample, several frames), :class:`LimitError` if it exceeds ``max_pixels``.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the data"
    with _unreadable(name), Image.open(source) as image:
        check_pixels(image.width, image.height, max_pixels)
        _check_kind_of_file(image)
        image.load()
        return image


def _check_kind_of_file(image: Image.Image) -> None:
    """Refuse what Pillow would otherwise reduce to 8 bits or to its first frame without a word."""
    # Not yet loaded, so the reader's raw modes tell how samples are stored.
    if any(_DEEP.search(str(tile)) for tile in getattr(image, "tile", ())):
        raise ImageError("the image has 16 bits per sample; recodec stores 8: save it with 8 bits first")
    frames = getattr(image, "n_frames", 1)
    # Telephones write MPO: a photograph, then previews of it.
    if frames > 1 and image.format != "MPO":
        raise ImageError(f"the image has {frames} frames; recodec stores one: save the one you want first")


def _from_pil(image: Image.Image, device: torch.device, max_pixels: int) -> Picture:
    check_pixels(image.width, image.height, max_pixels)
    with _unreadable("the image"):
        _check_kind_of_file(image)
    has_alpha = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    if has_alpha:
        raise ImageError(
            f"the image has mode {image.mode} with transparency, which is not stored yet; drop it with "
            "image.convert('RGBA').convert('RGB') or save it without"
        )
    if image.mode not in ("RGB", "L", "1", "P"):
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit RGB and grey: convert it first, for example "
            "with image.convert('RGB')"
        )
    with _unreadable("the image"):
        upright = ImageOps.exif_transpose(image)
        converted = upright.convert("L" if image.mode in ("L", "1") else "RGB")
        metadata = {
            ICC: image.info.get("icc_profile"),
            EXIF: _exif_of(image),
            XMP: upright.info.get("xmp"),
        }
    stored = {
        kind: content.encode() if isinstance(content, str) else bytes(content)
        for kind, content in metadata.items()
        if content
    }
    return _from_numpy(np.asarray(converted), stored, device, max_pixels)


def _exif_of(image: Image.Image) -> bytes | None:
    """EXIF without what the coded picture no longer is: rotated, or laid out in a TIFF file."""
    exif = image.getexif()
    for tag in (ORIENTATION, *(_TIFF_LAYOUT if image.format == "TIFF" else ())):
        exif.pop(tag, None)
    return exif.tobytes().removeprefix(_EXIF_PREFIX) if exif else None


def _from_numpy(
    array: NDArray[Any], metadata: dict[int, bytes], device: torch.device, max_pixels: int
) -> Picture:
    if array.dtype != np.uint8:
        raise ImageError(f"the array has type {array.dtype}; give uint8 in 0..255")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise ImageError(f"the array has shape {array.shape}; give H x W, H x W x 1 or H x W x 3")
    check_pixels(array.shape[1], array.shape[0], max_pixels)
    pixels = (
        torch.tensor(np.ascontiguousarray(array), device=device).permute(2, 0, 1)[None].float() / 255 - 0.5
    )
    return Picture(pixels.expand(1, 3, -1, -1), array.shape[2], metadata)


def _from_torch(tensor: Tensor, device: torch.device, max_pixels: int) -> Picture:
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise ImageError(
            f"the tensor is {tensor.layout} on {tensor.device}; give a dense one that holds values"
        )
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 3) or 0 in tensor.shape:
        raise ImageError(f"the tensor has shape {tuple(tensor.shape)}; give C x H x W with 1 or 3 channels")
    check_pixels(tensor.shape[2], tensor.shape[1], max_pixels)
    tensor = tensor.detach().to(device)
    if tensor.dtype == torch.uint8:
        pixels = tensor.float() / 255
    elif tensor.is_floating_point():
        pixels = tensor.float()
        # One comparison catches NaN too.
        if not bool(((pixels >= 0) & (pixels <= 1)).all()):
            raise ImageError("the tensor holds NaN or values outside [0, 1]; scale and clamp it first")
    else:
        raise ImageError(f"the tensor has type {tensor.dtype}; give uint8 or floating point")
    return Picture((pixels[None] - 0.5).expand(1, 3, -1, -1), tensor.shape[0], {})


def pad_to_stride(pixels: Tensor, stride: int) -> Tensor:
    """Replicate the last row and column until both sides are multiples of ``stride``."""
    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % stride, 0, -height % stride), mode="replicate")


def to_uint8(pixels: Tensor, height: int, width: int, channels: int) -> Tensor:
    """(1, 3, H', W') in [−0.5, 0.5] to (channels, height, width) uint8, cropped and rounded."""
    pixels = pixels[0, :, :height, :width].float()
    if channels == 1:
        pixels = pixels.mean(dim=0, keepdim=True)
    return ((pixels + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)


def make_image(
    samples: Tensor, like: Kind, metadata: dict[int, bytes]
) -> Image.Image | NDArray[np.uint8] | Tensor:
    """(C, H, W) uint8 to the kind of image asked for."""
    if like == "torch":
        return samples
    array = samples.permute(1, 2, 0).contiguous().cpu().numpy()
    if like == "numpy":
        return array
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if ICC in metadata:
        image.info["icc_profile"] = metadata[ICC]
    if EXIF in metadata:
        image.info["exif"] = _EXIF_PREFIX + metadata[EXIF]
    if XMP in metadata:
        image.info["xmp"] = metadata[XMP]
    return image
