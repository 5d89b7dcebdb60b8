"""ICC profile, EXIF and XMP, as Pillow has them and as chunks of a file hold them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, TypedDict

from PIL import ExifTags, Image, ImageCms

from recodec.container.core import EXIF, ICC, XMP
from recodec.errors import ImageError
from recodec.io.colours import profile_of, profile_of_tags
from recodec.io.declared import Declared
from recodec.io.orientation import TAG as ORIENTATION
from recodec.io.orientation import tags_of, upright_exif, upright_xmp
from recodec.io.resolution import resolution_of, with_resolution
from recodec.io.unkept import texts_left_out

# Where Pillow's readers leave a type of chunk.
_KEYS = {ICC: "icc_profile", EXIF: "exif", XMP: "xmp"}
INFO_KEYS = tuple(_KEYS.values())
_TYPES = {
    "icc_profile": "bytes or a profile of ImageCms",
    "exif": "bytes or Image.Exif",
    "xmp": "bytes or str",
}

# Of Pillow's ``info``, what says of colours more than EXIF do.
_COLOUR_KEYS = frozenset(("gamma", "chromaticity", "srgb"))

# Pillow keeps JPEG's prefix in front of the TIFF header; the file format does not.
_EXIF_PREFIX = b"Exif\0\0"

_EXTENDED_XMP, _EXTENSION_IN_XMP = b"http://ns.adobe.com/xmp/extension/\0", b"HasExtendedXMP"
_IN_GIF = {b"XMP DataXMP": "XMP", b"ICCRGBG1012": "ICC profile"}
# Photoshop's resource of IPTC, and the record and number of each of its datasets.
_IPTC = 0x0404
_DATASET = re.compile(rb"\x1c([\x01-\x09][\x00-\xff])", re.DOTALL)
_IPTC_VERSIONS = {b"\x01\x00", b"\x01\x5a", b"\x02\x00"}

_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# Sizes, strips and tiles of the pixels, further pictures, layers; XMP and ICC profile, which are stored by themselves.
_TIFF_LAYOUT = (
    *range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 320, *range(322, 326), 330, 338, 339, 347, 700,
    34675, 37724,
)  # fmt: skip


class Given(TypedDict, total=False):
    """By key of Pillow's ``info``, what counts instead of an image's own; None and nothing leave metadata out."""

    icc_profile: bytes | None
    exif: bytes | None
    xmp: bytes | None
    dpi: tuple[float, float] | None


NOTHING_GIVEN: Given = {}


def metadata_of(
    image: Image.Image,
    told: Declared,
    turn: Image.Transpose | None,
    given: Given,
    *,
    grey: bool,
    profile: bool = True,
) -> tuple[dict[int, bytes], list[str]]:
    """By chunk type, what an image carries, as it is but upright after a ``turn``; and what is to be said of it.

    ``told`` is what its file declares beside, ``given`` what counts instead. Without ``profile`` the ICC profile is
    left out.
    """
    turned = turn is not None
    exif, said = _upright(given["exif"], turned) if "exif" in given else _exif_of(image, told, turned)
    # Who leaves EXIF out wants none.
    dpi = given.get("dpi")
    if (dpi or given.get("exif", b"-")) and (resolution := resolution_of(told.info | image.info, turn, dpi)):
        # Neither EXIF that are given nor what is only handed on from another place.
        instead = dpi is not None and "exif" not in given and dpi != image.info.get("dpi")
        exif, more = with_resolution(exif, resolution, instead=instead)
        said += more
    icc = given.get("icc_profile")
    if profile and "icc_profile" not in given:
        own = as_bytes("icc_profile", image.info.get("icc_profile") or told.metadata.get("icc_profile"))
        icc, more = profile_of(told.info | image.info, own, told.code_points, grey=grey)
        if icc is None and not more and not _COLOUR_KEYS & (told.info.keys() | image.info.keys()):
            icc, more = profile_of_tags(_fresh(exif or _raw_exif(image.info, told) or b""), grey=grey)
        said += more
    xmp = given["xmp"] if "xmp" in given else xmp_of(image.info, told)
    found = {ICC: icc, EXIF: exif, XMP: upright_xmp(xmp) if xmp else None}
    return {chunk_type: content for chunk_type, content in found.items() if content}, said + _left_out(
        image, told, xmp
    )


def xmp_of(info: Mapping[Any, Any], told: Declared) -> bytes | None:
    """An image's own XMP as it is."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        if found := as_bytes("xmp", info.get(key)):
            return found
    return told.metadata.get("xmp")


def _left_out(image: Image.Image, told: Declared, xmp: bytes | None) -> list[str]:
    """What is to be said of metadata that a file has no place for."""
    said = [*told.left_out, *texts_left_out(image)]
    segments: Any = getattr(image, "applist", ())
    if _EXTENSION_IN_XMP in (xmp or b"") or any(content.startswith(_EXTENDED_XMP) for _, content in segments):
        said.append("the extended part of its XMP is not in the file, though XMP names it")
    photoshop = image.info.get("photoshop")
    iptc = photoshop.get(_IPTC) if isinstance(photoshop, dict) else None
    if _is_caption(iptc) or _is_caption(told.metadata.get("iptc")):
        said.append("IPTC captions are not in the file")
    extension = image.info.get("extension")
    if isinstance(extension, tuple) and (name := _IN_GIF.get(extension[0])):
        said.append(f"the {name} of a GIF file is not in the file")
    return said


def _is_caption(iptc: bytes | None) -> bool:
    """Whether IPTC says more than its own version, which programs write into any file."""
    if not iptc:
        return False
    names = set(_DATASET.findall(iptc))
    return not names or bool(names - _IPTC_VERSIONS)


def _exif_of(image: Image.Image, told: Declared, turned: bool) -> tuple[bytes | None, list[str]]:
    """EXIF data from their TIFF header on, upright, and what is to be said of them.

    They are those that were read, byte for byte, unless the image has none as bytes, as TIFF files have, or its tags
    were changed since.
    """
    raw = _raw_exif(image.info, told)
    if _changed(tags_of(image), raw or b""):
        # Without what the coded picture no longer is: turned, or laid out in a TIFF file.
        return written_exif(tags_of(image), {ORIENTATION, *(_TIFF_LAYOUT if image.format == "TIFF" else ())})
    return _upright(told.metadata.get("exif") or raw, turned)


def _upright(exif: bytes | None, turned: bool) -> tuple[bytes | None, list[str]]:
    if not exif:
        return None, []
    upright = upright_exif(exif := exif.removeprefix(_EXIF_PREFIX))
    if upright is None and turned:
        return exif, [
            "EXIF is kept as it is, as its orientation cannot be patched: viewers may turn the picture again"
        ]
    return upright or exif, []


def _raw_exif(info: Mapping[Any, Any], told: Declared) -> bytes | None:
    """EXIF as the file has them where Pillow looks for tags."""
    block = as_bytes("exif", info.get("exif"))
    if block is None and "Raw profile type exif" in info:
        block = told.metadata.get("exif")
    return block.removeprefix(_EXIF_PREFIX) if block else None


def _changed(exif: Image.Exif, raw: bytes) -> bool:
    """Whether tags are others than a block has, whatever the orientation."""
    return _tags(exif) != _tags(_fresh(raw))


def _fresh(raw: bytes) -> Image.Exif:
    """Tags of a block, as far as Pillow can read them."""
    fresh = Image.Exif()
    with suppress(Exception):
        fresh.load(_EXIF_PREFIX + raw)
    return fresh


def _tags(exif: Image.Exif) -> str:
    """What can be compared; numbers that are none are not even equal to themselves."""
    found: list[Any] = [sorted((tag, value) for tag, value in exif.items() if tag != ORIENTATION)]
    for directory in _directories(exif):
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


def _directories(exif: Image.Exif) -> list[int]:
    """Directories that there are; to ask Pillow for another begins one. What a caller began is no tag yet."""
    return [tag for tag in _DIRECTORIES if tag in exif or tag in getattr(exif, "_ifds", ())]


def _copied(exif: Image.Exif, without: Collection[int]) -> tuple[Image.Exif, list[int]]:
    """Tags of the caller's object in one of its own, with those that Pillow cannot write."""
    found, lost = Image.Exif(), []
    found.endian = exif.endian
    for tag in dict.fromkeys([*exif, *_directories(exif)]):
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
    """Text that is written as it was read, for Latin-1 as Pillow has it, which would write question marks itself.

    Of text that a caller set, what Latin-1 has no room for is written as UTF-8.
    """

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        try:
            return super().encode("latin-1")
        except UnicodeEncodeError:
            return super().encode()


def _as_read(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def as_bytes(key: str, value: Any) -> bytes | None:
    """The value of a key of Pillow's ``info``. Raises :class:`ImageError` for one of another type than it can have."""
    if value is None or isinstance(value, bytes | bytearray | memoryview):
        return None if value is None else bytes(value)
    if key == "xmp" and isinstance(value, str):
        return value.encode()
    # One of the class, or what createProfile gives.
    profile = getattr(value, "profile", value)
    if key == "icc_profile" and type(profile).__name__ == "CmsProfile":
        return bytes(ImageCms.ImageCmsProfile(profile).tobytes())
    raise ImageError(f"{key} is of type {type(value).__name__}; {key} must be {_TYPES[key]}")


def as_info(metadata: Mapping[int, bytes]) -> dict[str | tuple[int, int], Any]:
    """Metadata by chunk type as an image's ``info`` has them."""
    return {
        key: _EXIF_PREFIX + metadata[chunk_type] if chunk_type == EXIF else metadata[chunk_type]
        for chunk_type, key in _KEYS.items()
        if chunk_type in metadata
    }
