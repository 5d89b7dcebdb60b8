"""Rate-distortion charts as SVG that follows the reader's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from recodec.eval.summary import Curve

LOW, HIGH = 0.05, 2.4
_WIDTH, _HEIGHT = 720, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 20, 16, 68
_TICKS = (0.0625, 0.125, 0.25, 0.5, 1, 2)
_LINE_HEIGHT = 22

STYLE = """
.rd{--ink:#1d2330;--soft:#5f6878;--grid:#e3e6ec;--paper:#fff;--c0:#d8342f;--c1:#1f6fd0;--c2:#0f8f62;\
--c3:#b87900;--c4:#6a4fc4;--c5:#c2448b;--c6:#0a8ea6;--c7:#3a3f9e;\
--p0:#8a5a2b;--p1:#55713f;--p2:#4b5d7a;--p3:#8c4a6b;--p4:#2f7f78}
@media (prefers-color-scheme:dark){.rd{--ink:#e8ebf1;--soft:#9aa3b4;--grid:#2b313d;--paper:#14171d;\
--c0:#ff6f61;--c1:#5aa2ff;--c2:#36c48c;--c3:#e8ae3c;--c4:#a68cff;--c5:#f07fbb;--c6:#3fc3dc;--c7:#8f97f5;\
--p0:#c99a6b;--p1:#9dbb84;--p2:#9fb0cc;--p3:#cf92b1;--p4:#7dc4bd}}
.rd{font-family:system-ui,sans-serif}
.rd .paper{fill:var(--paper)}
.rd text{fill:var(--soft);font-size:14px}.rd text.title{fill:var(--ink);font-weight:600}
.rd .grid{stroke:var(--grid);stroke-width:1}
.rd polyline{fill:none;stroke-width:2;stroke-linejoin:round}
.rd .ours polyline{stroke-width:3.5}
.rd .published polyline{stroke-width:1.5;stroke-dasharray:5 4}
.rd circle{stroke:var(--paper);stroke-width:1}
.rd .hidden{display:none}
"""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve to draw: ``kind`` is "ours", "codec" or "published"; hidden ones wait for the reader."""

    name: str
    points: Curve
    kind: str
    colour: int
    shown: bool = True

    @property
    def variable(self) -> str:
        """Its colour in the style sheet."""
        return f"var(--p{self.colour % 5})" if self.kind == "published" else f"var(--c{self.colour % 8})"


def chart(series: Sequence[Series], label: str, digits: int) -> str:
    """One chart over the logarithm of the rate, as an ``<svg>`` element without its style sheet."""
    body = _chart(series, label, digits)
    return (
        f'<svg class="rd" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(label)} over bits per pixel">{body}</svg>'
    )


def document(charts: Sequence[tuple[str, int, Sequence[Series]]]) -> str:
    """A file with all charts, two in a row, and a legend."""
    names = [s for s in max((c[2] for c in charts), key=len, default=()) if s.shown]
    columns = 2 if len(charts) > 1 else 1
    rows = -(-len(charts) // columns)
    per_row = 3 * columns
    width = columns * _WIDTH
    height = rows * _HEIGHT + (-(-len(names) // per_row) + 1) * _LINE_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rd" viewBox="0 0 {width} {height}">',
        f'<style>{STYLE}</style><rect class="paper" width="100%" height="100%"/>',
    ]
    for index, (label, digits, series) in enumerate(charts):
        x, y = index % columns * _WIDTH, index // columns * _HEIGHT
        visible = [s for s in series if s.shown]
        parts.append(f'<g transform="translate({x} {y})">{_chart(visible, label, digits)}</g>')
    for index, item in enumerate(names):
        x = _LEFT + index % per_row * (width - _LEFT) // per_row
        y = rows * _HEIGHT + (2 * (index // per_row) + 1) * _LINE_HEIGHT // 2
        parts.append(
            f'<g class="{item.kind}" transform="translate({x} {y})"><polyline points="0,0 26,0" '
            f'style="stroke:{item.variable}"/><text x="34" y="5">{escape(item.name)}</text></g>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _chart(series: Sequence[Series], label: str, digits: int) -> str:
    inside = [
        (s, [(rate, value) for rate, value in s.points if LOW <= rate <= HIGH and math.isfinite(value)])
        for s in series
    ]
    values = [value for s, points in inside if s.shown for _, value in points] or [0.0, 1.0]
    ticks = nice_ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]

    def x(rate: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log(rate / LOW) / math.log(HIGH / LOW)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<text class="title" x="{_LEFT + 8}" y="{_TOP + 16}">{escape(label)}</text>']
    for rate in _TICKS:
        # The first one would touch the other axis where letters are large.
        minor = ' class="minor"' if rate == _TICKS[0] else ""
        parts.append(f'<line class="grid" x1="{x(rate):.1f}" x2="{x(rate):.1f}" y1="{_TOP}" y2="{bottom}"/>')
        parts.append(f'<text{minor} x="{x(rate):.1f}" y="{bottom + 24}" text-anchor="middle">{rate:g}</text>')
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(tick) + 5:.1f}" text-anchor="end">{tick:.10g}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">bits per pixel</text>')
    # Ours on top.
    for item, points in reversed(inside):
        # Hidden curves may leave the frame; they are drawn when asked for, so cut them to it now.
        drawn = [(rate, value) for rate, value in points if low <= value <= high]
        if not drawn:
            continue
        line = " ".join(f"{x(rate):.1f},{y(value):.1f}" for rate, value in drawn)
        radius = 4 if item.kind == "ours" else 3
        dots = "".join(
            f'<circle cx="{x(rate):.1f}" cy="{y(value):.1f}" r="{radius}" style="fill:{item.variable}">'
            f"<title>{escape(item.name)}: {rate:.3f} bpp, {value:.{digits}f}</title></circle>"
            for rate, value in drawn
        )
        parts.append(
            f'<g class="{item.kind}{"" if item.shown else " hidden"}" data-series="{escape(item.name)}">'
            f'<polyline points="{line}" style="stroke:{item.variable}"/>{dots}</g>'
        )
    return "".join(parts)


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers around a range, about ``count`` of them."""
    span = max(high - low, 1e-9)
    rough = span / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, max(last, first + 1) + 1)]
