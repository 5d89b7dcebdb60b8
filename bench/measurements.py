"""The measurements in a result: numbers by where they stand, for as far as their names say what better is."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What was given or is of others than what is measured: settings, machines, the files of rivals at our size.
_ASIDE = frozenset(
    ("environment", "machine", "model", "phase", "codecs", "rates", "iterations", "count", "repeats")
) | {"jpeg", "jpeg_summary", "rivals", "rivals at rates", "ours_times_as_fast_as"}
# Noise of what is measured, what it is measured against, and ratios, whose names do not say of what to what.
_ASIDE_WORDS = frozenset(("spread", "iqr", "ideal", "least", "min", "max", "raw", "floor", "ratio", "ratios"))
_LARGER = re.compile(r"psnr|ssim|_per_second|(^|_)(auc|tflops|gbytes|gain|share|db|mb_s|mp_s|mbps|ops)(_|$)")
_TIMES = re.compile(r"(^|_)(minutes|seconds|milliseconds|microseconds|s|ms|us|ns)(_|$)")
_SMALLER = re.compile(r"(^|_)(bytes|bits|bpp|gib|gb|mib|mb|kib|kb|cost)(_|$)")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number, and whether more of it is better."""

    value: float
    larger_is_better: bool

    def worsening(self, new: Measurement) -> float:
        """How many times as bad ``new`` is: 1.05 is 5 % more seconds, or 5 % fewer pictures a second."""
        better, worse = (self.value, new.value) if not self.larger_is_better else (new.value, self.value)
        if better == worse:
            return 1.0
        return worse / better if better else float("inf")


def measurements(result: Any) -> dict[str, Measurement]:
    """Every measurement of a result by its place, such as ``milliseconds.encode.median``; {} if there is none.

    ``result`` is JSON as :func:`result_file.read` gives it. Lists of three times and more are repeats and count
    by their median. Numbers without a direction, below 0 or not finite are left out.
    """
    if isinstance(result, Mapping) and "machine_info" in result and "benchmarks" in result:
        return {
            f"{run['fullname']}.median_seconds": Measurement(run["stats"]["median"], False)
            for run in result["benchmarks"]
        }
    return {place: found for place, found in _walk(result, (), None) if 0 <= found.value < float("inf")}


def _walk(
    value: Any, place: tuple[str, ...], unit: re.Pattern[str] | None
) -> Iterator[tuple[str, Measurement]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in _ASIDE and not _ASIDE_WORDS.intersection(re.split(r"[_ ]", key)):
                yield from _walk(item, (*place, key), _unit(key) or unit)
    elif isinstance(value, list) and unit is _TIMES and len(value) > 2 and _is_number(*value):
        yield ".".join(place), Measurement(statistics.median(value), False)
    elif isinstance(value, list):
        for name, item in zip(_names(value), value, strict=True):
            yield from _walk(item, (*place, name), unit)
    elif unit is not None and _is_number(value):
        yield ".".join(place), Measurement(float(value), unit is _LARGER)


def _unit(key: str) -> re.Pattern[str] | None:
    """What a key says its numbers are in: the bits that a quality needs are bits."""
    if not key.isidentifier():
        return None  # the name of a picture or a coder
    quantity = re.split(r"_(?:at|for)_", key)[0]
    return next((unit for unit in (_LARGER, _TIMES, _SMALLER) if unit.search(quantity)), None)


def _names(items: Sequence[Any]) -> list[str]:
    """Names of a list's items: by what texts they hold, so that they may move, else by number from 1."""
    texts = [
        ", ".join(value for value in item.values() if isinstance(value, str))
        if isinstance(item, Mapping)
        else ""
        for item in items
    ]
    if all(texts) and len(set(texts)) == len(texts):
        return texts
    return [f"{text} {number}".strip() for number, text in enumerate(texts, start=1)]


def _is_number(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
