"""Small pictures side by side, enlarged: as they are, as systems of the zoo show them, and JPEG in as many bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recodec.zoo.learned.header import Settings
from zoo_files import through_files
from zoo_pictures import Pixels, cells_of, mosaic_of, mosaic_shape
from zoo_rivals import JPEG_420, JPEG_2000, Rivals

_SHOWN, _ZOOM, _GAP, _HEAD, _LINE, _FONT = 8, 4, 8, 46, 18, 14


def draw_sheet(pictures: Pixels, systems: Sequence[str], refine: int) -> Image.Image:
    """A row for each of some pictures, a column for each system at its last level and stage.

    All come from files of all pictures together; the rivals' are as large as the largest of the systems'.
    """
    rows, columns = mosaic_shape(*pictures.shape[:3])
    mosaic = mosaic_of(pictures, rows, columns)
    settings = Settings(patch=pictures.shape[1], refine=refine)
    shown: list[tuple[str, int | None, Pixels]] = [("original", None, mosaic)]
    for system in systems:
        _, files = list(through_files(system, {"mosaic": mosaic}, settings).items())[-1]
        shown.append((system, files["mosaic"].bytes, files["mosaic"].pixels))
    largest, rivals = max(size or 0 for _, size, _ in shown), Rivals(mosaic)
    for name in (JPEG_420, JPEG_2000):
        if (found := rivals.within(name, largest)) is not None:
            shown.append((name, *found))
    return _drawn(
        [
            (name, _caption(mosaic, size, pixels), cells_of(pixels, rows, columns))
            for name, size, pixels in shown
        ]
    )


def _caption(mosaic: Pixels, size: int | None, pixels: Pixels) -> str:
    if size is None:
        return ""
    error = np.square(mosaic.astype(np.float64) - pixels).mean()
    return f"{8 * size / mosaic[..., 0].size:.2f} bpp, {10 * np.log10(255**2 / error):.1f} dB"


def _drawn(columns: Sequence[tuple[str, str, Pixels]]) -> Image.Image:
    count, height, width, _ = columns[0][2].shape
    chosen = np.unique(np.linspace(0, count - 1, min(_SHOWN, count)).astype(int))
    cell = width * _ZOOM + _GAP, height * _ZOOM + _GAP
    sheet = Image.new("RGB", (len(columns) * cell[0] + _GAP, len(chosen) * cell[1] + _GAP + _HEAD), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    for column, (title, caption, cells) in enumerate(columns):
        left = _GAP + column * cell[0]
        draw.text((left, _GAP), title, "black", font)
        draw.text((left, _GAP + _LINE), caption, "dimgrey", font)
        for row, number in enumerate(chosen):
            enlarged = Image.fromarray(cells[number]).resize(
                (width * _ZOOM, height * _ZOOM), Image.Resampling.NEAREST
            )
            sheet.paste(enlarged, (left, _HEAD + _GAP + row * cell[1]))
    return sheet
