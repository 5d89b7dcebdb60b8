"""From points of single pictures to mean curves, and from those to a few numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from recodec.eval.auc import Area, rate_auc
from recodec.eval.bjontegaard import bd_rate
from recodec.eval.metrics import METRICS, to_db
from recodec.eval.run import Measured, Point

RATES = (0.125, 0.25, 0.5, 1.0)
# Metrics whose bits are compared; MS-SSIM in dB, because it is flat where it is good.
BD_METRICS = ("psnr", "ms_ssim_db", "psnr_hvs", "ssimulacra2")
_DERIVED = "ms_ssim_db"

Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Means:
    """A curve per codec, each point the mean over the same pictures at one setting, by rising rate.

    ``left_out`` says of a picture that is in no mean, why; ``metrics`` are those that the means have.
    """

    pictures: list[str]
    left_out: dict[str, str]
    metrics: list[str]
    codecs: dict[str, list[Point]]


def mean_curves(measured: Sequence[Measured], metrics: Iterable[str]) -> Means:
    """Means over the pictures that every codec coded and every metric measured at every setting.

    A codec that no picture went through, and a metric that no picture is large enough for, are dropped
    rather than all pictures.
    """
    usable = [result for result in measured if result.points]
    codecs = list(dict.fromkeys(name for result in usable for name in result.points or ()))
    kept = [name for name in metrics if any(_has(result, name) for result in usable)]
    left_out = {}
    for result in usable:
        lacking = next((c for c in codecs if c not in (result.points or {})), None)
        blank = next((m for m in kept if not _has(result, m)), None)
        if lacking:
            left_out[result.file] = f"{lacking} failed on it"
        elif blank:
            left_out[result.file] = f"{METRICS[blank].label} is not defined or not finite at every setting"
    inside = [result for result in usable if result.file not in left_out]
    curves = {name: _mean_curve([(result.points or {})[name] for result in inside], kept) for name in codecs}
    if "ms_ssim" in kept:
        kept.insert(kept.index("ms_ssim") + 1, _DERIVED)
    return Means([result.file for result in inside], left_out, kept, curves if inside else {})


def _has(result: Measured, metric: str) -> bool:
    return all(p[metric] is not None for points in (result.points or {}).values() for p in points)


def _mean_curve(ladders: Sequence[list[Point]], metrics: Sequence[str]) -> list[Point]:
    curve = []
    for points in zip(*ladders, strict=True):
        mean: Point = {"setting": points[0]["setting"]}
        for name in ("bytes", "bpp", *metrics):
            mean[name] = statistics.fmean(p[name] or 0.0 for p in points)
        # Times are skewed by whatever else the machine does.
        for name in ("enc_ms", "dec_ms"):
            mean[name] = statistics.median(p[name] or 0.0 for p in points)
        curve.append(_with_db(mean))
    return sorted(curve, key=lambda point: point["bpp"] or 0.0)


def _with_db(point: Point) -> Point:
    """Adds the dB of the mean MS-SSIM, which is not the mean of dB."""
    similarity = point.get("ms_ssim")
    if similarity is None or similarity >= 1:
        return point
    return {**point, _DERIVED: to_db(similarity)}


def published_curves(data: Mapping[str, Any]) -> dict[str, list[Point]]:
    """The ``pub-*`` curves of a file in the anchors' format."""
    return {name: _points(entry) for name, entry in data.items() if name.startswith("pub-")}


def _points(entry: Mapping[str, Any]) -> list[Point]:
    return [_with_db(dict(point)) for point in entry["points"]]


def curve(points: Iterable[Point], metric: str) -> Curve:
    """(bpp, value) by rising rate, without points that lack the metric."""
    return [
        (rate, value)
        for point in points
        if (value := point.get(metric)) is not None and (rate := point["bpp"]) is not None
    ]


def at_rate(points: Curve, rate: float) -> float | None:
    """The value where a curve passes a rate, linear in the logarithm of the rate; None beyond its ends."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= rate <= x1:
            return y0 if x0 == x1 else y0 + (y1 - y0) * math.log(rate / x0) / math.log(x1 / x0)
    return None


def at_rates(points: Sequence[Point], metrics: Iterable[str]) -> dict[str, dict[str, float | None]]:
    """Every metric at 0.125, 0.25, 0.5 and 1 bpp. MS-SSIM in dB is that of the interpolated MS-SSIM."""
    table = {}
    for metric in metrics:
        source = curve(points, "ms_ssim" if metric == _DERIVED else metric)
        values = {f"{rate:g}": at_rate(source, rate) for rate in RATES}
        if metric == _DERIVED:
            values = {rate: value and to_db(value) for rate, value in values.items()}
        table[metric] = values
    return table


def area(points: Sequence[Point], metric: str) -> Area | None:
    """:func:`recodec.eval.auc.rate_auc` of a curve; None if it has no such metric."""
    found = curve(points, metric)
    return rate_auc([rate for rate, _ in found], [value for _, value in found]) if found else None


def nearest(points: Sequence[Point], rate: float = 1.0) -> Point | None:
    """The point whose rate is nearest in ratio, to read times from."""
    return min(points, key=lambda p: abs(math.log((p["bpp"] or 1e-9) / rate)), default=None)


def summarise(points: Sequence[Point], metrics: Sequence[str], anchors: Mapping[str, list[Point]]) -> Any:
    """What ``results.json`` says of one curve, as plain data."""
    areas = {name: found for name in metrics if (found := area(points, name))}
    timed = nearest([point for point in points if "enc_ms" in point])
    return {
        "at_bpp": at_rates(points, metrics),
        "bd_rate": {
            anchor: {m: bd_rate(curve(theirs, m), curve(points, m)) for m in BD_METRICS if m in metrics}
            for anchor, theirs in anchors.items()
        },
        "auc": {name: {"value": found.value, "held": found.held} for name, found in areas.items()},
        "times": timed and {name: timed.get(name) for name in ("setting", "bpp", "enc_ms", "dec_ms")},
    }


def deviations(codecs: Mapping[str, list[Point]], data: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Largest differences from measured curves of the same name in the anchors' format, at equal settings."""
    found: dict[str, dict[str, float]] = {}
    for name, points in codecs.items():
        theirs = {p["setting"]: p for p in data.get(name, {}).get("points", ()) if "setting" in p}
        for point in points:
            other = theirs.get(point["setting"], {})
            for metric in ("bpp", *METRICS):
                ours = point.get(metric)
                if ours is not None and metric in other:
                    largest = found.setdefault(name, {"settings": 0.0})
                    largest[metric] = max(largest.get(metric, 0.0), abs(ours - other[metric]))
            if other:
                found.setdefault(name, {"settings": 0.0})["settings"] += 1
    return found
