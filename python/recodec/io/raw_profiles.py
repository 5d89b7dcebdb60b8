"""Metadata that programs write into PNG as text, in hexadecimal: "Raw profile type exif" and its kin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_KEY = "Raw profile type "
# Name and number of bytes, each on a line, then as many lines as it takes.
_TEXT = re.compile(r"\n.*\n\s*\d+\n([0-9a-fA-F\s]*)\Z")
# APP1 holds what that segment of JPEG does.
_XMP_IN_APP1 = b"http://ns.adobe.com/xap/1.0/\0"
_KEYS = {
    "exif": ("exif", "APP1"),
    "xmp": ("xmp", "APP1"),
    "icc_profile": ("icc", "icm"),
    "iptc": ("iptc", "8bim", "IPTC"),
}


def raw_profiles(info: Mapping[Any, Any]) -> tuple[dict[str, bytes], list[str]]:
    """From Pillow's ``info`` and with its keys, and "iptc", what can be read; and what is to be said of the others."""
    found, unread = dict[str, bytes](), set[str]()
    for key, names in _KEYS.items():
        for name in names:
            text = info.get(_KEY + name)
            if not isinstance(text, str):
                continue
            content = _content(text)
            if content is None:
                unread.add(name)
            elif name != "APP1":
                found.setdefault(key, content)
            elif content.startswith(_XMP_IN_APP1) == (key == "xmp"):
                found.setdefault(key, content.removeprefix(_XMP_IN_APP1))
    return found, [
        f"its {_KEY.lower()}{name!r} cannot be read, and is not in the file" for name in sorted(unread)
    ]


def _content(text: str) -> bytes | None:
    with suppress(ValueError):
        if match := _TEXT.match(text):
            return bytes.fromhex(match[1])
    return None
