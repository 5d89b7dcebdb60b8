"""What imagecodecs leaves out of libjxl: progressive files, and the picture that the beginning of one shows."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import byref, c_float, c_int, c_int64, c_size_t, c_uint8, c_uint32, c_void_p
from functools import cache

import numpy as np

from recodec.errors import PackageError, RecodecError
from recodec.eval.metrics import Pixels

# Numbers of libjxl's enumerations.
EFFORT, RESPONSIVE, QPROGRESSIVE_AC = 0, 16, 18
_ENC_NEED_MORE_OUTPUT = 2
_DEC_NEED_MORE_INPUT, _DEC_NEED_IMAGE_OUT_BUFFER, _DEC_FULL_IMAGE = 2, 5, 0x1000

# Fields of 32 bits, the second and third width and height; more room than there are.
_BasicInfo = c_uint32 * 128
_BUFFER = 1 << 20


class _PixelFormat(ctypes.Structure):
    _fields_ = (
        ("num_channels", c_uint32),
        ("data_type", c_int),
        ("endianness", c_int),
        ("align", c_size_t),
    )


_RGB_UINT8 = _PixelFormat(3, 2, 0, 0)

# Result and arguments; without them ctypes cuts pointers to the size of an int.
_FUNCTIONS = {
    "JxlEncoderCreate": (c_void_p, c_void_p),
    "JxlEncoderDestroy": (None, c_void_p),
    "JxlEncoderInitBasicInfo": (None, c_void_p),
    "JxlEncoderSetBasicInfo": (c_int, c_void_p, c_void_p),
    "JxlEncoderFrameSettingsCreate": (c_void_p, c_void_p, c_void_p),
    "JxlEncoderSetFrameDistance": (c_int, c_void_p, c_float),
    "JxlEncoderFrameSettingsSetOption": (c_int, c_void_p, c_int, c_int64),
    "JxlEncoderAddImageFrame": (c_int, c_void_p, c_void_p, c_void_p, c_size_t),
    "JxlEncoderCloseInput": (None, c_void_p),
    "JxlEncoderProcessOutput": (c_int, c_void_p, c_void_p, c_void_p),
    "JxlDecoderCreate": (c_void_p, c_void_p),
    "JxlDecoderDestroy": (None, c_void_p),
    "JxlDecoderSubscribeEvents": (c_int, c_void_p, c_int),
    "JxlDecoderSetInput": (c_int, c_void_p, c_void_p, c_size_t),
    "JxlDecoderProcessInput": (c_int, c_void_p),
    "JxlDecoderGetBasicInfo": (c_int, c_void_p, c_void_p),
    "JxlDecoderSetImageOutBuffer": (c_int, c_void_p, c_void_p, c_void_p, c_size_t),
    "JxlDecoderFlushImage": (c_int, c_void_p),
}


class LibjxlError(RecodecError):
    """A function of libjxl says that it failed."""


@cache
def library() -> ctypes.CDLL:
    """Those functions. Raises :class:`PackageError` if they are not to be had."""
    try:
        from imagecodecs import _jpegxl

        # A handle finds what its library is linked with, too, wherever that lies.
        found = ctypes.CDLL(_jpegxl.__file__)
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(found, name)
            function.restype, function.argtypes = result, arguments
    except (ImportError, AttributeError) as error:
        raise PackageError(
            f"libjxl cannot be called through imagecodecs ({error}); install its wheel, on Linux or macOS, with the "
            "extra eval of recodec"
        ) from error
    return found


def _check(status: int, what: str) -> None:
    if status:
        raise LibjxlError(f"libjxl: {what} gives status {status}")


def encode(original: Pixels, distance: float, settings: Mapping[int, int]) -> bytes:
    """A code stream without container, by one thread."""
    lib = library()
    height, width = original.shape[:2]
    encoder = lib.JxlEncoderCreate(None)
    try:
        info = _BasicInfo()
        lib.JxlEncoderInitBasicInfo(info)
        info[1:3] = [width, height]
        _check(lib.JxlEncoderSetBasicInfo(encoder, info), "the size of the picture")
        frame = lib.JxlEncoderFrameSettingsCreate(encoder, None)
        _check(lib.JxlEncoderSetFrameDistance(frame, distance), f"distance {distance}")
        for setting, value in settings.items():
            _check(
                lib.JxlEncoderFrameSettingsSetOption(frame, setting, value), f"setting {setting} to {value}"
            )
        samples = np.ascontiguousarray(original)
        _check(
            lib.JxlEncoderAddImageFrame(frame, byref(_RGB_UINT8), samples.ctypes.data, samples.nbytes),
            "adding the picture",
        )
        lib.JxlEncoderCloseInput(encoder)
        written, status = b"", _ENC_NEED_MORE_OUTPUT
        while status == _ENC_NEED_MORE_OUTPUT:
            buffer = (c_uint8 * _BUFFER)()
            end, left = c_void_p(ctypes.addressof(buffer)), c_size_t(_BUFFER)
            status = lib.JxlEncoderProcessOutput(encoder, byref(end), byref(left))
            written += bytes(buffer)[: _BUFFER - left.value]
        _check(status, "encoding")
        return written
    finally:
        lib.JxlEncoderDestroy(encoder)


def decode_beginning(data: bytes) -> Pixels | None:
    """The picture that so much of a file shows; None where libjxl shows none yet, which takes all of DC."""
    lib = library()
    decoder = lib.JxlDecoderCreate(None)
    try:
        _check(lib.JxlDecoderSubscribeEvents(decoder, _DEC_FULL_IMAGE), "asking for the picture")
        _check(lib.JxlDecoderSetInput(decoder, data, len(data)), "reading")
        status, pixels = lib.JxlDecoderProcessInput(decoder), None
        if status == _DEC_NEED_IMAGE_OUT_BUFFER:
            info = _BasicInfo()
            _check(lib.JxlDecoderGetBasicInfo(decoder, info), "the size of the picture")
            pixels = np.empty((info[2], info[1], 3), np.uint8)
            _check(
                lib.JxlDecoderSetImageOutBuffer(
                    decoder, byref(_RGB_UINT8), pixels.ctypes.data, pixels.nbytes
                ),
                "giving room for the picture",
            )
            status = lib.JxlDecoderProcessInput(decoder)
        if status == _DEC_NEED_MORE_INPUT:
            return None if lib.JxlDecoderFlushImage(decoder) else pixels
        _check(status - _DEC_FULL_IMAGE, "decoding")
        return pixels
    finally:
        lib.JxlDecoderDestroy(decoder)
