"""The tour's cells run, one after the other, with nothing but the package; the site runs them in a kernel as well."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

import recodec

TOUR = json.loads((Path(__file__).parent.parent / "docs" / "tour.ipynb").read_text(encoding="utf-8"))
CELLS = [cell for cell in TOUR["cells"] if cell["cell_type"] == "code"]


def test_tour_has_ten_cells_and_is_kept_without_outputs() -> None:
    assert len(CELLS) == 10
    assert not any(cell["outputs"] or cell["execution_count"] for cell in CELLS)
    names = [cell["id"] for cell in TOUR["cells"]]
    assert len(set(names)) == len(names)


def test_tour_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for cell in CELLS:
        exec("".join(cell["source"]), scope)  # noqa: S102
    assert not list(tmp_path.iterdir()), "a tour leaves nothing behind"
    shown = capsys.readouterr().out
    assert "max_bytes=20: " in shown
    assert "('exif',) A tour in ten cells" in shown
    table = [line.split() for line in shown.partition("JPEG\n")[2].splitlines()]
    assert len(table) == recodec.load().iterations
    assert all(float(a[1]) < float(b[1]) for a, b in pairwise(table)), "every chunk makes the picture better"
    assert all(float(ours) > float(jpeg) for _, ours, jpeg in table if jpeg != "-")
