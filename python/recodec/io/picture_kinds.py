"""Kinds of picture files: which are read here, and what it takes to read the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import BinaryIO

from recodec import _core

_HEAD_BYTES = 16
_DEVELOP = (
    "it is a camera's raw data, which holds no finished picture; develop it first, for example with darktable or "
    "rawpy, and encode the result"
)
_PLUGIN = (
    "it takes a Pillow plugin; install {0} (the command uses it at once, Python code has to register it)"
)
_HEIF, _JXL = _PLUGIN.format("pillow-heif"), _PLUGIN.format("pillow-jxl-plugin")
_AVIF = "this Pillow was built without AVIF; install Pillow 11.3 or newer from a wheel"
_RAW_SUFFIXES = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 "
    ".rwl .sr2 .srf .srw .x3f"
)
_BY_SUFFIX = {
    **dict.fromkeys((".heic", ".heif", ".heics", ".heifs", ".hif"), _HEIF),
    ".jxl": _JXL,
    ".avif": _AVIF,
    **dict.fromkeys(_RAW_SUFFIXES.split(), _DEVELOP),
}
_RAW_MAGIC = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@cache
def register_plugins() -> None:
    """Have Pillow read what plugins that are installed read. A process's own choice, so for commands alone."""
    for module, function in (("pillow_heif", "register_heif_opener"), ("pillow_jxl", None)):
        try:
            plugin = import_module(module)
        except ImportError:
            continue
        if function:
            getattr(plugin, function)()


def image_suffixes() -> set[str]:
    """Suffixes of the files that Pillow reads; recodec's own is none of them."""
    from PIL import Image

    kinds = Image.registered_extensions()
    return {suffix for suffix, name in kinds.items() if name in Image.OPEN and name != "RECODEC"}


def image_chooser() -> Callable[[str], bool]:
    """What tells by their names which files are pictures, whether they can be read or not; others by a look inside."""
    suffixes = image_suffixes() | _BY_SUFFIX.keys()

    def is_image(path: str) -> bool:
        suffix = os.path.splitext(path)[1].lower()
        return suffix in suffixes if suffix else _is_image_inside(path)

    return is_image


def is_rcd_file(path: str) -> bool:
    """Whether a file is recodec's own by its name or, if that has no suffix, by its first bytes."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix == ".rcd" if suffix else head_of(path).startswith(_core.MAGIC)


def advice_by_suffix(path: str) -> str:
    """What it takes to read files of a suffix; empty where they are read, or nothing is known to help."""
    suffix = os.path.splitext(path)[1].lower()
    # Pillow takes some raw data for TIFF, and the thumbnail in it for the picture.
    if suffix in image_suffixes() and _BY_SUFFIX.get(suffix) != _DEVELOP:
        return ""
    return _BY_SUFFIX.get(suffix, "")


def refused_content(head: bytes) -> str:
    """Why a file with these first bytes is not to be read as a picture, even if Pillow would; empty for any other."""
    if head.startswith(_core.MAGIC):
        return "it is a recodec file already; truncate shortens it, without encoding anew"
    is_raw = head.startswith(_RAW_MAGIC) or head[4:12] == b"ftypcrx " or head[:2] + head[8:10] == b"IICR"
    return _DEVELOP if is_raw else ""


def advice_by_content(head: bytes) -> str:
    """What it takes to read a file that Pillow does not, from its first bytes; empty if nothing is known to help."""
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _HEIF_BRANDS:
        return _HEIF
    if brand in (b"avif", b"avis"):
        return _AVIF
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return _JXL
    return refused_content(head)


def head_of(source: str | os.PathLike[str] | BinaryIO) -> bytes:
    """The first bytes of a file; empty where there are none to be had."""
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:
                return file.read(_HEAD_BYTES)
        source.seek(0)
        head = source.read(_HEAD_BYTES)
    except (OSError, ValueError, AttributeError):
        return b""
    # Of a file in text mode it is none.
    return head if isinstance(head, bytes) else b""


def _is_image_inside(path: str) -> bool:
    from PIL import Image

    head = head_of(path)
    if advice_by_content(head):
        return not head.startswith(_core.MAGIC)
    try:
        with Image.open(path):
            return True
    # It may be anything; Pillow's readers raise anything for what only begins like a picture.
    except Exception:  # noqa: BLE001
        return False
