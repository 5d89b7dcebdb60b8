"""What the card of a model says of it: its part of the README.md beside the file of weights.

A card is a heading with the model's id and a table of two columns. People read all of it; programs read the rows
``licence``, ``data licence`` and ``against JPEG``. A cell "that of `ID`" stands for the same row of another card.
Loads no torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from recodec.model_search import SHIPPED

FILE = "README.md"

_HEADING = re.compile(r"^## ([a-z0-9-]{1,32})$", re.MULTILINE)
_ROW = re.compile(r"^\| *([^|]*?) *\| *(.*?) *\|$", re.MULTILINE)
_OTHER = re.compile(r"that of `([a-z0-9-]{1,32})`")
_RATE = re.compile(r"([+−]?)(\d+(?:\.\d+)?) % \((MS-SSIM|PSNR)\)")
_METRICS = {"MS-SSIM": "ms_ssim", "PSNR": "psnr"}

Rows = dict[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """Of one model; None for what its card does not say, all None for a model without one.

    ``bd_rate`` has the bits of its files above those of JPEG 4:2:0 at equal "ms_ssim" and "psnr", in percent: negative
    saves bits.
    """

    licence: str | None = None
    data_licence: str | None = None
    bd_rate: dict[str, float] | None = None


def card_of(weights: Path) -> Card:
    """The card of a file of weights. Raises :class:`OSError` if a README.md is there and cannot be read."""
    beside = _cards(weights.parent)
    shipped = _cards(SHIPPED) if weights.parent != SHIPPED else beside
    own = beside.get(weights.stem, {})

    def row(name: str) -> str | None:
        text = own.get(name)
        if text is not None and (other := _OTHER.fullmatch(text)):
            text = (beside.get(other[1]) or shipped.get(other[1], {})).get(name)
        return text

    return Card(row("licence"), row("data licence"), _bd_rate(row("against JPEG")))


def _cards(folder: Path) -> dict[str, Rows]:
    path = folder / FILE
    if not path.is_file():
        return {}
    _, *parts = _HEADING.split(path.read_text(encoding="utf-8", errors="replace"))
    return {name: dict(_ROW.findall(text)) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _bd_rate(text: str | None) -> dict[str, float] | None:
    found = _RATE.findall(text or "")
    return {
        _METRICS[name]: float(number) * (-1 if sign == "−" else 1) for sign, number, name in found
    } or None
