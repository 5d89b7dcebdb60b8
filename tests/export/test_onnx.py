"""Exported networks, run by onnxruntime, compute what PyTorch does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import recodec
from recodec.cli import main
from recodec.errors import PackageError, WeightsError
from recodec.export import export_model, files
from recodec.export.graph import OPSET, Graph
from recodec.model_search import DEFAULT_MODEL
from recodec.networks.latent.network import Known, LatentNetwork
from recodec.weights import load_model
from tests.latent_models import latent_model, smooth_pixels


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    latent_model(tmp_path)
    folder = tmp_path / "a" / "b"
    paths = export_model("tiny-latent", folder)
    assert paths == [folder / f"tiny-latent.{end}" for end in ("encoder.onnx", "decoder.onnx", "rcm")]
    return folder


def session(folder: Path, name: str, model: str = "tiny-latent") -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(folder / f"{model}.{name}.onnx", options)


def shown(network: LatentNetwork, indices: torch.Tensor, chunks: int) -> np.ndarray:
    pixels: np.ndarray = (network.synthesise(Known(indices, chunks)) + 0.5).clamp(0, 1).numpy()
    return pixels


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)])
def test_both_directions_are_those_of_pytorch(exported: Path, size: tuple[int, int]) -> None:
    network = load_model("tiny-latent").network
    pixels = smooth_pixels(1, 16 * size[0], 16 * size[1], seed=4)
    (indices,) = session(exported, "encoder").run(None, {"pixels": pixels.numpy() + 0.5})
    wanted = network.analyse(pixels)
    assert indices.dtype == np.int32
    assert np.abs(indices - wanted.numpy()).max() <= 1
    assert (indices != wanted.numpy()).mean() < 1e-2
    assert wanted.abs().max() > 3
    decoder = session(exported, "decoder")
    for chunks in range(1, network.iterations + 1):
        known = network.planes.prefix(wanted, chunks).to(torch.int32)
        (found,) = decoder.run(None, {"indices": known.numpy(), "chunks": np.array([chunks])})
        np.testing.assert_allclose(found, shown(network, known, chunks), atol=1e-4)


def test_the_default_model_on_photographs(tmp_path: Path, picture: Image.Image) -> None:
    """Held to a level of 8 bits, the bar of the issue; ten crops."""
    export_model("default", tmp_path)
    model = load_model(DEFAULT_MODEL)
    encoder, decoder = (session(tmp_path, name, model.id) for name in ("encoder", "decoder"))
    larger = np.asarray(picture.resize((240, 160)))
    for number in range(10):
        crop = larger[8 * number : 8 * number + 64, 14 * number : 14 * number + 96]
        pixels = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None] / 255
        (indices,) = encoder.run(None, {"pixels": pixels.numpy()})
        wanted = model.network.analyse(pixels - 0.5)
        assert (indices != wanted.numpy()).mean() < 1e-4
        chunks = 2 * number + 1
        known = model.network.planes.prefix(wanted, chunks).to(torch.int32)
        (found,) = decoder.run(None, {"indices": known.numpy(), "chunks": np.array([chunks])})
        difference = np.abs(np.rint(255 * found) - np.rint(255 * shown(model.network, known, chunks)))
        assert difference.max() <= 1


def test_what_a_file_says_of_itself(exported: Path) -> None:
    made = onnx.load(exported / "tiny-latent.decoder.onnx")
    assert [(one.domain, one.version) for one in made.opset_import] == [("", OPSET)]
    notes = {one.key: one.value for one in made.metadata_props}
    assert notes == {
        "model": "tiny-latent",
        "model_hash": load_model("tiny-latent").hash.hex(),
        "chunks": "8",
    }
    # The same model gives the same bytes.
    again = export_model("tiny-latent", exported / "again")
    assert [path.read_bytes() for path in again] == [(exported / path.name).read_bytes() for path in again]


def test_weights_that_no_half_holds_stay_exact() -> None:
    for value, stored in ((0.1, onnx.TensorProto.FLOAT), (0.5, onnx.TensorProto.FLOAT16)):
        graph = Graph("constant")
        x = graph.input("x", np.float32, (1,))
        y = graph.node("Add", x, graph.constant(np.array([value], np.float32)))
        made = graph.model({"y": (y, np.float32, (1,))})
        assert onnx.load_from_string(made).graph.initializer[0].data_type == stored
        (found,) = onnxruntime.InferenceSession(made).run(None, {"x": np.zeros(1, np.float32)})
        assert found[0] == np.float32(value)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    latent_model(tmp_path)
    done = CliRunner().invoke(main, ["export", "tiny-latent", "--onnx", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in done.output.splitlines()]
    assert [Path(one["out"]).name for one in records] == [
        "tiny-latent.encoder.onnx", "tiny-latent.decoder.onnx", "tiny-latent.rcm"
    ]  # fmt: skip
    assert all(Path(one["out"]).stat().st_size == one["bytes"] for one in records)
    by_path = ["export", str(tmp_path / "tiny-latent.safetensors"), "--onnx", str(tmp_path / "more")]
    assert CliRunner().invoke(main, by_path).exit_code == 0
    (tmp_path / "file").write_text("in the way")
    for words, code in (
        (["export", "dev-1", "--onnx", str(tmp_path / "none")], 4),
        (["export", "nosuch", "--onnx", str(tmp_path / "none")], 4),
        (["export", "tiny-latent", "--onnx", str(tmp_path / "file")], 1),
        (["export", "tiny-latent"], 2),
    ):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == code, done.output
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="dev-1 is of architecture 'pixel'"):
        export_model("dev-1", tmp_path)
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(PackageError, match="extra onnx"):
        export_model("default", tmp_path)
    done = CliRunner().invoke(main, ["export", "default", "--onnx", str(tmp_path)])
    assert done.exit_code == 2, done.output
    assert not list(tmp_path.iterdir())


def test_importing_recodec_imports_no_onnx() -> None:
    import subprocess
    import sys

    check = "import sys, recodec, recodec.cli; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
    assert recodec.__name__ == "recodec"
