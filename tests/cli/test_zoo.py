"""The zoo's command lists systems and makes files that the others read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec import zoo
from tests.cli.running import error_line, run

QUICK = ("--steps", 40, "--seeds", 1)


def test_alone_it_lists_systems() -> None:
    listed = run("zoo").stdout
    assert all(f"{system.id}: {system.title}" in listed for system in zoo.systems())


def test_the_list_is_to_be_had_as_data() -> None:
    rows = [json.loads(line) for line in run("zoo", "--json").stdout.splitlines()]
    assert [row["id"] for row in rows] == [system.id for system in zoo.systems()]
    for row, system in zip(rows, zoo.systems(), strict=True):
        assert row["source"] == system.source
        assert (row["weights_bytes"] is None) == (system.weights is None)
    assert "--json" in run("zoo", "--json", "encode", "mlp", "a.png", "a.rcd", code=2).stderr


def test_its_files_are_read_by_their_header(photo: Path, tmp_path: Path) -> None:
    with Image.open(photo) as image:
        original = np.asarray(image)
    for number, more in enumerate(((), ("--coder", "contexts"), ("--predictor", "linear", "--raw"))):
        file, shown = tmp_path / f"{number}.rcd", tmp_path / f"{number}.png"
        run("zoo", "encode", "mlp", photo, file, *QUICK, *more, "-q")
        run("decode", file, shown, "-q")
        with Image.open(shown) as image:
            np.testing.assert_array_equal(np.asarray(image), original)
            assert image.info["icc_profile"] == b"a profile"
        assert "sound" in run("verify", file).stdout
    described = run("info", tmp_path / "1.rcd").stdout
    assert "network on differences, contexts; lossless" in described


def test_settings_are_those_of_the_api(photo: Path, tmp_path: Path) -> None:
    run("zoo", "encode", "mlp", photo, tmp_path / "a.rcd", *QUICK, "--seed", 5, "--strip")
    made = zoo.encode("mlp", photo, steps=40, seeds=1, seed=5, options={"strip": True})
    assert (tmp_path / "a.rcd").read_bytes() == made
    assert recodec.info(made).metadata == ()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("zoo", "encode", "mlq", "a.png", "a.rcd"), 2, "No such command 'mlq'"),
        (("zoo", "encode", "mlp", "photo.png", "b.png"), 2, "should end in .rcd"),
        (("zoo", "encode", "mlp", "missing.png", "a.rcd"), 1, "No such file"),
        (("zoo", "encode", "mlp", "deep.png", "a.rcd"), 3, "more than 8 bits per sample"),
        (("zoo", "encode", "mlp", "photo.png", "a.rcd", "--max-pixels", 10), 3, "max_pixels"),
    ],
)
def test_what_cannot_be(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save("deep.png")
    (tmp_path / "photo.png").write_bytes(photo.read_bytes())
    result = run(*arguments, code=code)
    assert said in (result.stderr if code == 2 else error_line(result))


def test_a_network_that_died_is_said_on_standard_error(tmp_path: Path) -> None:
    dark = np.random.default_rng(0).integers(0, 2, (9, 9), np.uint8)
    Image.fromarray(dark).save(tmp_path / "a.png")
    done = run(
        "zoo", "encode", "mlp", tmp_path / "a.png", tmp_path / "a.rcd", "--raw", "--seeds", 1, "--steps", 1
    )
    assert "says the same for every pixel" in done.stderr
