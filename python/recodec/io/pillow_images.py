"""Pictures that Pillow reads, as arrays of what is stored.

What is stored is 8-bit grey or RGB, with or without alpha; other kinds are converted where nothing is lost
by it, or where the caller allows it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from recodec.errors import ImageError, LimitError, RecodecError
from recodec.io.bit_depth import is_deep
from recodec.io.metadata import metadata_of
from recodec.io.orientation import turn_of

# Raises LimitError for a width and a height.
CheckSize: TypeAlias = Callable[[int, int], None]

CONVERT = "allow its conversion with convert=True (--convert)"

# Pillow's modes that are stored at once, since nothing is lost by it.
_STORED = ("L", "LA", "RGB", "RGBA", "1", "P", "PA", "La", "RGBa", "RGBX")
# Modes that are stored on request: other colours, other depths.
_OTHER_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")
_CONVERTED = (*_OTHER_COLOURS, "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


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
    source: str | os.PathLike[str] | BinaryIO, check_size: CheckSize, *, convert: bool = False
) -> Image.Image:
    """Open and load an image file with Pillow.

    Raises :class:`ImageError` if it cannot be read, has several frames, or more than 8 bits per sample without
    ``convert``; what ``check_size`` raises before its pixels are read.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the data"
    with _unreadable(name), Image.open(source) as image:
        check_size(image.width, image.height)
        _check_frames_and_depth(image, convert=convert)
        image.load()
        return image


def _check_frames_and_depth(image: Image.Image, *, convert: bool) -> None:
    """Refuse what Pillow would otherwise reduce to 8 bits or to its first frame without a word."""
    if is_deep(image):
        if not convert:
            raise ImageError(f"the image has more than 8 bits per sample; recodec stores 8: {CONVERT}")
        # Pillow keeps 8 bits of the samples and all 16 of this colour, so they can no longer be compared.
        if image.mode == "RGB" and "transparency" in image.info:
            raise ImageError(
                "the image has more than 8 bits per sample and a transparent colour; save it with an alpha "
                "channel first"
            )
    frames = _frames(image)
    # Telephones write MPO: a photograph, then previews of it.
    if frames > 1 and image.format != "MPO":
        raise ImageError(f"the image has {frames} frames; recodec stores one: save the one you want first")


def _frames(image: Image.Image) -> int:
    """How many pictures a file holds; one where it was closed since and cannot tell."""
    try:
        return int(getattr(image, "n_frames", 1))
    except (OSError, ValueError):
        return 1


def read_image(
    image: Image.Image, *, convert: bool = False, strip: bool = False
) -> tuple[NDArray[np.uint8], dict[int, bytes], list[str]]:
    """Upright H×W or H×W×C samples of an image, its metadata by chunk type, and what is to be said of them.

    ``convert`` allows kinds that cannot be stored as they are, ``strip`` leaves metadata out. Raises
    :class:`ImageError`.
    """
    with _unreadable("the image"):
        _check_frames_and_depth(image, convert=convert)
    if image.mode not in (*_STORED, *_CONVERTED):
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit grey and RGB, each with or without alpha: "
            "convert it first, for example with image.convert('RGB')"
        )
    if image.mode in _CONVERTED and not convert:
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit grey and RGB, each with or without alpha: "
            f"{CONVERT}"
        )
    with _unreadable("the image"):
        image.load()
        turn = turn_of(image)
        upright = image if turn is None else image.transpose(turn)
        # Pillow reads a deep PGM, which has no other use for this mode, as 32-bit integers.
        deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
        array = _deep_array(upright) if deep else np.asarray(_stored_mode(upright))
        # A profile of colours that the picture no longer has would spoil it.
        metadata, said = ({}, []) if strip else metadata_of(image, profile=image.mode not in _OTHER_COLOURS)
    if (frames := _frames(image)) > 1:
        said.append(
            f"{frames - 1} further pictures, such as previews, a second view or a gain map, are not in the file"
        )
    return array, metadata, said


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
        return to_eight_bits(samples)
    alpha = np.where(samples == key, 0, 255).astype(np.uint8)
    return np.stack([to_eight_bits(samples), alpha], axis=2)


def to_eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """The nearest of 0..255 for samples of 0..65535, which is v / 257."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
