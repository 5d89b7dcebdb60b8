"""A run that is resumed: how far, as what, and whether it is still the run that it was."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from safetensors import safe_open

from recodec.cli import main
from recodec.train.data.photographs import Photographs
from recodec.train.journal import Console, Journal
from tests.train.pixel.test_pixel_command import recipe_file
from tests.train.running import logged


def train(recipe: Path | str, data: Path, out: Path, *more: object, code: int = 0) -> Result:
    arguments = ["train", str(recipe), "--data", str(data), "--out", str(out), "--threads", "1"]
    result = CliRunner().invoke(main, [*arguments, *map(str, more)])
    assert result.exit_code == code, result.output
    return result


def notes(path: Path) -> dict[str, object]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, object] = json.loads(file.metadata()["notes"])["training"]
        return found


@pytest.fixture
def photos(tmp_path: Path, picture: Image.Image) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        picture.rotate(90 * number).resize((64, 64)).save(folder / f"{number}.png")
    return folder


def test_steps_are_those_of_the_whole_run(tmp_path: Path, photos: Path) -> None:
    recipe, out = recipe_file(tmp_path, steps=100), tmp_path / "out"
    assert "stopped at step 2" in train(recipe, photos, out, "--steps", 2).output
    for _ in range(2):
        said = train(recipe, photos, out, "--steps", 3).output
        assert "stopped at step 3" in said
        assert "all 3 steps are done; run the same command again with a higher --steps" in said
    assert "stopped at step 3" in train(recipe, photos, out, "--steps", 1).output
    assert "not as one run" not in said
    assert notes(out / "small.safetensors")["changes"] == []


def test_another_run_than_before_is_said(tmp_path: Path, photos: Path) -> None:
    recipe, out = recipe_file(tmp_path, steps=100), tmp_path / "out"
    train(recipe, photos, out, "--steps", 1)
    photos.rename(moved := tmp_path / "moved")
    assert "not as one run" not in train(recipe, moved, out, "--steps", 1).output
    (moved / "0.png").unlink()
    assert "not as one run: photographs changed at step 1" in train(recipe, moved, out, "--steps", 2).output
    said = train(recipe_file(tmp_path, steps=50, batch=2), moved, out, "--steps", 3).output
    assert "not as one run: phases changed at step 2" in said
    assert [record["changed"] for record in logged(out, "resumed")] == [[], ["photographs"], ["phases"]]
    changes = ["photographs changed at step 1", "phases changed at step 2"]
    assert notes(out / "small.safetensors")["changes"] == changes


def test_checkpoints_from_before_this_was_kept_go_on(tmp_path: Path, photos: Path) -> None:
    recipe, out = recipe_file(tmp_path, steps=100), tmp_path / "out"
    train(recipe, photos, out, "--steps", 1)
    checkpoint = torch.load(out / "checkpoint.pt", weights_only=True)
    del checkpoint["made_of"], checkpoint["changes"]
    torch.save(checkpoint, out / "checkpoint.pt")
    said = train(recipe, photos, out, "--steps", 2).output
    assert "stopped at step 2" in said
    assert "not as one run" not in said


def test_a_model_gets_the_name_it_is_given(tmp_path: Path, photos: Path) -> None:
    recipe, out = recipe_file(tmp_path, steps=2), tmp_path / "out"
    train(recipe, photos, out, "--name", "mine")
    assert [path.name for path in out.glob("*.safetensors")] == ["mine.safetensors"]
    with safe_open(out / "mine.safetensors", framework="pt") as file:
        assert "--name mine" in json.loads(file.metadata()["notes"])["command"]
    assert "it must be 1 to 32 of a-z" in train(recipe, photos, out, "--name", "No!", code=3).output
    said = train(recipe, photos, out, "--name", "dev-1").output
    assert "dev-1 comes with recodec; to use both, give this one another --name" in said


def test_a_mistaken_world_is_an_error_of_the_setting(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    result = train(recipe_file(tmp_path, steps=1), photos, tmp_path / "out", code=2)
    assert "WORLD_SIZE is 'two'; it must be a number" in result.stderr


def test_the_log_tells_the_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl", Console(None))
    before = time.time()
    journal.record("train", minutes=1234.56789)
    (record,) = logged(tmp_path)
    assert before - 0.1 <= record["time"] <= time.time() + 0.1
    assert record["minutes"] == 1234.57


def test_folders_hold_more_than_files(tmp_path: Path, photos: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    (photos / "link.png").symlink_to("nowhere")
    (photos / "circle").symlink_to(photos)
    (photos / "a\udce9.png").write_bytes((photos / "0.png").read_bytes())
    found = Photographs([photos])
    assert [Path(name).name for name in found.names] == ["0.png", "1.png", "2.png", "a\udce9.png", "link.png"]
    assert found.fingerprint() == Photographs([photos]).fingerprint()
    assert found.fingerprint() != Photographs([photos / "0.png"]).fingerprint()
    said = train(recipe_file(tmp_path, steps=8), photos, tmp_path / "out").output
    assert "1 photographs were skipped" in said
