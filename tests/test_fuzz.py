"""The fuzz target of the Python surface, for a moment, and all that it ever found."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from .fuzz.runner import fuzz, judge
from .fuzz.surfaces import SURFACES

EXECUTIONS = 4000
FINDINGS = sorted((Path(__file__).parent / "fuzz" / "findings").glob("*.bin"))


@pytest.mark.usefixtures("tiny_model")
def test_nothing_but_results_and_typed_errors() -> None:
    report = fuzz(EXECUTIONS, seed=20)
    assert not report.findings, report.findings[0].reason
    assert report.executions == EXECUTIONS
    # Seeds are meant to get through every surface, and damage to be found by all that look for it.
    kinds = {
        surface.name: {kind for name, kind in report.outcomes if name == surface.name} for surface in SURFACES
    }
    assert all("result" in kinds[name] for name in kinds.keys() - {"weights", "encode", "save"})
    assert {"FormatError", "TruncatedError", "ChecksumError", "UnsupportedError"} <= kinds["verify"]
    assert "ImageError" in kinds["picture"]


@pytest.mark.usefixtures("tiny_model")
@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: str(path.stem))
def test_former_findings_are_mended(path: Path) -> None:
    name, seed, number = path.stem.rsplit("-", 2)
    (surface,) = (surface for surface in SURFACES if surface.name == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert judge(surface, path.read_bytes(), int(seed), int(number))[1] is None


@pytest.mark.usefixtures("tiny_model")
def test_an_execution_can_be_repeated() -> None:
    whole = fuzz(40, seed=5)
    parts = fuzz(15, seed=5), fuzz(25, seed=5, first=15)
    assert whole.outcomes == parts[0].outcomes + parts[1].outcomes
