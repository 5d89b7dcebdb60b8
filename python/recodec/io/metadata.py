"""ICC profile, EXIF and XMP, as Pillow has them and as chunks of a file hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

from recodec.container.core import EXIF, ICC, XMP
from recodec.io.orientation import TAG as ORIENTATION
from recodec.io.orientation import turn_of, upright_exif, upright_xmp

# Where Pillow's readers leave a type of chunk.
_KEYS = {ICC: "icc_profile", EXIF: "exif", XMP: "xmp"}
INFO_KEYS = tuple(_KEYS.values())

# Pillow keeps JPEG's prefix in front of the TIFF header; the file format does not.
_EXIF_PREFIX = b"Exif\0\0"

_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# Sizes, strips and tiles of the pixels, and the ICC profile, which is stored by itself.
_TIFF_LAYOUT = (
    *range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 320, *range(322, 326), 338, 339, 347, 700, 34675,
)  # fmt: skip


def metadata_of(image: Image.Image, *, profile: bool = True) -> tuple[dict[int, bytes], list[str]]:
    """By chunk type, what an image carries, as it is but upright; and what is to be said of it.

    Without ``profile`` the ICC profile is left out.
    """
    exif, said = exif_of(image)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    found = {
        ICC: image.info.get("icc_profile") if profile else None,
        EXIF: exif,
        XMP: upright_xmp(_as_bytes(xmp)) if xmp else None,
    }
    return {chunk_type: _as_bytes(content) for chunk_type, content in found.items() if content}, said


def exif_of(image: Image.Image) -> tuple[bytes | None, list[str]]:
    """EXIF data from their TIFF header on, upright, and what is to be said of them.

    They are those that were read, byte for byte, unless the image has none as bytes, as TIFF files have, or its tags
    were changed since.
    """
    raw = _raw_exif(image.info)
    if raw is None or _changed(image.getexif(), raw):
        # Without what the coded picture no longer is: turned, or laid out in a TIFF file.
        return written_exif(image.getexif(), {ORIENTATION, *(_TIFF_LAYOUT if image.format == "TIFF" else ())})
    upright = upright_exif(raw)
    if upright is None and turn_of(image) is not None:
        return raw, [
            "EXIF is kept as it is, as its orientation cannot be patched: viewers may turn the picture again"
        ]
    return upright or raw, []


def _raw_exif(info: Mapping[Any, Any]) -> bytes | None:
    """EXIF as the file has them: a block, or what ImageMagick writes into PNG as text, in hexadecimal."""
    block = info.get("exif")
    if block is None and isinstance(text := info.get("Raw profile type exif"), str):
        with suppress(ValueError):
            block = bytes.fromhex("".join(text.split("\n")[3:]))
    return bytes(block).removeprefix(_EXIF_PREFIX) if isinstance(block, bytes | bytearray) and block else None


def _changed(exif: Image.Exif, raw: bytes) -> bool:
    """Whether tags are others than a block has, whatever the orientation."""
    fresh = Image.Exif()
    with suppress(Exception):
        fresh.load(_EXIF_PREFIX + raw)
    return _tags(exif) != _tags(fresh)


def _tags(exif: Image.Exif) -> str:
    """What can be compared; numbers that are none are not even equal to themselves."""
    found: list[Any] = [sorted((tag, value) for tag, value in exif.items() if tag != ORIENTATION)]
    for directory in _DIRECTORIES:
        # For a damaged tag Pillow raises almost anything.
        with suppress(Exception):
            found.append(sorted(exif.get_ifd(directory).items()))
    return repr(found)


def written_exif(exif: Image.Exif, without: Collection[int] = ()) -> tuple[bytes | None, list[str]]:
    """EXIF anew from the tags of an object but some, and what is to be said of them."""
    found, lost = _copied(exif, without)
    names = ", ".join(f"{tag:#06x}" for tag in lost)
    said = [f"EXIF tags {names} cannot be written and are left out"] if lost else []
    return (found.tobytes().removeprefix(_EXIF_PREFIX) if found else None), said


def _copied(exif: Image.Exif, without: Collection[int]) -> tuple[Image.Exif, list[int]]:
    """Tags of the caller's object in one of its own, with those that Pillow cannot write."""
    found, lost = Image.Exif(), []
    found.endian = exif.endian
    # A directory that a caller began is no tag yet.
    for tag in dict.fromkeys([*exif, *(name for name in _DIRECTORIES if exif.get_ifd(name))]):
        if tag in without:
            continue
        alone = Image.Exif()
        try:
            alone[tag] = _directory(exif, tag) if tag in _DIRECTORIES else _as_read(exif[tag])
            alone.tobytes()
        # For a damaged tag Pillow raises almost anything.
        except Exception:  # noqa: BLE001
            lost.append(tag)
        else:
            found[tag] = alone[tag]
    return found, lost


def _directory(exif: Image.Exif, tag: int) -> dict[int, Any]:
    entries = {name: _as_read(value) for name, value in exif.get_ifd(tag).items()}
    if ExifTags.IFD.Interop in entries:
        entries[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
    return entries


class _Text(str):
    """Text that is written as it was read: Pillow takes any for Latin-1, and would write it as ASCII with question marks.

    Of text that a caller set, what Latin-1 has no room for is written as UTF-8.
    """

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002
        try:
            return super().encode("latin-1")
        except UnicodeEncodeError:
            return super().encode()


def _as_read(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else bytes(content)


def as_info(metadata: Mapping[int, bytes]) -> dict[str | tuple[int, int], Any]:
    """Metadata by chunk type as an image's ``info`` has them."""
    return {
        key: _EXIF_PREFIX + metadata[chunk_type] if chunk_type == EXIF else metadata[chunk_type]
        for chunk_type, key in _KEYS.items()
        if chunk_type in metadata
    }
