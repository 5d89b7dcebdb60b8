"""ICC profiles of colours that primaries and a curve describe (ICC.1:2010, version 4.3)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# x and y of white, red, green and blue.
Chromaticities = tuple[float, float, float, float, float, float, float, float]
# Of ICC's parametricCurveType: one parameter is an exponent, five are g, a, b, c and d of
# (a v + b)^g from d on and c v below it.
Curve = Sequence[float]

_CURVE_KINDS = {1: 0, 5: 3}
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_HEADER_BYTES = 128
_LARGEST = 2**15 - 1
_FARTHEST = 2


def matrix_profile(chromaticities: Chromaticities, curve: Curve, *, grey: bool) -> bytes:
    """The profile of a display with these primaries and this curve from samples to light, for RGB or ``grey``.

    Raises :class:`ValueError` for values that are no colours or that a profile has no room for.
    """
    white = _xyz(chromaticities[0], chromaticities[1])
    adaptation = _adaptation(white)
    tags = {
        b"desc": _text("primaries and curve of the original"),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz_type(_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(adaptation.ravel()),
    }
    if grey:
        tags[b"kTRC"] = _parametric(curve)
    else:
        for name, column in zip(b"rgb", (adaptation @ _primaries(chromaticities, white)).T, strict=True):
            tags[bytes([name]) + b"XYZ"] = _xyz_type(column)
            tags[bytes([name]) + b"TRC"] = _parametric(curve)
    return _assembled(tags, b"GRAY" if grey else b"RGB ")


def _primaries(chromaticities: Chromaticities, white: NDArray[np.float64]) -> NDArray[np.float64]:
    """XYZ of red, green and blue in columns, which add up to white."""
    directions = np.stack([_xyz(*chromaticities[at : at + 2]) for at in (2, 4, 6)], axis=1)
    try:
        return directions * np.linalg.solve(directions, white)
    except np.linalg.LinAlgError as error:
        raise ValueError("the primaries lie on a line") from error


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    """XYZ of a chromaticity, its Y being 1. Those of wide spaces may be imaginary."""
    if not (max(abs(x), abs(y)) < _FARTHEST and y != 0):
        raise ValueError(f"a chromaticity is ({x}, {y})")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bradford's matrix from a white to the profile's."""
    cones = _BRADFORD @ white
    if not (cones > 0).all():
        raise ValueError("the white is no colour")
    scales = (_BRADFORD @ _D50) / cones
    return np.asarray(np.linalg.inv(_BRADFORD) @ (scales[:, None] * _BRADFORD))


def _fixed(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    """Numbers as s15Fixed16."""
    scaled = np.asarray(values, np.float64)
    if not (np.abs(scaled) <= _LARGEST).all():
        raise ValueError(f"{scaled.tolist()} do not fit into a profile")
    return struct.pack(f">{scaled.size}i", *np.rint(scaled * 65536).astype(int).tolist())


def _xyz_type(xyz: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(xyz)


def _parametric(curve: Curve) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", _CURVE_KINDS[len(curve)], 0) + _fixed(curve)


def _text(text: str) -> bytes:
    """One record of multiLocalizedUnicodeType."""
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _assembled(tags: dict[bytes, bytes], colours: bytes) -> bytes:
    directory = struct.pack(">I", len(tags))
    start = _HEADER_BYTES + 4 + 12 * len(tags)
    body, places = b"", dict[bytes, int]()
    for name, content in tags.items():
        # The three curves are one.
        if content not in places:
            places[content] = start + len(body)
            body += content + bytes(-len(content) % 4)
        directory += struct.pack(">4sII", name, places[content], len(content))
    size = start + len(body)
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sI4s4sQI",
        *(
            size,
            b"",
            0x04300000,
            b"mntr",
            colours,
            b"XYZ ",
            2000,
            1,
            1,
            0,
            0,
            0,
            b"acsp",
            b"",
            0,
            b"",
            b"",
            0,
            0,
        ),
    ) + _fixed(_D50)
    return header.ljust(_HEADER_BYTES, b"\0") + directory + body
