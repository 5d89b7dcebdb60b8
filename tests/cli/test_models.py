"""``recodec models``: what is installed, and what is said of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import recodec
from recodec.model_cards import card_of
from recodec.model_search import DEFAULT_MODEL, SHIPPED
from tests.cli.running import error_line, run
from tests.conftest import GOLDEN


def listed(**options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("models", "--json", **options).stdout.splitlines()]


def test_every_model_is_listed_as_files_name_it() -> None:
    rows = {row["id"]: row for row in listed()}
    assert {*rows, "lossless", "mlp"} == set(recodec.models())
    default = rows[DEFAULT_MODEL]
    assert [row["id"] for row in rows.values() if row["default"]] == [DEFAULT_MODEL]
    assert default["hash"] == recodec.load().hash.hex()
    assert default["bytes"] == Path(default["file"]).stat().st_size
    card = card_of(Path(default["file"]))
    assert (default["licence"], default["bd_rate"]) == (card.licence, card.bd_rate)
    assert {row["architecture"] for row in rows.values()} == {"pixel", "latent", "autoencoder"}


def test_people_read_the_same() -> None:
    shown = run("models").stdout
    (default,) = (row for row in listed() if row["default"])
    block = shown[shown.index(f"\n{DEFAULT_MODEL}, the default\n") :].split("\n")[2:7]
    assert default["hash"] in block[0]
    assert block[1].endswith(default["licence"])
    assert f"{abs(default['bd_rate']['ms_ssim'])} % fewer bits for equal MS-SSIM" in block[3]
    assert block[4].endswith(default["file"])


def test_models_of_ones_own_come_first_and_say_what_they_hide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(GOLDEN / "tiny.safetensors", tmp_path / f"{DEFAULT_MODEL}.safetensors")
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    own, shipped = (row for row in listed() if row["id"] == DEFAULT_MODEL)
    assert (own["default"], own["hidden"], own["licence"]) == (True, False, None)
    assert (shipped["default"], shipped["hidden"]) == (False, True)
    shown = run("models").stdout
    assert "licence  not stated" in shown
    assert f"{DEFAULT_MODEL}, hidden by another" in shown


def test_a_file_that_is_no_model_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    rows = listed(code=4)
    assert rows[0]["error"] == "WeightsError"
    assert len(rows) == 1 + len(list(SHIPPED.rglob("*.safetensors")))
    result = run("models", code=4)
    assert "broken.safetensors cannot be read as weights" in error_line(result)
    assert DEFAULT_MODEL in result.stdout


def test_a_folder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", "/no/such")
    assert "is no folder" in error_line(run("models", code=2))
