"""librecodec with sanitizers: what its example decodes is what Python decodes, and nothing kills it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec import _core
from recodec.container.core import CODES
from recodec.container.reader import Reader
from recodec.export.model_file import model_file
from recodec.weights import Model
from tests.latent_models import latent_model
from tests.mutations import mutations

# Pictures here are smaller than any that the models are made for.
pytestmark = pytest.mark.filterwarnings("ignore::recodec.errors.UnsuitablePictureWarning")

MUTATED = 60
CHECKSUM_BYTES = 4


@pytest.fixture
def program(programs: Path) -> Path:
    return programs / "decode_to_png"


@pytest.fixture(params=[True, False], ids=["network", "adaptive"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    made = latent_model(tmp_path, entropy=request.param)
    (tmp_path / "model.rcm").write_bytes(model_file(made))
    return made


def decode(
    program: Path, folder: Path, data: bytes, *more: str, out: str = "out.npy"
) -> subprocess.CompletedProcess[str]:
    (folder / "file.rcd").write_bytes(data)
    words = [str(folder / "model.rcm"), str(folder / "file.rcd"), str(folder / out), *more]
    (folder / out).unlink(missing_ok=True)
    return subprocess.run([str(program), *words], check=False, capture_output=True, text=True)


def indices_of(model: Model, data: bytes) -> np.ndarray:
    """What the Python package decodes."""
    reader = Reader(data)
    header = reader.header()
    fields = _core.read_plane_header(header)
    grid = -(-header.height // 16), -(-header.width // 16)
    part = model.coder_part(fields)
    coder = _core.ChunkCoder(fields.entropy, fields.entropy_version, fields.depth, *grid, part)
    planes = model.network.planes
    found = torch.zeros(1, fields.depth, *grid, dtype=torch.int32)
    payloads = [chunk.payload for chunk in reader.chunks() if chunk.type == CODES]
    for chunk, codes in enumerate(coder.decode(payloads)):
        found = planes.add(found, torch.from_numpy(codes.reshape(1, -1, *grid).copy()), chunk)
    indices: np.ndarray = found.numpy()
    return indices


@pytest.mark.parametrize("size", [(1, 1), (45, 61), (33, 100)])
def test_indices_are_those_of_python(
    program: Path, model: Model, tmp_path: Path, picture: Image.Image, size: tuple[int, int]
) -> None:
    data = recodec.encode(picture.resize(size), model=model.id, iterations=8)
    done = decode(program, tmp_path, data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("8 chunks")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), indices_of(model, data))
    for chunks in (1, 5):
        decode(program, tmp_path, data, str(chunks))
        short = recodec.truncate(data, iterations=chunks)
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), indices_of(model, short))


@pytest.mark.parametrize("size", [(1, 1), (45, 61), (70, 33)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_python(
    program: Path, model: Model, tmp_path: Path, picture: Image.Image, size: tuple[int, int], mode: str
) -> None:
    data = recodec.encode(picture.resize(size).convert(mode), model=model.id, iterations=8)
    for chunks in (1, 4, 8):
        done = decode(program, tmp_path, data, str(chunks), out="out.png")
        assert done.returncode == 0, done.stderr
        shown = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
        wanted = np.asarray(recodec.decode(data, iterations=chunks)).astype(int)
        assert shown.shape == wanted.shape
        assert np.abs(shown - wanted).max() <= 1
        assert (shown != wanted).mean() < 1e-2


def test_rows_of_more_than_a_stored_block(
    program: Path, model: Model, tmp_path: Path, picture: Image.Image
) -> None:
    data = recodec.encode(picture.resize((30_000, 3)), model=model.id, iterations=2)
    assert decode(program, tmp_path, data, out="out.png").returncode == 0
    shown = np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    assert np.abs(shown - np.asarray(recodec.decode(data)).astype(int)).max() <= 1


def test_a_cut_file_is_a_picture_too(
    program: Path, model: Model, tmp_path: Path, picture: Image.Image
) -> None:
    data = recodec.encode(picture, model=model.id, iterations=8)
    done = decode(program, tmp_path, data[: len(data) * 3 // 4])
    assert (done.returncode, "the file is cut" in done.stderr) == (1, True)
    known = recodec.info(data[: len(data) * 3 // 4]).iterations
    assert 0 < known < 8
    short = recodec.truncate(data, iterations=known)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), indices_of(model, short))
    for size in (0, 3, 20):
        done = decode(program, tmp_path, data[:size])
        assert done.returncode == 1
        assert not (tmp_path / "out.npy").exists()


def test_alpha_and_metadata_are_passed(
    program: Path, model: Model, tmp_path: Path, picture: Image.Image
) -> None:
    picture = picture.convert("RGBA")
    picture.putalpha(77)
    data = recodec.encode(picture, model=model.id, iterations=3)
    assert decode(program, tmp_path, data).returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), indices_of(model, data))


def test_bad_files(program: Path, model: Model, tmp_path: Path, picture: Image.Image) -> None:
    """A sanitizer's finding is another exit code than 1."""
    data = recodec.encode(picture.resize((40, 30)), model=model.id, iterations=8)
    codes = []
    for damaged in mutations([data], MUTATED, seed=3):
        done = decode(program, tmp_path, damaged, out="out.png")
        assert done.returncode in (0, 1), done.stderr
        assert len(done.stderr.splitlines()) == (done.returncode == 1), done.stderr
        codes.append(done.returncode)
    assert set(codes) == {0, 1}
    other = recodec.encode(picture, model="dev-1", iterations=1)
    assert "dev-1" in decode(program, tmp_path, other).stderr
    lossless = recodec.encode(picture, lossless=True)
    assert "family 2" in decode(program, tmp_path, lossless).stderr


def test_bad_models(program: Path, model: Model, tmp_path: Path, picture: Image.Image) -> None:
    data = recodec.encode(picture, model=model.id, iterations=2)
    sound = (tmp_path / "model.rcm").read_bytes()
    rng = np.random.default_rng(2)
    ends = [0, 3, 7, 30, len(sound) - 1, *rng.integers(8, len(sound), 10)]
    for end in ends:
        (tmp_path / "model.rcm").write_bytes(sound[:end])
        done = decode(program, tmp_path, data)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    # Checksums that are right again.
    for place in [4, 5, 20, 26, 27, 28, 29, *rng.integers(5, len(sound) - CHECKSUM_BYTES, 25)]:
        damaged = bytearray(sound)
        damaged[place] ^= int(rng.integers(1, 256))
        damaged[-CHECKSUM_BYTES:] = _core.crc32c(bytes(damaged[:-CHECKSUM_BYTES])).to_bytes(4, "little")
        (tmp_path / "model.rcm").write_bytes(damaged)
        done = decode(program, tmp_path, data)
        assert done.returncode in (0, 1), done.stderr
