"""Pictures in and out: Pillow images, NumPy arrays, torch tensors, files.

What is stored is 8-bit grey or RGB, with or without alpha; other kinds are converted where nothing is lost
by it, or where the caller allows it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

from recodec.attachments import Alpha
from recodec.bitstream import EXIF, ICC, XMP
from recodec.deep import is_deep
from recodec.errors import ImageError, LimitError, RecodecError, TargetError
from recodec.limits import DEFAULT_MAX_PIXELS, check_pixels

ImageLike: TypeAlias = Image.Image | NDArray[np.uint8] | Tensor | str | os.PathLike[str]
Kind = Literal["pil", "numpy", "torch"]

# Pillow keeps JPEG's prefix in front of the TIFF header; the file format does not.
_EXIF_PREFIX = b"Exif\0\0"

# Pillow's modes that are stored at once, since nothing is lost by it.
_STORED = ("L", "LA", "RGB", "RGBA", "1", "P", "PA", "La", "RGBa", "RGBX")
# Modes that are stored on request: other colours, other depths.
_OTHER_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")
_CONVERTED = (*_OTHER_COLOURS, "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_CONVERT = "allow its conversion with convert=True (--convert)"

ORIENTATION = 0x0112
# Sizes, strips and tiles of the pixels, and the ICC profile, which is stored by itself.
_TIFF_LAYOUT = (
    *range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 320, *range(322, 326), 338, 339, 347, 700, 34675,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on its way in, and what is stored beside it.

    ``samples`` is (C, H, W) with 1 channel or 3, uint8 or floating point in [0, 1]; ``alpha`` is H×W uint8.
    """

    samples: Tensor
    alpha: Alpha | None
    metadata: dict[int, bytes]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return int(self.samples.shape[0])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.samples.shape[1])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.samples.shape[2])


def check_kind(like: str) -> Kind:
    """Return ``like`` if it names a kind of image. Raises :class:`TargetError` otherwise."""
    if like not in get_args(Kind):
        raise TargetError(f"like is {like!r}; it must be one of {', '.join(get_args(Kind))}")
    return like  # type: ignore[return-value]


def read_picture(
    image: ImageLike | Picture, max_pixels: int, *, convert: bool = False, strip: bool = False
) -> Picture:
    """Accept any supported kind of single image; one that is read already is passed on.

    ``convert`` allows kinds that cannot be stored as they are (:meth:`Codec.encode` lists them), ``strip``
    leaves metadata out. Raises :class:`ImageError` or :class:`LimitError`.
    """
    if isinstance(image, Picture):
        return image
    if isinstance(image, Tensor):
        return _from_torch(image, max_pixels, convert)
    if isinstance(image, np.ndarray):
        return _from_numpy(image, {}, max_pixels, convert)
    if isinstance(image, str | os.PathLike):
        image = open_image(image, max_pixels, convert=convert)
    if isinstance(image, Image.Image):
        return _from_pil(image, max_pixels, convert, strip)
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
    source: str | os.PathLike[str] | BinaryIO,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    *,
    convert: bool = False,
) -> Image.Image:
    """Open and load an image file with Pillow.

    Raises :class:`ImageError` if it cannot be read, has several frames, or more than 8 bits per sample without
    ``convert``; :class:`LimitError` if it exceeds ``max_pixels``.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the data"
    with _unreadable(name), Image.open(source) as image:
        check_pixels(image.width, image.height, max_pixels)
        _check_kind_of_file(image, convert)
        image.load()
        return image


def _check_kind_of_file(image: Image.Image, convert: bool) -> None:
    """Refuse what Pillow would otherwise reduce to 8 bits or to its first frame without a word."""
    if is_deep(image):
        if not convert:
            raise ImageError(f"the image has more than 8 bits per sample; recodec stores 8: {_CONVERT}")
        # Pillow keeps 8 bits of the samples and all 16 of this colour, so they can no longer be compared.
        if image.mode == "RGB" and "transparency" in image.info:
            raise ImageError(
                "the image has more than 8 bits per sample and a transparent colour; save it with an alpha channel first"
            )
    frames = getattr(image, "n_frames", 1)
    # Telephones write MPO: a photograph, then previews of it.
    if frames > 1 and image.format != "MPO":
        raise ImageError(f"the image has {frames} frames; recodec stores one: save the one you want first")


def _from_pil(image: Image.Image, max_pixels: int, convert: bool, strip: bool) -> Picture:
    check_pixels(image.width, image.height, max_pixels)
    with _unreadable("the image"):
        _check_kind_of_file(image, convert)
    if image.mode not in (*_STORED, *_CONVERTED):
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit grey and RGB, each with or without alpha: "
            "convert it first, for example with image.convert('RGB')"
        )
    if image.mode in _CONVERTED and not convert:
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit grey and RGB, each with or without alpha: "
            f"{_CONVERT}"
        )
    with _unreadable("the image"):
        upright = ImageOps.exif_transpose(image)
        # Pillow reads a deep PGM, which has no other use for this mode, as 32-bit integers.
        deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
        array = _deep_array(upright) if deep else np.asarray(_stored_mode(upright))
        metadata = {} if strip else _metadata_of(image, upright)
    return _from_numpy(array, metadata, max_pixels)


def _stored_mode(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB or RGBA."""
    if image.mode in _OTHER_COLOURS:
        return _to_srgb(image)
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        # One comparison catches NaN too.
        if not ((values >= 0) & (values <= 255)).all():
            raise ImageError(
                f"the image has mode {image.mode} and NaN or values outside 0..255; scale it to these first"
            )
        return Image.fromarray(np.rint(values).astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + "A" * image.has_transparency_data
    return image if image.mode == mode else image.convert(mode)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Other colours to RGB, by their ICC profile if it is of use, otherwise by Pillow's plain formula."""
    profile = image.info.get("icc_profile")
    if profile:
        with suppress(ImportError, ImageCms.PyCMSError, OSError):
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, outputMode="RGB")
            assert converted is not None
            return converted
    return image.convert("RGB")


def _deep_array(image: Image.Image) -> NDArray[np.uint8]:
    """A 16-bit grey image as H×W uint8, or H×W×2 if one grey stands for transparent."""
    samples = np.asarray(image)
    key = image.info.get("transparency")
    if key is None:
        return _to_eight_bits(samples)
    alpha = np.where(samples == key, 0, 255).astype(np.uint8)
    return np.stack([_to_eight_bits(samples), alpha], axis=2)


def _to_eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """The nearest of 0..255 for samples of 0..65535, which is v / 257."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _metadata_of(image: Image.Image, upright: Image.Image) -> dict[int, bytes]:
    found = {
        # A profile of colours that the picture no longer has would spoil it.
        ICC: None if image.mode in _OTHER_COLOURS else image.info.get("icc_profile"),
        EXIF: _exif_of(image),
        XMP: upright.info.get("xmp"),
    }
    return {
        kind: content.encode() if isinstance(content, str) else bytes(content)
        for kind, content in found.items()
        if content
    }


def _exif_of(image: Image.Image) -> bytes | None:
    """EXIF without what the coded picture no longer is: rotated, or laid out in a TIFF file."""
    exif = image.getexif()
    for tag in (ORIENTATION, *(_TIFF_LAYOUT if image.format == "TIFF" else ())):
        exif.pop(tag, None)
    return exif.tobytes().removeprefix(_EXIF_PREFIX) if exif else None


def _from_numpy(
    array: NDArray[Any], metadata: dict[int, bytes], max_pixels: int, convert: bool = False
) -> Picture:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise ImageError(f"the array has shape {array.shape}; give H x W or H x W x C with C from 1 to 4")
    check_pixels(array.shape[1], array.shape[0], max_pixels)
    if array.dtype == np.uint16 and convert:
        array = _to_eight_bits(array)
    elif array.dtype.kind == "f" and convert:
        if not ((array >= 0) & (array <= 1)).all():
            raise ImageError("the array holds NaN or values outside [0, 1]; scale and clamp it first")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        remedy = f", or {_CONVERT}" if array.dtype == np.uint16 or array.dtype.kind == "f" else ""
        raise ImageError(f"the array has type {array.dtype}; give uint8 in 0..255{remedy}")
    colours = 1 if array.shape[2] < 3 else 3
    # The caller's array may be written to, or change while it is being encoded. A copy by NumPy, since
    # torch takes no negative stride, not even of an axis of length 1, where it says nothing.
    samples = torch.from_numpy(array[:, :, :colours].copy()).permute(2, 0, 1)
    alpha = array[:, :, colours].copy() if array.shape[2] > colours else None
    return Picture(samples, alpha, metadata)


def _from_torch(tensor: Tensor, max_pixels: int, convert: bool) -> Picture:
    if tensor.layout is not torch.strided or tensor.device.type == "meta":
        raise ImageError(
            f"the tensor is {tensor.layout} on {tensor.device}; give a dense one that holds values"
        )
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 2, 3, 4) or 0 in tensor.shape:
        raise ImageError(f"the tensor has shape {tuple(tensor.shape)}; give C x H x W with C from 1 to 4")
    check_pixels(tensor.shape[2], tensor.shape[1], max_pixels)
    tensor = tensor.detach()
    if tensor.dtype == torch.uint16 and convert:
        tensor = ((tensor.to(torch.int32) + 128) // 257).to(torch.uint8)
    if tensor.is_floating_point():
        tensor = tensor.float()
        if not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise ImageError("the tensor holds NaN or values outside [0, 1]; scale and clamp it first")
    elif tensor.dtype != torch.uint8:
        remedy = f", or {_CONVERT}" if tensor.dtype == torch.uint16 else ""
        raise ImageError(f"the tensor has type {tensor.dtype}; give uint8 or floating point{remedy}")
    colours = 1 if tensor.shape[0] < 3 else 3
    if tensor.shape[0] == colours:
        return Picture(tensor, None, {})
    alpha = tensor[colours]
    if alpha.is_floating_point():
        alpha = (alpha * 255).round().to(torch.uint8)
    return Picture(tensor[:colours], alpha.cpu().contiguous().numpy(), {})


def to_uint8(pixels: Tensor, channels: int) -> Tensor:
    """(3, H, W) in [−0.5, 0.5] to (channels, H, W) uint8, clamped and rounded."""
    pixels = pixels.float()
    if channels == 1:
        pixels = pixels.mean(dim=0, keepdim=True)
    return ((pixels + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)


def make_image(
    samples: Tensor, alpha: Alpha | None, like: Kind, metadata: dict[int, bytes]
) -> Image.Image | NDArray[np.uint8] | Tensor:
    """(C, H, W) uint8 colours and H×W alpha to the kind of image asked for, alpha as its last channel."""
    if alpha is not None:
        samples = torch.cat([samples, torch.from_numpy(alpha)[None].to(samples.device)])
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
