"""One page with everything in it: curves, tables, viewer. It asks nothing of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from recodec.eval.codecs import RECODEC
from recodec.eval.metrics import METRICS
from recodec.eval.plot import STYLE, Series, chart, document
from recodec.eval.run import Point
from recodec.eval.summary import RATES, curve
from recodec.eval.viewer import CARRIER_QUALITY, Frames

_LABELS = {name: (m.label + (f" ({m.unit})" if m.unit else ""), m.digits) for name, m in METRICS.items()}
_LABELS["ms_ssim_db"] = ("MS-SSIM (dB)", 2)
# What is seen first of the many published curves: the RNN codecs, and where the field stands.
_PROMINENT = ("pub-toderici-2017", "pub-johnston-2017", "pub-balle-2018-mse", "pub-bpg444", "pub-cai-vtm")


class Table(NamedTuple):
    """What stands above the columns, and the cells of every codec."""

    header: list[str]
    rows: dict[str, list[str]]


def label(metric: str) -> str:
    """Name and unit of a metric."""
    return _LABELS[metric][0]


def digits(metric: str) -> int:
    """Decimals that mean something."""
    return _LABELS[metric][1]


def is_shown(name: str) -> bool:
    """Whether a curve is seen without being asked for."""
    return not name.startswith("pub-") or name in _PROMINENT


def series(
    codecs: Mapping[str, list[Point]], published: Mapping[str, list[Point]], metric: str
) -> list[Series]:
    """The curves of a metric in the order of the legend; colours are the same for all metrics."""
    ours = [name for name in codecs if name.startswith(RECODEC)]
    theirs = [name for name in codecs if name not in ours]
    drawn = [Series(name, curve(codecs[name], metric), "ours", 6 * i) for i, name in enumerate(ours)]
    drawn += [Series(name, curve(codecs[name], metric), "codec", 1 + i) for i, name in enumerate(theirs)]
    drawn += [
        Series(name, curve(published[name], metric), "published", i, is_shown(name))
        # The prominent ones first, so that their colours differ.
        for i, name in enumerate(sorted(published, key=lambda name: not is_shown(name)))
    ]
    return [item for item in drawn if item.points]


def draw_curves(
    metrics: Sequence[str], codecs: Mapping[str, list[Point]], published: Mapping[str, list[Point]]
) -> str:
    """``curves.svg``: all metrics."""
    return document([(label(m), digits(m), series(codecs, published, m)) for m in metrics])


def draw_page(
    results: Mapping[str, Any], published: Mapping[str, list[Point]], frames: Sequence[Frames]
) -> str:
    """``report.html`` from what ``results.json`` holds."""
    codecs, metrics = results["mean"], _by_interest(results["metrics"])
    pages = Environment(autoescape=True, trim_blocks=True, undefined=StrictUndefined)
    pages.filters.update(label=label, row_class=_row_class)
    page = pages.from_string(resources.files("recodec.eval").joinpath("report.html").read_text("utf-8"))
    return page.render(
        chart_style=Markup(STYLE),
        subtitle=_subtitle(results),
        metrics=metrics,
        legend=_legend(codecs, published, metrics),
        panels=[_panel(metric, results, published) for metric in metrics],
        summary=_summary_table(results),
        carrier=CARRIER_QUALITY,
        notes=_notes(results),
        frames=[asdict(frame) for frame in frames],
    )


def _by_interest(metrics: Sequence[str]) -> list[str]:
    first = [m for m in ("psnr", "ms_ssim_db", "psnr_hvs", "ssimulacra2") if m in metrics]
    return first + [m for m in metrics if m not in first]


def _subtitle(results: Mapping[str, Any]) -> str:
    count = len(results["averaged"])
    machine = results["machine"]
    return f"Means over {count} picture{'s' * (count != 1)}, by the sizes of whole files. {machine['cpu']}."


def _legend(
    codecs: Mapping[str, list[Point]], published: Mapping[str, list[Point]], metrics: Sequence[str]
) -> list[Series]:
    seen: dict[str, Series] = {}
    for metric in metrics:
        for item in series(codecs, published, metric):
            seen.setdefault(item.name, item)
    return list(seen.values())


def _panel(metric: str, results: Mapping[str, Any], published: Mapping[str, list[Point]]) -> dict[str, Any]:
    drawn = series(results["mean"], published, metric)
    rows = {
        name: [_cell(found["at_bpp"].get(metric, {}).get(f"{rate:g}"), digits(metric)) for rate in RATES]
        for name, found in results["summary"].items()
    }
    return {
        "metric": metric,
        "chart": Markup(chart(drawn, label(metric), digits(metric))),
        "table": Table([f"{label(metric)} at", *(f"{rate:g} bpp" for rate in RATES)], rows),
    }


def _summary_table(results: Mapping[str, Any]) -> Table:
    anchors = results["anchors"]
    bd = [(anchor, m) for anchor in anchors for m in _bd_metrics(results)]
    header = ["codec", *(f"BD-rate {label(m).removesuffix(' (dB)')} to {anchor}, %" for anchor, m in bd)]
    header += ["AUC MS-SSIM", "encode ms", "decode ms"]
    rows = {}
    for name, found in results["summary"].items():
        cells = [_cell(found["bd_rate"].get(anchor, {}).get(m), 1, sign=True) for anchor, m in bd]
        area, times = found["auc"].get("ms_ssim"), found["times"] or {}
        cells.append(f"{area['value']:.4f}{'*' * area['held']}" if area else "–")
        cells += [_cell(times.get(key), 0) for key in ("enc_ms", "dec_ms")]
        rows[name] = cells
    return Table(header, rows)


def _bd_metrics(results: Mapping[str, Any]) -> list[str]:
    return list(
        dict.fromkeys(m for s in results["summary"].values() for bd in s["bd_rate"].values() for m in bd)
    )


def _row_class(name: str) -> str:
    return "ours" if name.startswith(RECODEC) else "" if is_shown(name) else "hidden"


def _cell(value: float | None, decimals: int, *, sign: bool = False) -> str:
    return "–" if value is None else f"{value:{'+' if sign else ''}.{decimals}f}"


def _notes(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    machine = results["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in machine["packages"].items())
    notes = [
        ("machine", f"{machine['cpu']}; {results['processes']} at a time; {machine['platform']}"),
        ("versions", f"Python {machine['python']}, {versions}"),
    ]
    notes += [(name, description) for name, description in results["codecs"].items()]
    notes += [(f"no {name}", why) for name, why in results["unavailable"].items()]
    notes += [("not in the means", f"{file}: {why}") for file, why in results["left_out"].items()]
    if any(name.startswith("pub-") for name in results["summary"]):
        notes.append(
            ("pub-…", "published curves, of their authors' pictures: compare them on the same ones only")
        )
    notes += [("skipped", f"{i['file']}: {i['error']}") for i in results["images"] if "error" in i]
    return notes
