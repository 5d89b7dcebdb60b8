"""What the page consists of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import recodec
from recodec.export.model_file import model_file
from recodec.web import site_of
from recodec.web.site import Picture
from recodec.weights import load_model

pytestmark = pytest.mark.filterwarnings("ignore::recodec.errors.UnsuitablePictureWarning")


def test_a_picture_with_its_model(coded: Callable[..., bytes], model: str, tmp_path: Path) -> None:
    data = coded()
    (tmp_path / "a.rcd").write_bytes(data)
    site = site_of([Picture(str(tmp_path / "a.rcd"), "x/a.rcd"), Picture(str(tmp_path / "a.rcd"), "b.rcd")])
    first, second = json.loads(site.contents["pictures.json"].read())
    assert first == {
        "name": "x/a.rcd",
        "file": "pictures/1.rcd",
        "model": f"models/{model}-{load_model(model).hash.hex()}.rcm",
        "bytes": len(data),
        "width": 61,
        "height": 45,
        "chunks": 8,
        "note": "",
    }
    assert (second["name"], second["file"]) == ("b.rcd", "pictures/2.rcd")
    assert site.contents[first["model"]].read() == model_file(load_model(model))
    assert site.contents[first["file"]].read() == data
    assert sum(address.startswith("models/") for address in site.contents) == 1


def test_what_cannot_be_shown_fails_alone(
    coded: Callable[..., bytes], tmp_path: Path, picture: Image.Image
) -> None:
    files = {
        "good": coded(),
        "cut": coded()[:-5],
        "lossless": recodec.encode(picture, lossless=True),
        "pixel": recodec.encode(picture, model="dev-1", iterations=1),
        "none": b"nothing",
    }
    for name, data in files.items():
        (tmp_path / f"{name}.rcd").write_bytes(data)
    site = site_of(Picture(str(tmp_path / f"{name}.rcd"), name) for name in [*files, "missing"])
    shown = json.loads(site.contents["pictures.json"].read())
    assert [one["name"] for one in shown] == ["good", "cut"]
    assert "cut" in shown[1]["note"]
    said = {Path(path).stem: str(error) for path, error in site.failures.items()}
    assert said.keys() == {"lossless", "pixel", "none", "missing"}
    assert "recodec decode" in said["lossless"]
    assert "'latent'" in said["pixel"]


def test_a_preview_is_shown_and_what_follows_is_named(
    model: str, tmp_path: Path, picture: Image.Image
) -> None:
    (tmp_path / "a.rcd").write_bytes(recodec.encode(picture, model=model, lossless=True, preview=2.0))
    (shown,) = json.loads(site_of([Picture(str(tmp_path / "a.rcd"), "a")]).contents["pictures.json"].read())
    assert "without loss" in shown["note"]


def test_weights_that_are_named_come_first(
    coded: Callable[..., bytes], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.rcd").write_bytes(coded())
    weights = tmp_path / "weights" / f"{model}.safetensors"
    monkeypatch.delenv("RECODEC_WEIGHTS")
    asked = [Picture(str(tmp_path / "a.rcd"), "a")]
    (failure,) = site_of(asked).failures.values()
    assert isinstance(failure, recodec.WeightsError)
    assert model in str(failure)
    assert not site_of(asked, str(weights)).failures


def test_it_can_be_written_for_any_server(coded: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "a.rcd").write_bytes(coded())
    site = site_of([Picture(str(tmp_path / "a.rcd"), "a")])
    site.write(tmp_path / "out")
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert written == set(site.contents)
    for address, content in site.contents.items():
        assert (tmp_path / "out" / address).read_bytes() == content.read()
    (tmp_path / "file").write_text("")
    with pytest.raises(recodec.OutputError, match="cannot be written"):
        site.write(tmp_path / "file")


def test_names_cannot_leave_the_folder(coded: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "a.rcd").write_bytes(coded())
    site = site_of([Picture(str(tmp_path / "a.rcd"), "../../index.html")])
    assert all(not address.startswith(("/", ".")) and ".." not in address for address in site.contents)


def test_the_page_is_light_and_asks_nobody_else() -> None:
    own = site_of([]).contents
    assert sum(len(content.read()) for content in own.values()) < 400_000
    for address, content in own.items():
        if not address.endswith(".wasm"):
            assert b"http:" not in content.read()
            assert b"https:" not in content.read()
