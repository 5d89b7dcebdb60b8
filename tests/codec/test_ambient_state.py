"""Codecs travel between processes, and do not depend on torch's defaults."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import WeightsError
from tests.latent_models import latent_model

# Its few latents are not made for the picture.
pytestmark = pytest.mark.filterwarnings("ignore::recodec.UnsuitablePictureWarning")


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["tiny", "tiny-latent", "tiny-network"])
def test_any_default_type(tiny_model: str, picture: Image.Image, name: str) -> None:
    found = recodec.load(name).encode(picture)
    shown = np.asarray(recodec.decode(found))
    torch.set_default_dtype(torch.float32)
    assert recodec.load(name).encode(picture) == found
    np.testing.assert_array_equal(np.asarray(recodec.decode(found)), shown)


@pytest.mark.parametrize("name", ["tiny", "tiny-latent", "tiny-network"])
def test_autocast_changes_nothing(tiny_model: str, picture: Image.Image, name: str) -> None:
    codec = recodec.load(name)
    data = codec.encode(picture)
    shown = np.asarray(codec.decode(data))
    with torch.autocast("cpu", torch.bfloat16):
        assert codec.encode(picture) == recodec.load(name).encode(picture) == data
        np.testing.assert_array_equal(np.asarray(codec.decode(data)), shown)
        *_, last = codec.progressive(data)
    np.testing.assert_array_equal(np.asarray(last), shown)


def test_any_default_device(tiny_model: str, picture: Image.Image) -> None:
    with torch.device("meta"):
        codec = recodec.load(tiny_model)
    assert codec.encode(picture) == recodec.encode(picture, model=tiny_model)


@pytest.mark.parametrize("name", ["tiny", "tiny-latent", "tiny-network"])
def test_pickles_and_copies(tiny_model: str, picture: Image.Image, name: str) -> None:
    codec = recodec.load(name)
    data = codec.encode(picture)
    packed = pickle.dumps(codec)
    assert len(packed) < 1000
    for other in (pickle.loads(packed), copy.deepcopy(codec), copy.copy(codec)):
        assert (other.id, other.hash, other.dtype) == (codec.id, codec.hash, codec.dtype)
        assert other.encode(picture) == data


def test_weights_of_ones_own_travel_whole(tmp_path: Path, picture: Image.Image) -> None:
    latent_model(tmp_path, "own")
    codec = recodec.load(tmp_path / "own.safetensors")
    packed = pickle.dumps(codec)
    (tmp_path / "own.safetensors").unlink()
    other = pickle.loads(packed)
    assert other.hash == codec.hash
    assert other.encode(picture) == codec.encode(picture)


def test_other_weights_of_that_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    latent_model(tmp_path, "own")
    packed = pickle.dumps(recodec.load("own"))
    latent_model(tmp_path, "own", entropy=False)
    with pytest.raises(WeightsError, match="'own' is here with hash"):
        pickle.loads(packed)


FORKED = """
import multiprocessing, sys
import numpy, recodec, torch

def work():
    recodec.encode(numpy.zeros((300, 400, 3), "u1"), iterations=1, model="tiny")

torch.set_num_threads(2)
work()
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join(60)
hanging = child.is_alive()
child.kill()
sys.exit(hanging or child.exitcode != 0 or torch.get_num_threads() != 2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_hang(tiny_model: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_random_numbers_stay_the_callers(tiny_model: str, picture: Image.Image) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    codec = recodec.load(tiny_model)
    codec.decode(codec.encode(picture, iterations=1))
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_threads_share_an_image_that_is_not_loaded(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    picture.resize((600, 500)).save(path := tmp_path / f"photo.{kind.lower()}")
    expected = recodec.encode(path, lossless=True, effort="fast")
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            image = Image.open(path)
            together = Barrier(4)

            def encode(_: int, image: Image.Image = image, together: Barrier = together) -> bytes:
                together.wait()
                return recodec.encode(image, lossless=True, effort="fast")

            assert set(pool.map(encode, range(4))) == {expected}
