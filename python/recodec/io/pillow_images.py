"""Pictures that Pillow reads, as arrays of what is stored.

What is stored is 8-bit grey or RGB, with or without alpha; other kinds are converted where nothing is lost
by it, or where the caller allows it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from recodec.errors import ImageError, LimitError, RecodecError
from recodec.file_errors import is_of_file, of_file
from recodec.io import picture_kinds
from recodec.io.bit_depth import odd_tiff_bits, white_of
from recodec.io.declared import Declared, declared
from recodec.io.deep_colours import deep_samples, has_deep_colours, lower_bytes
from recodec.io.exact import check_mode, levels
from recodec.io.further_pictures import further_pictures
from recodec.io.metadata import INFO_KEYS, NOTHING_GIVEN, Given, as_bytes, metadata_of, xmp_of
from recodec.io.orientation import tags_of, turn_of
from recodec.io.raw_profiles import raw_profiles

_NAMES_OF_PILLOW = frozenset({*INFO_KEYS, "transparency", "interlace", "dpi", "gamma", "srgb", "aspect"})

# Raises LimitError for a width and a height.
CheckSize: TypeAlias = Callable[[int, int], None]

CONVERT = "allow its conversion with convert=True (--convert)"

# Pillow's modes that are stored at once, since nothing is lost by it.
_STORED = ("L", "LA", "RGB", "RGBA", "1", "P", "PA", "La", "RGBa", "RGBX")
# Modes that are stored on request: other colours, other depths.
_OTHER_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")
# What some sample of a picture reaches that has floats in 0..255.
_BRIGHT = 16
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_CONVERTED = (*_OTHER_COLOURS, "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


@contextmanager
def _unreadable(name: str, advice: str = "") -> Iterator[None]:
    """Turn whatever Pillow's readers raise on broken files, which is almost anything, into our errors.

    ``advice`` is what helps where Pillow has no reader.
    """
    try:
        yield
    except RecodecError:
        raise
    except UnidentifiedImageError as error:
        because = f": {advice}" if advice else ""
        raise ImageError(f"{name} is not an image that Pillow can read{because}") from error
    except Image.DecompressionBombError as error:
        raise LimitError(f"{name}: {error}; raise PIL.Image.MAX_IMAGE_PIXELS to allow it") from error
    except MemoryError:
        raise
    except OSError as error:
        if not is_of_file(error):
            raise _broken(name, error) from error
        raise of_file(ImageError, error, f"{name} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> ImageError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ImageError(f"{name} cannot be read as an image: {reason}")


@contextmanager
def opened(source: str | os.PathLike[str] | BinaryIO, check_size: CheckSize) -> Iterator[Image.Image]:
    """An image file opened with Pillow; what is raised while it is open names it.

    Raises :class:`ImageError` if it cannot be read, and what ``check_size`` raises.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the data"
    head = picture_kinds.head_of(source)
    if reason := picture_kinds.refused_content(head):
        raise ImageError(f"{name} cannot be encoded: {reason}")
    with _unreadable(name, picture_kinds.advice_by_content(head)), _open(source, name) as image:
        check_size(image.width, image.height)
        yield image


def _open(source: str | os.PathLike[str] | BinaryIO, name: str) -> Image.Image:
    try:
        image = Image.open(source)
        # PNG's text may have the name of what Pillow keeps in the same place, and is none of that. The property
        # ``text`` would read the whole file.
        for key, text in getattr(getattr(image, "png", None), "im_text", {}).items():
            if key in _NAMES_OF_PILLOW and image.info.get(key) in (text, text.encode("latin-1", "replace")):
                del image.info[key]
        return image
    except UnidentifiedImageError as error:
        if bits := odd_tiff_bits(source):
            raise ImageError(
                f"{name} is a TIFF file of {bits} bits per sample, which Pillow cannot read; save it with 8 or 16 first"
            ) from error
        raise


def open_image(
    source: str | os.PathLike[str] | BinaryIO, check_size: CheckSize, *, convert: bool = False
) -> Image.Image:
    """Open and load an image file with Pillow.

    Raises :class:`ImageError` if it cannot be read, has several frames, or more than 8 bits per sample without
    ``convert``; what ``check_size`` raises before its pixels are read.
    """
    with opened(source, check_size) as image:
        _check_kind(image, declared(image), convert=convert)
        image.load()
        return image


def _check_kind(image: Image.Image, told: Declared, *, convert: bool, exact: bool = False) -> None:
    """Refuse what Pillow would otherwise reduce to 8 bits, a preview or its first frame without a word."""
    if told.preview_of:
        raise ImageError(
            f"the file holds {told.preview_of}, of which Pillow reads a preview; develop it first, or save the "
            "preview as a file of its own"
        )
    if told.bits > 8 and not (exact and (_is_deep(image) or has_deep_colours(image))):
        if exact:
            raise ImageError(
                f"the image has {told.bits} bits per sample, of which Pillow reads 8: no lossless file keeps it; read "
                "it otherwise and give a uint16 array, or a PNG or TIFF file that is not loaded yet"
            )
        if not convert:
            raise ImageError(f"the image has more than 8 bits per sample; recodec stores 8: {CONVERT}")
        # Pillow keeps 8 bits of the samples and all 16 of this colour, so they can no longer be compared.
        if image.mode == "RGB" and "transparency" in image.info:
            raise ImageError(
                "the image has more than 8 bits per sample and a transparent colour; save it with an alpha "
                "channel first"
            )
    # Telephones write MPO: a photograph, then previews of it.
    if told.frames > 1 and image.format != "MPO":
        raise ImageError(
            f"the image has {told.frames} frames; recodec stores one: save the one you want first"
        )


def _is_deep(image: Image.Image) -> bool:
    """Whether samples have 16 bits."""
    # Pillow reads a deep PGM, which has no other use for this mode, as 32-bit integers.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def read_image(
    image: Image.Image,
    *,
    convert: bool = False,
    strip: bool = False,
    exact: bool = False,
    told: Declared | None = None,
    given: Given = NOTHING_GIVEN,
) -> tuple[NDArray[Any], dict[int, bytes], list[str]]:
    """Upright H×W or H×W×C samples of an image, its metadata by chunk type, and what is to be said of them.

    ``convert`` allows kinds that cannot be stored as they are, ``strip`` leaves metadata out, ``exact`` refuses what
    would have to be rounded and keeps 16 bits; ``told`` is what the image's file declares, where that is known already,
    ``given`` what counts instead of what it carries. Raises :class:`ImageError`.
    """
    name = getattr(image, "filename", "") or "the image"
    with _unreadable(name):
        for key in INFO_KEYS:
            as_bytes(key, image.info.get(key))
        told = declared(image) if told is None else told
        _check_kind(image, told, convert=convert, exact=exact)
    if image.mode not in (*_STORED, *_CONVERTED):
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit grey and RGB, each with or without alpha: "
            "convert it first, for example with image.convert('RGB')"
        )
    if exact:
        check_mode(image.mode)
    if image.mode in _CONVERTED and not convert and not (exact and _is_deep(image)):
        raise ImageError(
            f"the image has mode {image.mode}; recodec stores 8-bit grey and RGB, each with or without alpha: "
            f"{CONVERT}"
        )
    with _unreadable(name):
        low = lower_bytes(image) if exact and has_deep_colours(image) else None
        image.load()
        # Some of them stand behind the pixels.
        profiles, unread = raw_profiles(told.info | image.info)
        profiles = {key: content for key, content in profiles.items() if not image.info.get(key)}
        told = replace(told, metadata=profiles | told.metadata)
        exif = given.get("exif") or (None if tags_of(image) else told.metadata.get("exif"))
        xmp = xmp_of(image.info, told)
        # An image that is no file's ``ImageOps.exif_transpose`` may have turned.
        turn = turn_of(image, exif, given.get("xmp") or (xmp if image.format else None))
        upright = image if turn is None else image.transpose(turn)
        if low is None:
            array = _samples(image, upright, told, exact=exact)
        else:
            array = deep_samples(upright, low if turn is None else low.transpose(turn))
        further = further_pictures(image, xmp or b"", told.items)
        said = [*told.said, *further]
        # Further pictures are most of the time what it is.
        if told.behind and not said:
            said.append(f"{told.behind} bytes behind the picture are not in the file")
        if strip:
            return array, {}, said
        # A profile of colours that the picture no longer has would spoil it.
        grey = array.ndim == 2 or array.shape[2] < 3
        profile = image.mode not in _OTHER_COLOURS
        metadata, lost = metadata_of(image, told, turn, given, grey=grey, profile=profile)
    return array, metadata, said + unread + lost


def _samples(image: Image.Image, upright: Image.Image, told: Declared, *, exact: bool) -> NDArray[Any]:
    """What is stored of an image; ``upright`` is the same picture, turned."""
    if _is_deep(image):
        if image.format == "FITS":
            raise ImageError(
                "the samples of FITS files are scaled, which Pillow does not do; read it otherwise and give an array"
            )
        array = _deep_array(upright, 0 if exact else white_of(image, told.bits))
    elif image.mode == "F":
        array = _eight_bits_of_floats(np.asarray(upright), exact=exact)
    else:
        return np.asarray(_stored_mode(upright))
    # Pillow inverts such pictures of 8 bits only.
    tags: Any = getattr(image, "tag_v2", {})
    return np.invert(array) if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else array


def _stored_mode(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB or RGBA."""
    if image.mode in _OTHER_COLOURS:
        return _to_srgb(image)
    if image.mode == "I":
        values = np.asarray(image)
        if not ((values >= 0) & (values <= 255)).all():
            raise ImageError("the image has mode I and values outside 0..255; scale it to these first")
        return Image.fromarray(values.astype(np.uint8))
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + "A" * image.has_transparency_data
    return image if image.mode == mode else image.convert(mode)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Other colours to RGB, by their ICC profile if it is of use, otherwise by Pillow's plain formula."""
    profile = as_bytes("icc_profile", image.info.get("icc_profile"))
    if profile:
        with suppress(ImportError, ImageCms.PyCMSError, OSError):
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, outputMode="RGB")
            assert converted is not None
            return converted
    return image.convert("RGB")


def _eight_bits_of_floats(values: NDArray[Any], *, exact: bool) -> NDArray[np.uint8]:
    """Mode F as H×W uint8: floats in [0, 1], as in arrays, or in 0..255, as Pillow converts to it.

    Floats that reach little beyond 1 may be either, and one of both readings is black.
    """
    # Comparisons catch NaN too.
    if ((values >= 0) & (values <= 1)).all():
        return levels(values, white=1) if exact else np.asarray(np.rint(values * 255), np.uint8)
    sound = ((values >= 0) & (values <= 255)).all()
    if not sound or (values.max() < _BRIGHT and (values != np.rint(values)).any()):
        raise ImageError(
            f"the image has mode F and values from {values.min():g} to {values.max():g}; give floats in [0, 1], "
            f"or in 0..255, whole or with some from {_BRIGHT} on: scale and clamp it first"
        )
    return levels(values) if exact else np.asarray(np.rint(values), np.uint8)


def _deep_array(image: Image.Image, white: int) -> NDArray[Any]:
    """A 16-bit grey image as H×W uint8, or H×W×2 if one grey stands for transparent; with ``white`` 0 as uint16."""
    samples = np.asarray(image)
    grey = to_eight_bits(samples, white) if white else samples.astype(np.uint16)
    key = image.info.get("transparency")
    if key is None:
        return grey
    return np.stack([grey, np.where(samples == key, 0, np.iinfo(grey.dtype).max).astype(grey.dtype)], axis=2)


def to_eight_bits(samples: NDArray[Any], white: int = 65535) -> NDArray[np.uint8]:
    """The nearest of 0..255 for samples of 0..``white``, which is v / 257 for 65535."""
    scaled = (samples.astype(np.uint32) * 510 + white) // (2 * white)
    return np.asarray(np.minimum(scaled, 255), np.uint8)
