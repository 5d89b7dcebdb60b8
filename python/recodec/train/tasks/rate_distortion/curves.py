"""What a network is worth while it trains: its curve of quality over rate, beside JPEG, AVIF and its own start."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from recodec.errors import ImageError
from recodec.eval.bjontegaard import bd_rate, unavailable
from recodec.eval.codecs import CLASSIC
from recodec.eval.comparison import Panel, draw_comparison
from recodec.eval.metrics import Pixels, ms_ssim, psnr, to_db
from recodec.io import outputs
from recodec.networks.latent.transform import STRIDE
from recodec.train.data.photographs import Photographs
from recodec.train.journal import Journal
from recodec.train.recipe import Validation, require

_RIVALS = ("jpeg420", "avif420")
# Delta rates look at no more than this in bits per pixel, and files above it say nothing.
_LARGEST_RATE = 2.4
_PICTURES, _PANELS = 2, 4


@dataclass(frozen=True, slots=True)
class CurveValidation(Validation):
    """``scale`` shrinks the photographs first, for what they have lost to their own JPEG coding.

    With ``whole_blocks`` they lose what exceeds a multiple of the stride to the right and below; without, their last
    row and column are repeated up to one, as in files, which small photographs pay for.
    """

    every_minutes: float = 30.0
    images: int = 16
    scale: float = 1.0
    whole_blocks: bool = False

    def __post_init__(self) -> None:
        Validation.__post_init__(self)
        require(0 < self.scale <= 1, "scale", self.scale, "above 0 and at most 1")


class Point(NamedTuple):
    """Means over photographs at one setting: bits per pixel, PSNR in dB, MS-SSIM."""

    bpp: float
    psnr: float
    ms_ssim: float


Curve = list[Point]


# Rates in bits per pixel and the pixels shown for them, of one picture, coarse to fine.
Code = Callable[[Pixels], Iterable[tuple[float, Pixels]]]


class CurveValidator:
    """Judges networks on the first photographs given; what does not change is kept in the run's folder."""

    def __init__(self, photographs: Photographs, options: CurveValidation, journal: Journal):
        self._journal, self._folder = journal, journal.folder
        self.originals = _load(photographs, options)
        self.last: dict[str, Any] = {}
        self._start = _read_curve(self._folder / "start.json")

    def judge_start(self, code: Code) -> None:
        """Judge what a run starts from."""
        self._start = self._curve(code, None)
        outputs.write(self._folder / "start.json", json.dumps(self._start).encode())
        self._journal.record("start", levels=[point._asdict() for point in self._start])

    def judge(self, code: Code, step: int, pictures: Path) -> str:
        """Record the table of a step; draws pictures; returns a line for the reader."""
        curve = self._curve(code, pictures)
        rivals = self._rivals()
        if self._start is not None:
            rivals["start"] = self._start
        why = unavailable()
        gains = {} if why else {name: delta_rates(rival, curve) for name, rival in rivals.items()}
        self.last = {
            "images": len(self.originals),
            "levels": [point._asdict() for point in curve],
            "bd_rate": gains,
        }
        self._journal.record("validation", step=step, **self.last)
        table = "  ".join(f"{p.bpp:.3f} {p.psnr:.2f} {p.ms_ssim:.4f}" for p in curve)
        against = why or ", ".join(
            f"{name} {_percent(gain['psnr'])} PSNR {_percent(gain['ms_ssim'])} MS-SSIM"
            for name, gain in gains.items()
        )
        return f"bpp, dB, MS-SSIM by level: {table}; bits against {against}"

    @torch.inference_mode()
    def _curve(self, code: Code, pictures: Path | None) -> Curve:
        columns: list[list[Point]] = []
        for number, original in enumerate(self.originals):
            points, shown = [], []
            for bpp, pixels in code(original):
                similarity = ms_ssim(original, pixels)
                assert similarity is not None
                points.append(Point(bpp, psnr(original, pixels), similarity))
                shown.append(Panel(f"{bpp:.3f} bpp", f"{points[-1].psnr:.2f} dB, {similarity:.4f}", pixels))
            columns.append(points)
            if pictures is not None and number < _PICTURES:
                pictures.mkdir(parents=True, exist_ok=True)
                first = Panel("original", f"{original.shape[1]} x {original.shape[0]}", original)
                chosen = shown[:: -(-len(shown) // _PANELS)]
                draw_comparison([first, *chosen]).save(pictures / f"{number}.png")
        return [_mean(row) for row in zip(*columns, strict=True)]

    def _rivals(self) -> dict[str, Curve]:
        """Curves of other codecs on the same photographs, made once."""
        path = self._folder / "rivals.json"
        digest = hashlib.sha256(b"".join(original.tobytes() for original in self.originals)).hexdigest()[:16]
        with suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(path.read_bytes())
            if kept["photographs"] == digest:
                return {name: [Point(*point) for point in curve] for name, curve in kept["curves"].items()}
        curves = {}
        for codec in CLASSIC:
            if codec.name in _RIVALS and codec.unavailable() is None:
                self._journal.console.pass_by(f"{codec.name} on the validation photographs, once")
                curves[codec.name] = [
                    _mean(
                        [_score(original, *_coded(codec, original, setting)) for original in self.originals]
                    )
                    for setting in codec.ladder
                ]
        outputs.write(path, json.dumps({"photographs": digest, "curves": curves}).encode())
        return curves


def delta_rates(anchor: Sequence[Point], test: Sequence[Point]) -> dict[str, float | None]:
    """Bjøntegaard's delta rate in percent by PSNR and by MS-SSIM in dB; None where curves do not overlap."""

    def rate(quality: Any) -> float | None:
        curves = ([(p.bpp, quality(p)) for p in curve if p.bpp <= _LARGEST_RATE] for curve in (anchor, test))
        return bd_rate(*curves)

    return {"psnr": rate(lambda p: p.psnr), "ms_ssim": rate(lambda p: to_db(p.ms_ssim))}


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f} %"


def _load(photographs: Photographs, options: CurveValidation) -> list[Pixels]:
    """Photographs that can be read and are large enough for MS-SSIM."""
    found: list[Pixels] = []
    for index in range(len(photographs)):
        if len(found) == options.images:
            break
        with suppress(ImageError):
            image = photographs.read(index)
            if options.scale < 1:
                width, height = (max(1, round(side * options.scale)) for side in image.size)
                image = image.resize((width, height), Image.Resampling.LANCZOS)
            if options.whole_blocks:
                width, height = (side // STRIDE * STRIDE for side in image.size)
                image = image.crop((0, 0, width, height))
            pixels = np.asarray(image)
            if ms_ssim(pixels[:256, :256], pixels[:256, :256]) is not None:
                found.append(pixels)
    if not found:
        raise ImageError(
            f"none of {len(photographs)} validation photographs can be read and has sides above 160 pixels"
        )
    return found


def padded(original: Pixels) -> Tensor:
    """(1, 3, 16·h, 16·w) in [−0.5, 0.5], the last row and column repeated."""
    height, width = original.shape[:2]
    pixels = torch.tensor(original).permute(2, 0, 1)[None].float() / 255 - 0.5
    return F.pad(pixels, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")


def to_picture(shown: Tensor, original: Pixels) -> Pixels:
    """(1, 3, 16·h, 16·w) in [−0.5, 0.5] to a picture of the original's size."""
    height, width = original.shape[:2]
    pixels = ((shown[0, :, :height, :width] + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return pixels.permute(1, 2, 0).numpy()


def _coded(codec: Any, original: Pixels, setting: float) -> tuple[int, Pixels]:
    file = codec.encode(original, setting)
    return len(file), codec.decode(file)


def _score(original: Pixels, size: int, pixels: Pixels) -> Point:
    similarity = ms_ssim(original, pixels)
    assert similarity is not None
    return Point(8 * size / original[..., 0].size, psnr(original, pixels), similarity)


def _mean(points: Sequence[Point]) -> Point:
    return Point(*(statistics.fmean(values) for values in zip(*points, strict=True)))


def _read_curve(path: Path) -> Curve | None:
    with suppress(OSError, ValueError, TypeError):
        return [Point(*point) for point in json.loads(path.read_bytes())]
    return None
