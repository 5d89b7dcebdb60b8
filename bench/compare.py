"""Two results of a benchmark beside each other; fails if anything got worse.

    python bench/compare.py OLD.json NEW.json [--threshold 5%] [--only WORD] [--all]

Takes what the benchmarks write by --out, and what ``pytest --benchmark-json`` writes. Seconds, bytes and bits should
fall; decibels, MS-SSIM and anything a second should rise. The threshold is a share: of 30 dB, 1% is 0.3 dB. Exits with
0 if nothing got worse by more than it, 1 if something did, 2 if there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

import result_file
from measurements import Measurement, measurements
from result_file import NoResultError

_MOST_NAMED = 10


class Share(click.ParamType[float]):
    """A share above 0: 5% or 0.05."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share < 10:
            self.fail(f"{text!r} is no share from 0% to 1000%; give for example 5% or 0.05", param, ctx)
        return share


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--threshold", type=Share(), default="5%", show_default=True, help="The most by which it may get worse."
)
@click.option("--only", metavar="WORD", help="Measurements with this word in their names.")
@click.option("--all", "every", is_flag=True, help="Print also what moved by no more than the threshold.")
def main(old: Path, new: Path, threshold: float, only: str | None, every: bool) -> None:
    """Compare the results in OLD and NEW."""
    data = [result_file.read(path) for path in (old, new)]
    found = [_measured(path, result, only) for path, result in zip((old, new), data, strict=True)]
    before, after = found
    both = [place for place in before if place in after]
    if not both:
        raise NoResultError(
            f"{old} and {new} have no measurement in common; give two results of one benchmark"
        )
    for line in _differences(*data):
        print(line)
    changes = {place: before[place].worsening(after[place]) for place in both}
    worse = [place for place in both if changes[place] > 1 + threshold]
    better = [place for place in both if after[place].worsening(before[place]) > 1 + threshold]
    _print_table(
        [place for place in both if every or place in {*worse, *better}], before, after, worse, better
    )
    _print_lonely(f"only in {old}", [place for place in before if place not in after])
    _print_lonely(f"only in {new}", [place for place in after if place not in before])
    print(
        f"{len(both)} measurements: {len(worse)} worse and {len(better)} better by more than {100 * threshold:g} %"
    )
    if worse:
        raise SystemExit(1)


def _measured(path: Path, result: Any, only: str | None) -> dict[str, Measurement]:
    try:
        found = measurements(result)
    except (KeyError, TypeError) as error:
        raise NoResultError(f"{path} looks like pytest-benchmark's but lacks {error}") from error
    if not found:
        raise NoResultError(f"{path} holds no measurement; give a file that a benchmark wrote by --out")
    chosen = {place: value for place, value in found.items() if only is None or only in place}
    if not chosen:
        raise NoResultError(
            f"no measurement in {path} has {only!r} in its name; there is for example {min(found)}"
        )
    return chosen


def _differences(old: Any, new: Any) -> list[str]:
    """What of the machine or its versions is another, as such times compare machines."""
    flat = [
        _flat(result.get("environment", {})) if isinstance(result, Mapping) else {} for result in (old, new)
    ]
    return [
        f"{name}: {flat[0][name]} then, {flat[1][name]} now"
        for name in ("cpu", "coder", "device", "python", "torch", "recodec")
        if all(name in one for one in flat) and flat[0][name] != flat[1][name]
    ]


def _flat(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {**environment, **environment.get("packages", {}), **environment.get("versions", {})}


def _print_table(
    places: Collection[str],
    before: Mapping[str, Measurement],
    after: Mapping[str, Measurement],
    worse: Collection[str],
    better: Collection[str],
) -> None:
    if not places:
        return
    width = max(map(len, places))
    print(f"{'':{width}}  {'old':>12} {'new':>12}  new / old")
    for place in places:
        old, new = before[place].value, after[place].value
        ratio = f"{new / old:9.3f}" if old else f"{'–':>9}"
        verdict = "worse" if place in worse else "better" if place in better else ""
        print(f"{place:{width}}  {old:12.6g} {new:12.6g}  {ratio}  {verdict}".rstrip())


def _print_lonely(title: str, places: Collection[str]) -> None:
    for place in [*places][:_MOST_NAMED]:
        print(f"{title}: {place}")
    if len(places) > _MOST_NAMED:
        print(f"{title}: {len(places) - _MOST_NAMED} more")


if __name__ == "__main__":
    main()
