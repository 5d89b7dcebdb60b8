"""A picture that shows codecs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from recodec.eval.metrics import Pixels

PANEL_SIDE = 256
_ZOOM = 2
_GAP = 12
_TITLE, _CAPTION = 26, 19
_HEAD = 70


@dataclass(frozen=True, slots=True)
class Panel:
    """One version of the picture and what to write above it."""

    title: str
    caption: str
    pixels: Pixels


def draw_comparison(panels: Sequence[Panel]) -> Image.Image:
    """The middle of each picture, enlarged without smoothing, in a row."""
    height, width = panels[0].pixels.shape[:2]
    w, h = min(width, PANEL_SIDE), min(height, PANEL_SIDE)
    left, top = (width - w) // 2, (height - h) // 2
    # Wide enough for the captions even if the picture is tiny.
    column = max(w * _ZOOM, 440)
    size = (len(panels) * (column + _GAP) + _GAP, _HEAD + h * _ZOOM + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for index, panel in enumerate(panels):
        x = _GAP + index * (column + _GAP)
        draw.text((x, 8), panel.title, "black", ImageFont.load_default(_TITLE))
        draw.text((x, 40), panel.caption, "dimgrey", ImageFont.load_default(_CAPTION))
        detail = Image.fromarray(panel.pixels[top : top + h, left : left + w])
        sheet.paste(detail.resize((w * _ZOOM, h * _ZOOM), Image.Resampling.NEAREST), (x, _HEAD))
    return sheet
