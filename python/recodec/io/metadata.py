"""ICC profile, EXIF and XMP, as Pillow has them and as chunks of a file hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from recodec.container.core import EXIF, ICC, XMP

# Where Pillow's writers look for a type of chunk.
_INFO_KEYS = {ICC: "icc_profile", EXIF: "exif", XMP: "xmp"}

# Pillow keeps JPEG's prefix in front of the TIFF header; the file format does not.
_EXIF_PREFIX = b"Exif\0\0"

ORIENTATION = 0x0112
# Sizes, strips and tiles of the pixels, and the ICC profile, which is stored by itself.
_TIFF_LAYOUT = (
    *range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 320, *range(322, 326), 338, 339, 347, 700, 34675,
)  # fmt: skip


def metadata_of(image: Image.Image, upright: Image.Image, *, profile: bool = True) -> dict[int, bytes]:
    """By chunk type, what an image carries; ``upright`` is the same image turned as its EXIF says.

    Without ``profile`` the ICC profile is left out.
    """
    found = {
        ICC: image.info.get("icc_profile") if profile else None,
        EXIF: _exif_of(image),
        XMP: upright.info.get("xmp"),
    }
    return {
        chunk_type: content.encode() if isinstance(content, str) else bytes(content)
        for chunk_type, content in found.items()
        if content
    }


def _exif_of(image: Image.Image) -> bytes | None:
    """EXIF without what the coded picture no longer is: rotated, or laid out in a TIFF file."""
    exif = image.getexif()
    for tag in (ORIENTATION, *(_TIFF_LAYOUT if image.format == "TIFF" else ())):
        exif.pop(tag, None)
    return exif.tobytes().removeprefix(_EXIF_PREFIX) if exif else None


def as_info(metadata: Mapping[int, bytes]) -> dict[str | tuple[int, int], Any]:
    """Metadata by chunk type as an image's ``info`` has them."""
    return {
        key: _EXIF_PREFIX + metadata[chunk_type] if chunk_type == EXIF else metadata[chunk_type]
        for chunk_type, key in _INFO_KEYS.items()
        if chunk_type in metadata
    }


def writer_options(image: Image.Image) -> dict[str, Any]:
    """What an image carries, as options of ``Image.save``, which writes most of it only if told once more."""
    return {key: image.info[key] for key in _INFO_KEYS.values() if key in image.info}
