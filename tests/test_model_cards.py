"""Cards say what programs read from them, and it is true."""

from __future__ import annotations

import csv
import importlib
import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from recodec.model_cards import Card, card_of
from recodec.model_search import DEFAULT_MODEL, SHIPPED, shipped_folders
from recodec.weights import look_at

BENCH = Path(__file__).parents[1] / "bench"
MODELS = [path for folder in shipped_folders() for path in sorted(folder.glob("*.safetensors"))]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_shipped_models_state_licences_and_are_pinned(path: Path) -> None:
    card = card_of(path)
    assert card.licence == metadata.metadata("recodec")["License-Expression"]
    assert card.data_licence
    assert "that of" not in card.data_licence
    assert f"  {path.name}\n" in (path.parent / "SHA256SUMS").read_text()


def test_figures_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    results = {path.stem: json.loads(path.read_text()) for path in BENCH.glob("results/kodak_rd_*.json")}
    if not results:
        pytest.skip("there are no results; run from a checkout")
    monkeypatch.syspath_prepend(str(BENCH))
    against_jpeg = importlib.import_module("rd").against_jpeg
    for path in MODELS:
        result = results.get(f"kodak_rd_{path.stem}")
        if result is None or "jpeg_summary" not in result:
            assert card_of(path).bd_rate is None
            continue
        assert result["model"]["hash"] == look_at(path)[1].hex()
        measured = {name: round(rate, 1) for name, rate in against_jpeg(result["mean"]).items()}
        assert card_of(path).bd_rate == measured, path.stem
    assert card_of(SHIPPED / f"{DEFAULT_MODEL}.safetensors").bd_rate


def test_licences_of_photographs_are_those_of_their_list() -> None:
    said = card_of(SHIPPED / "latent-1.safetensors").data_licence
    assert said is not None
    families = re.split(r", | or ", said.partition("latent-1-photographs.csv: ")[2])
    with (SHIPPED / "latent-1-photographs.csv").open(newline="") as file:
        licences = [row["licence"] for row in csv.DictReader(file)]
    assert len(licences) == 408
    assert all(any(family in licence for family in families) for licence in licences)
    assert all(any(family in licence for licence in licences) for family in families)


def test_cards_lie_beside_weights(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    assert card_of(path) == Card()
    (tmp_path / "README.md").write_text(
        "# Mine\n\n## other\n\n| | |\n|---|---|\n| licence | MIT |\n\n"
        "## mine\n\n| | |\n|---|---|\n| licence | that of `other` |\n| data licence | that of `rnn-1` |\n"
        "| against JPEG | −12.5 % (MS-SSIM), +3 % (PSNR) |\n"
    )
    rates = {"ms_ssim": -12.5, "psnr": 3.0}
    assert card_of(path) == Card("MIT", card_of(SHIPPED / "rnn-1.safetensors").data_licence, rates)
    assert card_of(tmp_path / "other.safetensors") == Card("MIT")
    assert card_of(tmp_path / "unnamed.safetensors") == Card()
