"""recodec.wasm in Node: its pixels are Python's, bad input is an error, and it is what the sources make."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import recodec
from recodec.export.model_file import model_file
from recodec.networks.latent.network import LatentNetwork
from recodec.networks.latent.transform import depth_to_space, gate
from recodec.weights import load_model
from tests.mutations import mutations

ROOT = Path(__file__).parents[2]
STATIC = Path(str(resources.files("recodec") / "web" / "static"))
NODE = shutil.which("node")
# Another release makes other bytes of the same sources.
EMSCRIPTEN = "3.1.6"
MUTATED = 10
TRAP = -1

pytestmark = [
    pytest.mark.filterwarnings("ignore::recodec.errors.UnsuitablePictureWarning"),
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
]


class Node:
    def __init__(self, folder: Path):
        self.folder = folder
        shutil.copy(STATIC / "decoder.js", folder / "decoder.mjs")

    def decode(self, data: bytes, rcm: bytes, piece: int = 100) -> tuple[dict[str, Any], np.ndarray]:
        """What it says, and all pictures."""
        (self.folder / "file.rcd").write_bytes(data)
        (self.folder / "model.rcm").write_bytes(rcm)
        paths = [self.folder / "decoder.mjs", STATIC / "recodec.wasm"]
        paths += [self.folder / name for name in ("model.rcm", "file.rcd", "out")]
        words = [str(NODE), str(Path(__file__).with_name("decode.mjs")), *map(str, paths), str(piece)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        pixels = np.fromfile(self.folder / "out", np.uint8)
        if said["infos"]:
            first = said["infos"][0]
            pixels = pixels.reshape(-1, first["height"], first["width"], 4)
        return said, pixels


@pytest.fixture
def node(tmp_path: Path) -> Node:
    folder = tmp_path / "node"
    folder.mkdir()
    return Node(folder)


@pytest.fixture
def rcm(model: str) -> bytes:
    return model_file(load_model(model))


def check(pixels: np.ndarray, data: bytes, chunks: int) -> None:
    for number in range(1, chunks + 1):
        wanted = np.asarray(recodec.decode(data, iterations=number).convert("RGB")).astype(int)
        assert np.abs(pixels[number - 1, :, :, :3] - wanted).max() <= 1
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize(("mode", "piece"), [("RGB", 1), ("L", 100), ("RGBA", 10_000)])
def test_pixels_are_those_of_python(
    node: Node, rcm: bytes, model: str, coded: Callable[..., bytes], mode: str, piece: int
) -> None:
    data = coded(mode)
    said, pixels = node.decode(data, rcm, piece)
    assert (said["whyNot"], said["error"], said["id"], said["ended"]) == ("", "", model, True)
    assert len(pixels) == 8
    assert [info["chunks"] for info in said["infos"]] == [*range(1, 9)]
    assert (said["opacity"] > 0) == (mode == "RGBA")
    check(pixels, data, 8)


def test_the_default_model(node: Node) -> None:
    photo = (
        Image.open(ROOT / "python" / "recodec" / "demo" / "photo.png").convert("RGB").crop((40, 30, 165, 120))
    )
    data = recodec.encode(photo, bpp=1.0)
    said, pixels = node.decode(data, model_file(load_model(recodec.info(data).model)), piece=10)
    assert said["ended"]
    assert len(pixels) == recodec.info(data).iterations
    check(pixels, data, len(pixels))
    original = np.asarray(photo).astype(float)
    errors = [((picture[..., :3] - original) ** 2).mean() for picture in pixels]
    assert errors[-1] == min(errors) < errors[0] / 3
    assert said["fed"][0] < len(data) / 10


def test_drafts_are_the_linear_path(node: Node) -> None:
    photo = Image.open(ROOT / "python" / "recodec" / "demo" / "photo.png").convert("RGB")
    data = recodec.encode(photo.crop((40, 30, 168, 126)), bpp=0.5)
    model = load_model(recodec.info(data).model)
    said, pixels = node.decode(data, model_file(model))
    network = model.network
    assert isinstance(network, LatentNetwork)
    original = torch.from_numpy(np.array(photo.crop((40, 30, 168, 126)))).permute(2, 0, 1)[None] / 255 - 0.5
    with torch.no_grad():
        index = network.analyse(original)
        for chunks, draft in enumerate(said["drafts"], 1):
            values = network.planes.values(network.planes.prefix(index, chunks), chunks)
            gains = network.chunks.log_gain[chunks - 1].exp() * gate(network.synthesis.strength.bias)
            linear = network.synthesis.linear(values * gains[:, None, None])
            wanted = F.avg_pool2d(depth_to_space(linear, 16), 8)[0].permute(1, 2, 0)
            assert (draft["width"], draft["height"]) == (16, 12)
            shown = np.array(draft["pixels"]).reshape(12, 16, 4)
            assert np.abs(shown[..., :3] - ((wanted + 0.5).clamp(0, 1) * 255).round().numpy()).max() <= 1
            assert (shown[..., 3] == 255).all()
            # A picture, if a rough one.
            small = pixels[chunks - 1, ..., :3].reshape(12, 8, 16, 8, 3).mean((1, 3))
            assert np.abs(shown[..., :3] - small).mean() < 24
    assert len(said["drafts"]) == len(pixels) > 8


def test_a_cut_file_keeps_its_pictures(node: Node, rcm: bytes, coded: Callable[..., bytes]) -> None:
    data = coded()
    cut = data[: len(data) * 3 // 4]
    said, pixels = node.decode(cut, rcm)
    assert (said["error"], said["ended"]) == ("", False)
    check(pixels, data, recodec.info(cut).iterations)


def test_bad_input(node: Node, rcm: bytes, coded: Callable[..., bytes], picture: Image.Image) -> None:
    data = coded()
    for other, named in (
        (recodec.encode(picture, lossless=True), "family 2"),
        (recodec.encode(picture, model="dev-1", iterations=1), "dev-1"),
        (b"no file of ours", "not a recodec file"),
    ):
        said, _ = node.decode(other, rcm)
        assert named in said["error"]
    for damaged in (b"", rcm[:1000], b"x" + rcm[1:], rcm[:-1] + bytes([rcm[-1] ^ 1])):
        said, _ = node.decode(data, damaged)
        assert said["error"]
        assert said["status"] > 0
    for damaged in mutations([data], MUTATED, seed=5):
        said, _ = node.decode(damaged, rcm)
        assert said["status"] != TRAP, said


def test_it_is_what_the_sources_make(tmp_path: Path) -> None:
    compiler = shutil.which("em++")
    if compiler is None:
        pytest.skip("em++ (Debian: emscripten) is not installed")
    if not (ROOT / "CMakeLists.txt").exists():
        pytest.skip("the sources are not beside the tests; run from a checkout")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    if EMSCRIPTEN not in version.splitlines()[0]:
        pytest.skip(f"recodec.wasm is made with Emscripten {EMSCRIPTEN}, here is {version.splitlines()[0]}")
    configured = ["emcmake", "cmake", "-S", str(ROOT), "-B", str(tmp_path), "-DRECODEC_PYTHON=OFF"]
    subprocess.run([*configured, "-DRECODEC_WEB=ON"], check=True, capture_output=True)
    built = ["cmake", "--build", str(tmp_path), "--target", "recodec_web", "--parallel", "2"]
    subprocess.run(built, check=True, capture_output=True)
    made, kept = ((folder / "recodec.wasm").read_bytes() for folder in (tmp_path, STATIC))
    assert made == kept, "the core has changed: nox -s web makes recodec.wasm anew"
