"""Which weights are found where several have one id, one hash, or lie where they are not looked for."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import HiddenModelWarning, SettingError, WeightsError
from recodec.model_search import SHIPPED
from tests.cli.running import error_line, run
from tests.test_weights import copy_with

from .conftest import GOLDEN


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with other weights under the name of shipped ones."""
    folder = tmp_path / "own"
    folder.mkdir()
    copy_with(folder / "dev-1.safetensors", {"decoder.output.bias": torch.ones(192, dtype=torch.float16)})
    monkeypatch.setenv("RECODEC_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def shipped_file(picture: Image.Image, tmp_path: Path) -> Path:
    path = tmp_path / "shipped.rcd"
    path.write_bytes(recodec.encode(picture, model=str(SHIPPED / "dev-1.safetensors"), iterations=1))
    return path


def test_a_hidden_model_still_decodes_its_files(
    picture: Image.Image, own: Path, shipped_file: Path, tmp_path: Path
) -> None:
    with pytest.warns(HiddenModelWarning, match="'dev-1'"):
        mine = recodec.encode(picture, model="dev-1", iterations=1)
    for data in (shipped_file.read_bytes(), mine):
        assert recodec.decode(data).size == picture.size
        assert recodec.verify(data).iterations == 1
        assert len(list(recodec.progressive(data))) == 1
    assert recodec.info(mine).model_hash != recodec.info(shipped_file).model_hash
    run("decode", shipped_file, tmp_path / "a.png")
    run("verify", shipped_file)
    found = recodec.load("dev-1", model_hash=recodec.info(shipped_file).model_hash)
    assert found.decode(shipped_file).size == picture.size
    assert pickle.loads(pickle.dumps(found)).hash == copy.copy(found).hash == found.hash


def test_the_command_warns_of_hidden_models(picture: Image.Image, own: Path, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    for model in ("dev-1", str(own / "dev-1.safetensors")):
        line = error_line(run("encode", tmp_path / "a.png", tmp_path / "a.rcd", "--model", model, "-q"))
        assert "are not the 'dev-1' that comes with recodec" in line
    with warnings.catch_warnings(action="error"):
        recodec.encode(picture, model="rnn-1", iterations=1)


def test_a_run_warns_of_a_hidden_model_once(picture: Image.Image, own: Path, tmp_path: Path) -> None:
    (photos := tmp_path / "photos").mkdir()
    (out := tmp_path / "out").mkdir()
    for name in "abc":
        picture.save(photos / f"{name}.png")
    for processes in (1, 2):
        arguments = ("encode", photos, "--output-dir", out, "--model", "dev-1", "--iterations", 1, "--json")
        result = run(*arguments, "--jobs", processes)
        (line,) = result.stderr.splitlines()
        assert line.startswith("recodec: these weights are not the 'dev-1'")
        records = list(map(json.loads, result.stdout.splitlines()))
        assert len(records) == 3
        assert all("are not the 'dev-1'" in " ".join(record["warnings"]) for record in records)


def test_weights_are_found_under_another_name(tiny_model: str, picture: Image.Image, own: Path) -> None:
    shutil.copy(GOLDEN / "tiny.safetensors", own / "tiny.safetensors")
    data = recodec.encode(picture, model="tiny", iterations=1)
    (own / "tiny.safetensors").rename(own / "another.safetensors")
    copy_with(own / "tiny.safetensors", {"front_end.scale": torch.ones(192, dtype=torch.float16)})
    (own / "broken.safetensors").write_bytes(b"no weights")
    assert recodec.decode(data).size == picture.size
    (own / "another.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"'tiny' is here with hash .*get the weights"):
        recodec.load("tiny", model_hash=recodec.info(data).model_hash)


def test_a_path_as_text(picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(GOLDEN / "tiny.safetensors", tmp_path / "mine.safetensors")
    picture.save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for path in ("mine.safetensors", "./mine.safetensors", str(tmp_path / "mine.safetensors")):
        assert recodec.load(path).id == "mine"
        run("encode", "a.png", "a.rcd", "--model", path)
        assert recodec.info("a.rcd").model == "mine"
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        recodec.load("no/such")
    with pytest.raises(WeightsError, match="there is no model 'nosuch'"):
        recodec.load("nosuch")


def test_a_folder_that_is_not_there_is_an_error_of_the_setting(
    picture: Image.Image, shipped_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture.save(tmp_path / "a.png")
    for value in ("/no/such", f"{GOLDEN}:/no/such", str(tmp_path / "a.png")):
        monkeypatch.setenv("RECODEC_WEIGHTS", value)
        with pytest.raises(SettingError, match="RECODEC_WEIGHTS names"):
            recodec.decode(shipped_file)
        for command in (("encode", tmp_path / "a.png", tmp_path / "b.rcd"), ("decode", shipped_file, "-")):
            arguments = (*command, "--format", "png") if command[0] == "decode" else command
            assert "no folder; correct it or unset" in error_line(run(*arguments, code=2))
        assert "no folder" in run("env").stdout
        run("info", shipped_file)
    monkeypatch.setenv("RECODEC_WEIGHTS", f":{GOLDEN}:")
    assert recodec.load("tiny").id == "tiny"


def test_a_path_as_text_decodes_what_it_encodes(
    picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own weights" / "mine.safetensors"
    path.parent.mkdir()
    shutil.copy(GOLDEN / "tiny.safetensors", path)
    data = recodec.encode(picture, model=str(path), iterations=1)
    assert recodec.load(str(path)).decode(data).size == picture.size
    picture.save(tmp_path / "a.png")
    run(
        "encode",
        tmp_path / "a.png",
        tmp_path / "a.rcd",
        "--model",
        path,
        "--iterations",
        1,
        "--device",
        "auto",
    )
    assert (tmp_path / "a.rcd").read_bytes() == data
    monkeypatch.setenv("RECODEC_WEIGHTS", str(path.parent))
    assert recodec.decode(data).size == picture.size
