"""Pictures as image files: as good as a format can hold them, and what it cannot hold."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable
from typing import Any

from PIL import Image, PngImagePlugin

from recodec.errors import OutputError, OutputWarning
from recodec.io.destinations import Destination, Replaced, deliver, destinations, placed
from recodec.io.metadata import INFO_KEYS
from recodec.notices import warn
from recodec.several import Items

# Formats that Pillow writes without the alpha channel, or with all of it on or off, and says nothing.
_DROPS_ALPHA = ("BMP", "DIB", "GIF", "PPM", "SPIDER")
# Pillow's own defaults would lose two decibels more than the codec, and the colours of what is transparent.
_JPEG: dict[str, Any] = {"quality": 95, "subsampling": 0}
_BEST: dict[str, dict[str, Any]] = {
    # Half the time of Pillow's 6 for 2 to 3 % more bytes of photographs.
    "PNG": {"compress_level": 4},
    "JPEG": _JPEG,
    "MPO": _JPEG,
    "PDF": _JPEG,
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    # Of plugins: pillow-heif and pillow-jxl-plugin.
    "HEIF": {"quality": 95, "chroma": 444},
    "JXL": {"lossless": True},
}
# Those that have a quality.
LOSSY = tuple(name for name in _BEST if name != "PNG")
_XMP_TAG = 700
_LARGEST_ICON = 256


def to_bytes(image: Image.Image, format_name: str, quality: int | None = None) -> tuple[bytes, list[str]]:
    """An image file in memory, and what of the picture and its metadata the format has no room for.

    ``quality`` (0 to 100) is that of the :data:`LOSSY` formats; without one they are written without loss, or nearly.
    Raises :class:`OutputError` if the format cannot hold the picture, its alpha channel included.
    """
    if image.mode in ("LA", "RGBA") and format_name in _DROPS_ALPHA:
        raise OutputError(f"a {format_name} file cannot hold the alpha channel; choose png or webp")
    chosen = _BEST.get(format_name, {}) if quality is None else {"quality": quality}
    if format_name == "ICO" and max(image.size) <= _LARGEST_ICON:
        # Else in some usual sizes below its own.
        chosen = {"sizes": [image.size]}
    buffer = io.BytesIO()
    try:
        image.save(buffer, format_name, **chosen, **_metadata_options(image, format_name))
    # What Pillow's writers raise for sizes, modes and metadata that a format has no room for.
    except (OSError, ValueError, OverflowError, RuntimeError, struct.error) as error:
        raise OutputError(
            f"the picture cannot be written as {format_name}: {error}; choose png or webp"
        ) from error
    data = buffer.getvalue()
    return data, _lost(image, data, format_name)


def format_of(place: Destination | Replaced) -> str:
    """Pillow's name of the format that a path's suffix asks for, or a file's name; PNG where that has none.

    Raises :class:`OutputError` for what is no image format that can be written.
    """
    name = place if isinstance(place, str | os.PathLike) else getattr(place, "name", None)
    suffix = os.path.splitext(os.fspath(name))[1].lower() if isinstance(name, str | os.PathLike) else ""
    if not suffix:
        return "PNG"
    found = Image.registered_extensions().get(suffix, "")
    if found not in Image.SAVE or found == "RECODEC":
        raise OutputError(f"{suffix} is not an image format that can be written; try .png")
    return found


def image_place(out: Any) -> Destination | None:
    """A destination for one image. Raises like :func:`destinations`, and for formats that cannot be written."""
    (place,) = destinations(out, None)
    if place is not None:
        format_of(place)
    return place


def image_places(items: Items, out: Any) -> tuple[Items, Iterable[Destination | None]]:
    """:func:`placed` for images. Raises for formats that cannot be written too."""
    items, places = placed(items, out)
    if out is not None:
        for place in (places := [*places]):
            if place is not None:
                format_of(place)
    return items, places


def write_image(place: Destination | Replaced, image: Image.Image) -> None:
    """Write an image in the format that ``place`` asks for. Raises :class:`OutputError`.

    What the format has no room for comes with an :class:`OutputWarning`.
    """
    name = format_of(place)
    data, lost = to_bytes(image, name)
    deliver(place, data)
    if lost:
        warn(OutputWarning(f"a {name} file cannot hold the picture's {', '.join(lost)}, which it is without"))


def _metadata_options(image: Image.Image, format_name: str) -> dict[str, Any]:
    """What an image carries, as options of ``Image.save``, which writes most of it only if told once more."""
    found = {key: image.info[key] for key in INFO_KEYS if image.info.get(key)}
    xmp = found.get("xmp")
    if format_name == "PNG" and xmp is not None:
        # In the only place that readers look for it, as text.
        text = PngImagePlugin.PngInfo()
        try:
            text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        except UnicodeDecodeError:
            return found
        found["pnginfo"] = text
    elif format_name == "TIFF":
        exif = Image.Exif()
        exif.load(found.pop("exif", b""))
        if xmp is not None:
            exif[_XMP_TAG] = xmp
        if exif:
            found["exif"] = exif
    return found


def _lost(image: Image.Image, data: bytes, format_name: str) -> list[str]:
    """What is not in a file, by looking. Raises :class:`OutputError` if it holds another picture."""
    try:
        written = Image.open(io.BytesIO(data))
    # Written by a plugin that reads nothing, and none of those keeps any.
    except OSError:
        return [_NAMES[key] for key in INFO_KEYS if image.info.get(key)]
    if written.size != image.size:
        raise OutputError(
            f"a {format_name} file holds {written.width} x {written.height} pixels of this picture's "
            f"{image.width} x {image.height}; choose png or webp"
        )
    kept = {key for key in INFO_KEYS if written.info.get(key)} | ({"exif"} if written.getexif() else set())
    lost = [_NAMES[key] for key in INFO_KEYS if image.info.get(key) and key not in kept]
    if "RGB" in image.mode and Image.getmodebase(written.mode) == "L":
        raise OutputError(f"a {format_name} file cannot hold colours; choose png or webp")
    if written.mode in ("P", "PA", "1") and written.convert(image.mode).tobytes() != image.tobytes():
        lost.append("more than 256 colours" if written.mode != "1" else "more than two colours")
    if image.mode in ("LA", "RGBA") and not written.has_transparency_data:
        raise OutputError(f"a {format_name} file cannot hold the alpha channel; choose png or webp")
    return lost


_NAMES = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}
