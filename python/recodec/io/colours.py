"""What the samples of a picture mean, where its file says so otherwise than by an ICC profile.

Such a description becomes the ICC profile that says the same, or, where none does, is reported.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

from PIL import ExifTags, Image

from recodec.io.icc_profiles import Chromaticities, Curve, matrix_profile

_D65 = (0.3127, 0.329)
# By code point of ITU-T H.273, ColourPrimaries: white, red, green, blue.
_PRIMARIES: dict[int, Chromaticities] = {
    1: (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06),
    4: (0.31, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    8: (0.31, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    22: (*_D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BT709_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
# TransferCharacteristics, from samples to light; PQ (16), HLG (18) and logarithms have no such curve.
_CURVES: dict[int, Curve] = {
    1: _BT709_CURVE, 4: (2.2,), 5: (2.8,), 6: _BT709_CURVE,
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0912),
    8: (1.0,), 13: _SRGB_CURVE, 14: _BT709_CURVE, 15: _BT709_CURVE,
}  # fmt: skip
_BT709, _UNSPECIFIED = 1, 2

# PNG's numbers are those of sRGB if they are no further off; writers round them differently.
_SRGB_GAMMA = 0.45455
_SAME_GAMMA, _SAME_CHROMATICITY = 1e-3, 2e-3
# As EXIF's colour space, or by the index of interoperability where that is uncalibrated; IEC 61966-2-5.
_ADOBE_RGB_SPACE, _UNCALIBRATED, _ADOBE_RGB_INDEX = 2, 0xFFFF, "R03"
_ADOBE_RGB: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_RGB_GAMMA = 563 / 256
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class CodePoints(NamedTuple):
    """ITU-T H.273's numbers for primaries and transfer; ``plain`` unless samples are not RGB of full range.

    ``first`` where they count more than a profile.
    """

    primaries: int
    transfer: int
    plain: bool = True
    first: bool = False

    @property
    def silent(self) -> bool:
        """Whether they say nothing."""
        return (self.primaries, self.transfer, self.plain) == (_UNSPECIFIED, _UNSPECIFIED, True)


def nclx_code_points(content: bytes) -> CodePoints:
    """Those in a colr box, behind its type; readers have used its matrix and range by now."""
    return CodePoints(*struct.unpack_from(">HH", content))


def png_code_points(file: IO[bytes]) -> CodePoints | None:
    """Those of a PNG file's cICP chunk, which Pillow skips."""
    file.seek(0)
    if file.read(8) != _PNG_SIGNATURE:
        return None
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        if head[4:] == b"cICP":
            primaries, transfer, matrix, full_range = file.read(4).ljust(4, b"\0")
            return CodePoints(primaries, transfer, (matrix, full_range) == (0, 1), first=True)
        file.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)
    return None


def profile_of(
    info: Mapping[Any, Any], own: bytes | None, declared: CodePoints | None, *, grey: bool
) -> tuple[bytes | None, list[str]]:
    """The ICC profile of an image's samples, its own or one that is made; and what is to be said of it.

    ``info`` is Pillow's, and ``declared`` what its file says beside. None is sRGB, and so is what is left open of
    primaries and curve.
    """
    if declared is not None and not declared.silent and (own is None or declared.first):
        return _of_code_points(declared, own, grey=grey)
    if own is not None or "srgb" in info:
        return own, []
    return _of_png(info.get("gamma"), info.get("chromaticity"), grey=grey)


def profile_of_tags(exif: Image.Exif, *, grey: bool) -> tuple[bytes | None, list[str]]:
    """The same by tags of EXIF, where nothing else describes colours: primaries, or a camera's Adobe RGB (DCF)."""
    space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
    index = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    if space == _ADOBE_RGB_SPACE or (space == _UNCALIBRATED and index == _ADOBE_RGB_INDEX):
        return _made(_ADOBE_RGB, (_ADOBE_RGB_GAMMA,), None, grey=grey)
    white, others = exif.get(ExifTags.Base.WhitePoint), exif.get(ExifTags.Base.PrimaryChromaticities)
    if grey or not (isinstance(white, tuple) and isinstance(others, tuple)):
        return None, []
    found = [float(value) for value in (*white, *others)]
    if len(found) != len(_PRIMARIES[_BT709]) or _are_srgb(found):
        return None, []
    return None, ["colours have primaries that tags of its EXIF describe: they will be taken for sRGB"]


def _of_code_points(declared: CodePoints, own: bytes | None, *, grey: bool) -> tuple[bytes | None, list[str]]:
    primaries = (
        _PRIMARIES[_BT709] if declared.primaries == _UNSPECIFIED else _PRIMARIES.get(declared.primaries)
    )
    curve = _SRGB_CURVE if declared.transfer == _UNSPECIFIED else _CURVES.get(declared.transfer)
    if grey:
        primaries = _PRIMARIES[_BT709]
    if not declared.plain or primaries is None or curve is None:
        what = f"CICP primaries {declared.primaries} and transfer {declared.transfer}"
        kind = what if declared.plain else f"{what}, not RGB of full range"
        taken = "sRGB" if own is None else "those of its ICC profile"
        return own, [
            f"colours are {kind}, which no ICC profile here describes: they will be taken for {taken}"
        ]
    return _made(primaries, curve, own, grey=grey)


def _of_png(gamma: Any, chromaticity: Any, *, grey: bool) -> tuple[bytes | None, list[str]]:
    """From gAMA and cHRM as Pillow has them."""
    primaries = _PRIMARIES[_BT709]
    # Of a gamma of 0, which some write, nothing follows.
    has_gamma = isinstance(gamma, int | float) and gamma > 0
    usual = not has_gamma or abs(gamma - _SRGB_GAMMA) <= _SAME_GAMMA
    known = isinstance(chromaticity, tuple) and len(chromaticity) == len(primaries)
    if known and not grey and not _are_srgb(chromaticity):
        primaries, usual = chromaticity, False
    if usual:
        return None, []
    return _made(primaries, (1 / gamma,) if has_gamma else _SRGB_CURVE, None, grey=grey)


def _are_srgb(chromaticity: Sequence[float]) -> bool:
    """Whether white and primaries are those of sRGB, but for rounding."""
    differences = (abs(a - b) for a, b in zip(chromaticity, _PRIMARIES[_BT709], strict=True))
    return max(differences) <= _SAME_CHROMATICITY


def _made(
    primaries: Chromaticities, curve: Curve, own: bytes | None, *, grey: bool
) -> tuple[bytes | None, list[str]]:
    if (primaries, curve) == (_PRIMARIES[_BT709], _SRGB_CURVE):
        return None, []
    try:
        return matrix_profile(primaries, curve, grey=grey), []
    except ValueError as error:
        return own, [f"colours make no ICC profile ({error}): they will be taken for sRGB"]
