"""What an image's file says of its picture, and Pillow does not pass on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import IO, Any

from PIL import Image

from recodec.io import icons
from recodec.io.bit_depth import bits_of
from recodec.io.boxes import Items, boxes, items
from recodec.io.colours import CodePoints, nclx_code_points, png_code_points
from recodec.io.densities import density_of
from recodec.io.file_ends import bytes_behind, samsung_parts
from recodec.io.further_pictures import beside, frames_of, preview_of
from recodec.io.unkept import in_one_line, unkept

# Methods of a colr box in JPEG 2000: a number, a profile for some colours or for any, and code points.
_ENUMERATED, _PROFILES, _CODE_POINTS = 1, (2, 3), 5
# Numbers of colours that Pillow's modes are: grey of either kind, CMYK, sRGB and what is made of it.
_USUAL_COLOURS = (0, 12, 15, 16, 17, 18)
# JPEG 2000 keeps metadata in boxes of these names, layered pictures in resources of these numbers.
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}
_INFO_KEYS = ("icc_profile", "exif", "xmp")
# What else Pillow's ``info`` of a whole file inside another tells of its picture.
_FURTHER_KEYS = ("gamma", "chromaticity", "srgb", "dpi", "aspect")
_RAW_PROFILE = "Raw profile type "
_RESOURCES = {1028: "iptc", 1058: "exif", 1060: "xmp"}
# A bitmap's header of version 5, and where it says that a profile is in the file.
_BMP_HEADER, _BMP_V5, _BMP_EMBEDDED = 14, 124, b"DEBM"


@dataclass(frozen=True, slots=True)
class Declared:
    """Bits per sample; what samples mean; what a file holds beside them, and how many pictures.

    ``metadata`` has the keys of Pillow's ``info``, and "iptc". ``preview_of`` is what the picture is a preview of,
    ``said`` what is to be said of the rest of the file, ``left_out`` of its metadata; ``info`` is what Pillow's lacks
    of colours, resolution and texts. ``behind`` is how many bytes follow the picture.
    """

    bits: int = 8
    code_points: CodePoints | None = None
    metadata: dict[str, bytes] = field(default_factory=dict)
    items: Items = field(default_factory=Items)
    frames: int = 1
    preview_of: str | None = None
    said: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    behind: int = 0


def declared(image: Image.Image) -> Declared:
    """What the file of an image declares.

    Of an image that is loaded, only the name of its file tells, or a file in memory that Pillow still has; of a copy,
    nothing does.
    """
    with _unread(image) as found, _file_of(found) as file:
        said = beside(found, file)
        if file is not None and found.format in ("JPEG", "MPO") and (parts_behind := samsung_parts(file)):
            said.append(
                f"Samsung's data behind the picture ({in_one_line(parts_behind)}) are not in the file"
            )
        if file is not None and (inside := icons.file_inside(found, file)) is not None:
            return _of_icon(inside, said)
        parts, metadata, points = Items(), dict[str, bytes](), None
        # Damage is for Pillow's reader to name.
        with suppress(Exception):
            if file is not None and found.format in ("AVIF", "HEIF"):
                parts = items(file)
                points = _nclx(parts)
                # Pillow writes those of AVIF anew where the container says how to turn the picture.
                metadata = {"exif": parts.exif} if parts.exif and found.format == "AVIF" else {}
            elif file is not None and found.format == "PNG":
                points = png_code_points(file)
            elif file is not None and found.format == "JPEG2000":
                metadata, points, more = _of_jpeg2000(file)
                said += more
            elif file is not None and found.format == "BMP":
                metadata = _of_bmp(file)
            elif found.format == "PSD":
                resources: Any = getattr(found, "resources", ())
                metadata = {_RESOURCES[key]: data for key, _, data in resources if key in _RESOURCES}
        # As a plugin for HEIF has it.
        if points is None and isinstance(told := image.info.get("nclx_profile"), dict):
            points = CodePoints(told.get("color_primaries", 2), told.get("transfer_characteristics", 2))
        return Declared(
            bits_of(found, file, parts),
            points,
            metadata,
            parts,
            frames_of(image),
            preview_of(found, file),
            tuple(said),
            tuple(unkept(found, file, _UUIDS)),
            density_of(found, file),
            0 if file is None else bytes_behind(found, file),
        )


def _of_icon(inside: Image.Image, said: list[str]) -> Declared:
    """What the file inside an icon declares; Pillow passes on none of it."""
    own = {key: content for key in _INFO_KEYS if isinstance(content := inside.info.get(key), bytes)}
    if "transparency" in inside.info:
        said.append("the transparency of the icon, which Pillow does not read, is not in the file")
    told = declared(inside)
    further = {
        str(key): value
        for key, value in inside.info.items()
        if key in _FURTHER_KEYS or str(key).startswith(_RAW_PROFILE)
    }
    return replace(
        told,
        metadata=own | told.metadata,
        frames=1,
        said=(*said, *told.said),
        info=further | told.info,
        behind=0,
    )


@contextmanager
def _unread(image: Image.Image) -> Iterator[Image.Image]:
    """An image as it was before its pixels were read, opened once more if need be and possible."""
    source: Any = getattr(image, "filename", "") or getattr(image, "_fp", None)
    if getattr(image, "tile", ()) or not source:
        yield image
        return
    again, position = None, None
    # Gone, closed, unreadable or by now another picture: then it is taken for what it is in memory.
    with suppress(Exception):
        position = source.tell() if hasattr(source, "read") else None
        again = Image.open(source)
    same = again is not None and (again.format, again.size) == (image.format, image.size)
    try:
        yield again if again is not None and same else image
    finally:
        if again is not None:
            again.__exit__()
        if position is not None:
            source.seek(position)


@contextmanager
def _file_of(image: Image.Image) -> Iterator[IO[bytes] | None]:
    """The file of an image that is open, left where it was; None if there is none."""
    file: IO[bytes] | None = getattr(image, "fp", None)
    position = None
    # Closed, perhaps.
    with suppress(Exception):
        position = None if file is None else file.tell()
    try:
        yield None if position is None else file
    finally:
        if file is not None and position is not None:
            file.seek(position)


def _nclx(parts: Items) -> CodePoints | None:
    for content in parts.get(b"colr"):
        if content.startswith(b"nclx"):
            return nclx_code_points(content[4:])
    return None


def _of_jpeg2000(file: IO[bytes]) -> tuple[dict[str, bytes], CodePoints | None, list[str]]:
    metadata: dict[str, bytes] = {}
    points, said = None, []
    for box in boxes(file):
        if box.kind == b"uuid":
            content = box.read(file)
            if name := _UUIDS.get(content[:16]):
                metadata[name] = content[16:]
        elif box.kind == b"jp2h":
            for content in [
                part.read(file) for part in boxes(file, box.start, box.end) if part.kind == b"colr"
            ]:
                if content[0] in _PROFILES:
                    metadata["icc_profile"] = content[3:]
                elif content[0] == _CODE_POINTS:
                    points = nclx_code_points(content[3:])
                elif content[0] == _ENUMERATED:
                    number = int.from_bytes(content[3:7])
                    if number not in _USUAL_COLOURS:
                        said.append(f"colours are JPEG 2000's number {number}: they will be taken for sRGB")
    return metadata, points, [] if "icc_profile" in metadata or points else said


def _of_bmp(file: IO[bytes]) -> dict[str, bytes]:
    file.seek(_BMP_HEADER)
    header = file.read(_BMP_V5)
    if header[:4] != _BMP_V5.to_bytes(4, "little") or header[56:60] != _BMP_EMBEDDED:
        return {}
    start, size = (int.from_bytes(header[at : at + 4], "little") for at in (112, 116))
    file.seek(_BMP_HEADER + start)
    return {"icc_profile": file.read(size)}
