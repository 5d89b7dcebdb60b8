"""Two results beside each other: what is a measurement, which way is better, and when that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.bench.conftest import BENCH

Script = Callable[[str], Any]

OLD = {
    "environment": {"cpu": "this one", "packages": {"torch": "2.13.0"}},
    "milliseconds": {"encode": {"median": 100.0, "min": 1.0}, "decode": {"median": 50.0}},
    "bytes": 1000,
    "summary": {"psnr_at_bpp": {"0.5": 30.0}, "bpp_for_ms_ssim": {"0.9": 0.1}},
    "rows": [{"way": "plain", "crops_per_second": 20.0}, {"way": "fast", "crops_per_second": 40.0}],
}


@pytest.fixture
def compare(script: Script, tmp_path: Path) -> Callable[..., Result]:
    def run(old: object, new: object, *options: str) -> Result:
        for name, data in (("old.json", old), ("new.json", new)):
            (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data))
        paths = [str(tmp_path / name) for name in ("old.json", "new.json")]
        return CliRunner().invoke(script("compare").main, [*paths, *options])

    return run


def changed(**values: Any) -> dict[str, Any]:
    return {**OLD, **values}


def test_the_same_is_not_worse(compare: Callable[..., Result]) -> None:
    done = compare(OLD, OLD, "--threshold", "0%", "--all")
    assert done.exit_code == 0, done.output
    assert "7 measurements: 0 worse and 0 better" in done.output
    assert "milliseconds.encode.median" in done.output
    assert "1.000" in done.output


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"bytes": 1060}, "bytes"),
        ({"milliseconds": {"encode": {"median": 106.0}}}, "milliseconds.encode.median"),
        ({"summary": {"psnr_at_bpp": {"0.5": 28.0}}}, "summary.psnr_at_bpp.0.5"),
        ({"summary": {"bpp_for_ms_ssim": {"0.9": 0.106}}}, "summary.bpp_for_ms_ssim.0.9"),
        ({"rows": [{"way": "fast", "crops_per_second": 37.0}]}, "rows.fast.crops_per_second"),
    ],
)
def test_worse_fails(compare: Callable[..., Result], values: dict[str, Any], place: str) -> None:
    done = compare(OLD, changed(**values))
    assert done.exit_code == 1
    (line,) = [line for line in done.output.splitlines() if line.endswith("worse")]
    assert line.startswith(place + " ")
    # The other way round it got better, and within a wider threshold nothing happened.
    assert compare(changed(**values), OLD).exit_code == 0
    assert "1 better by more than 5 %" in compare(changed(**values), OLD).output
    assert compare(OLD, changed(**values), "--threshold", "0.1").exit_code == 0


def test_what_only_one_has_is_said(compare: Callable[..., Result]) -> None:
    done = compare(OLD, changed(rows=[*OLD["rows"], {"way": "new", "crops_per_second": 1.0}], bytes=None))
    assert done.exit_code == 0
    assert "old.json: bytes" in done.output
    assert "new.json: rows.new.crops_per_second" in done.output


def test_another_machine_is_said(compare: Callable[..., Result]) -> None:
    done = compare(OLD, changed(environment={"cpu": "another", "packages": {"torch": "2.13.0"}}))
    assert "cpu: this one then, another now" in done.output
    assert "torch" not in done.output


def test_only_some(compare: Callable[..., Result]) -> None:
    assert compare(OLD, changed(bytes=2000), "--only", "milliseconds").exit_code == 0
    done = compare(OLD, OLD, "--only", "nosuch")
    assert done.exit_code == 2
    assert "'nosuch'" in done.output


def test_of_pytest_benchmark(compare: Callable[..., Result]) -> None:
    def result(seconds: float) -> dict[str, Any]:
        return {
            "machine_info": {},
            "benchmarks": [{"fullname": "tests/a.py::b", "stats": {"median": seconds}}],
        }

    assert compare(result(1.0), result(1.04)).exit_code == 0
    done = compare(result(1.0), result(1.06))
    assert done.exit_code == 1
    assert "tests/a.py::b.median_seconds" in done.output
    assert compare(result(1.0), {"machine_info": {}, "benchmarks": [{}]}).exit_code == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("no JSON", "old.json is not JSON"),
        ("3", "old.json holds 3"),
        ({"milliseconds": {"encode": "fast"}}, "old.json holds no measurement"),
        ({"other_seconds": 1.0}, "no measurement in common"),
    ],
)
def test_no_result_is_said(compare: Callable[..., Result], data: object, reason: str) -> None:
    done = compare(data, OLD)
    assert done.exit_code == 2
    assert reason in done.output.replace("\n", " ")


def test_a_missing_file_is_said(script: Script, tmp_path: Path) -> None:
    done = CliRunner().invoke(script("compare").main, [str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 2
    assert "cannot be read: No such file" in done.output


def test_a_threshold_is_a_share(compare: Callable[..., Result]) -> None:
    for text in ("much", "-5%", "nan"):
        done = compare(OLD, OLD, f"--threshold={text}")
        assert done.exit_code == 2
        assert repr(text) in done.output


def test_what_is_a_measurement(script: Script) -> None:
    found = script("measurements").measurements(
        {
            "seconds": {"encode": [3.0, 1.0, 2.0], "sides": [1.0, 2.0]},
            "psnr": [20.0, 21.0],
            "spread_ms": 1.0,
            "ratios": {"seconds": 1.0},
            "model": {"bytes": 5},
            "pictures": {"a_mb_1.png": {"width": 5, "bytes": 7}},
            "rows": [{"name": "a", "bpp": 1.0}, {"name": "a", "bpp": float("nan")}],
            "percent": -4.0,
            "match": True,
        }
    )
    assert {place: (one.value, one.larger_is_better) for place, one in found.items()} == {
        "seconds.encode": (2.0, False),
        "seconds.sides.1": (1.0, False),
        "seconds.sides.2": (2.0, False),
        "psnr.1": (20.0, True),
        "psnr.2": (21.0, True),
        "pictures.a_mb_1.png.bytes": (7.0, False),
        "rows.a 1.bpp": (1.0, False),
    }


def test_from_nothing_anything_is_worse(script: Script) -> None:
    measurement = script("measurements").Measurement
    assert measurement(0.0, False).worsening(measurement(1.0, False)) == float("inf")
    assert measurement(1.0, True).worsening(measurement(0.0, True)) == float("inf")
    assert measurement(0.0, False).worsening(measurement(0.0, False)) == 1


@pytest.mark.parametrize("path", sorted((BENCH / "results").glob("*.json")), ids=lambda path: path.name)
def test_published_results_can_be_compared(script: Script, path: Path) -> None:
    done = CliRunner().invoke(script("compare").main, [str(path), str(path), "--threshold", "0%"])
    assert done.exit_code == 0, done.output
