"""Lists in, lists out: one bad item costs itself alone, and says which it is."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import BatchError, FormatError, ImageError, OptionError, TargetError, WeightsError

GOLDEN = Path(__file__).parent / "golden"
USER_PROGRAM = Path(__file__).parent / "typed_program.py"


@pytest.fixture
def pictures(picture: Image.Image) -> list[Image.Image]:
    return [picture, picture.convert("L"), picture.crop((0, 0, 20, 30))]


@pytest.fixture
def files(tiny_model: str, pictures: list[Image.Image]) -> list[bytes]:
    return [recodec.encode(one, model=tiny_model, iterations=2) for one in pictures]


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_and_tuples_give_lists(
    tiny_model: str, pictures: list[Image.Image], files: list[bytes], kind: Callable[[list[Any]], Any]
) -> None:
    codec = recodec.load(tiny_model)
    assert recodec.encode(kind(pictures), model=tiny_model, iterations=2) == files
    assert codec.encode(kind(pictures), iterations=2) == files
    for found in (recodec.decode(kind(files)), codec.decode(kind(files))):
        assert found == [recodec.decode(data) for data in files]
    assert recodec.info(kind(files)) == recodec.verify(kind(files)) == [recodec.info(data) for data in files]
    small = [recodec.truncate(data, iterations=1) for data in files]
    assert recodec.truncate(kind(files), iterations=1) == small
    for use in (recodec.encode, recodec.decode, recodec.info, recodec.verify):
        assert use(kind([])) == []  # type: ignore[operator]


def test_files_of_several_models_come_back_in_order(
    tiny_model: str, pictures: list[Image.Image], files: list[bytes]
) -> None:
    others = [recodec.encode(one, lossless=True) for one in pictures]
    mixed = [data for pair in zip(files, others, strict=True) for data in pair]
    assert recodec.decode(mixed) == [recodec.decode(data) for data in mixed]
    found = recodec.decode(mixed, like="torch")
    assert all(isinstance(one, torch.Tensor) for one in found)


def test_one_bad_image_costs_itself_alone(
    tiny_model: str, pictures: list[Image.Image], files: list[bytes]
) -> None:
    images = [pictures[0], b"no image", pictures[1], np.zeros((3, 3), np.int64), pictures[2]]
    with pytest.raises(BatchError) as caught:
        recodec.encode(images, model=tiny_model, iterations=2)
    error = caught.value
    assert error.results == [files[0], None, files[1], None, files[2]]
    assert {index: type(one) for index, one in error.errors.items()} == {1: ImageError, 3: ImageError}
    assert str(error).startswith("2 of 5 items failed (item 1: ImageError: the data is not an image")
    assert list(error.exceptions) == list(error.errors.values())
    again = pickle.loads(pickle.dumps(error))
    assert again.results == error.results
    assert str(again) == str(error)
    assert list(again.errors) == [1, 3]


def test_one_bad_file_costs_itself_alone(
    tiny_model: str, files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = recodec.encode(Image.new("L", (9, 9)), model="tiny-latent")
    # Where the weights of one of the files are not.
    (tmp_path / "tiny.safetensors").write_bytes((GOLDEN / "tiny.safetensors").read_bytes())
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    damaged = bytearray(files[0])
    damaged[-8] ^= 1
    sources = [files[0], b"no file", bytes(damaged), weights, files[1]]
    uses: dict[Callable[[Any], Any], set[int]] = {
        recodec.decode: {1, 2, 3},
        recodec.load(tiny_model).decode: {1, 2, 3},
        recodec.verify: {1, 2},
        recodec.info: {1},
        lambda data: recodec.truncate(data, iterations=1): {1},
    }
    for use, bad in uses.items():
        with pytest.raises(BatchError) as caught:
            use(sources)
        assert bad <= set(caught.value.errors)
        assert isinstance(caught.value.errors[1], FormatError)
        for place in (0, 4):
            assert caught.value.results[place] == use(sources[place])
    with pytest.raises(BatchError) as caught:
        recodec.decode(sources)
    assert isinstance(caught.value.errors[3], WeightsError)


def test_exception_groups_are_told_apart(tiny_model: str, pictures: list[Image.Image]) -> None:
    seen: list[BaseException] = []
    try:
        recodec.encode([pictures[0], b"no image"], model=tiny_model)
    except* ImageError as group:
        seen += group.exceptions
    assert len(seen) == 1


def test_what_no_item_could_do_with_is_said_at_once(
    tiny_model: str, pictures: list[Image.Image], files: list[bytes]
) -> None:
    codec = recodec.load(tiny_model)
    for options in ({"quality": 101}, {"bpp": -1}, {"psnr": 30, "bpp": 1}, {"max_pixels": "many"}):
        with pytest.raises(TargetError):
            codec.encode(pictures, **options)  # type: ignore[call-overload]
    for options in ({"iterations": 0}, {"max_memory": "much"}, {"like": "jpeg"}):
        for decode in (recodec.decode, codec.decode):
            with pytest.raises(TargetError):
                decode(files, **options)  # type: ignore[operator]
    with pytest.raises(OptionError):
        codec.encode(pictures, qualty=3)  # type: ignore[call-overload]
    with pytest.raises(TargetError, match="nothing says where to cut"):
        recodec.truncate(files)
    with pytest.raises(TargetError, match="bpp is -1"):
        recodec.truncate(files, bpp=-1)
    with pytest.raises(TargetError, match="max_pixels"):
        recodec.verify(files, max_pixels="many")  # type: ignore[call-overload]


def test_a_program_with_types_passes_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    folder = Path(recodec.__file__).parent.parent
    # What is installed mypy finds by itself, and wants to.
    where = {} if folder.name == "site-packages" else {"MYPYPATH": str(folder)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent"),
            *("--ignore-missing-imports", "--cache-dir", str(tmp_path), str(USER_PROGRAM)),
        ],
        cwd=tmp_path,
        env={**where, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
