"""The codec by Triton kernels, which are interpreted where there is no GPU, against the codec by definition."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import DeviceError
from recodec.families.recurrent import engine
from recodec.families.registry import engine_of
from recodec.ops.backend import current_backend
from recodec.weights import load_model

GOLDEN = Path(__file__).parents[1] / "golden"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed: recodec[triton]"
)


@pytest.fixture
def small(picture: Image.Image) -> Image.Image:
    return picture.crop((5, 5, 26, 22))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(float) - b).mean()
    return 10 * math.log10(255**2 / error) if error else math.inf


@needs_triton
@pytest.mark.parametrize("model", ["tiny", "tiny-network"])
def test_files_of_either_backend_decode_by_the_other(tiny_model: str, small: Image.Image, model: str) -> None:
    reference = recodec.load(model, device=DEVICE, backend="reference")
    kernels = recodec.load(model, device=DEVICE, backend="triton")
    original = np.asarray(small)
    for writer in (reference, kernels):
        data = writer.encode(small, iterations=2)
        for iterations in (1, 2):
            a, b = (
                codec.decode(data, like="numpy", iterations=iterations).astype(int)
                for codec in (reference, kernels)
            )
            assert np.abs(a - b).max() <= 1
            assert abs(psnr(original, a) - psnr(original, b)) <= 0.05


# All of them take minutes where kernels are interpreted.
GOLDENS = sorted(path.stem for path in (GOLDEN / "good").glob("*.rcd"))
FEW = {"network", "pixel"}


@needs_triton
@pytest.mark.parametrize("name", GOLDENS if torch.cuda.is_available() else sorted(FEW))
def test_golden_files_decode_to_their_pictures(tiny_model: str, name: str) -> None:
    path = GOLDEN / "good" / f"{name}.rcd"
    info = recodec.info(path)
    kernels = recodec.load(info.model, device=DEVICE, backend="triton")
    reference = recodec.load(info.model, backend="reference")
    prefixes = range(1, info.iterations + 1) if torch.cuda.is_available() else [info.iterations]
    for iterations in prefixes:
        found = kernels.decode(path, like="numpy", iterations=iterations).astype(int)
        expected = reference.decode(path, like="numpy", iterations=iterations).astype(int)
        assert np.abs(found - expected).max() <= 1
        assert psnr(expected, found) >= 60


@needs_triton
def test_progressive_pictures_are_those_of_the_reference(tiny_model: str, small: Image.Image) -> None:
    data = recodec.load("tiny").encode(small, iterations=2)
    pictures = recodec.load("tiny", device=DEVICE, backend="triton").progressive(data, like="numpy")
    for iterations, found in enumerate(pictures, start=1):
        expected = recodec.decode(data, like="numpy", iterations=iterations).astype(int)
        assert np.abs(found - expected).max() <= 1
        # Nothing of the codec's choice is left behind for whoever takes its pictures.
        assert current_backend() == "auto"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device to take kernels for")
@needs_triton
def test_kernels_and_graphs_come_by_themselves_on_a_gpu(tiny_model: str) -> None:
    assert engine_of(load_model(tiny_model), "cuda").graphs is not None
    assert engine_of(load_model(tiny_model), "cuda", backend="reference").graphs is None


@needs_triton
def test_half_precision_by_kernels_is_close(tiny_model: str, small: Image.Image) -> None:
    data = recodec.encode(small, model="tiny", iterations=2)
    expected = recodec.decode(data, like="numpy").astype(int)
    found = recodec.load("tiny", device=DEVICE, dtype="float16", backend="triton").decode(data, like="numpy")
    assert np.abs(found - expected).max() <= 2


def test_an_unknown_backend_is_named(tiny_model: str) -> None:
    with pytest.raises(DeviceError, match="'cuda'; it must be one of auto, reference, triton"):
        recodec.load(tiny_model, backend="cuda")  # type: ignore[arg-type]


def test_a_backend_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tiny_model: str) -> None:
    monkeypatch.setattr("recodec.ops.backend.triton_installed", lambda: False)
    with pytest.raises(DeviceError, match="needs Triton, which is not installed"):
        recodec.load(tiny_model, backend="triton")
    assert recodec.load(tiny_model, backend="auto").device.type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA, so the kernels can run")
@needs_triton
def test_kernels_do_not_run_on_a_cpu_unless_interpreted(
    monkeypatch: pytest.MonkeyPatch, tiny_model: str
) -> None:
    monkeypatch.setattr("recodec.ops.backend.triton_interprets", lambda: False)
    with pytest.raises(DeviceError, match="cannot compute on a tensor on cpu"):
        recodec.load(tiny_model, backend="triton")


@needs_triton
def test_without_a_compiler_kernels_are_left_out_or_refused(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no C compiler\nin a long story")

    monkeypatch.setattr(engine, "use_kernels", lambda _: current_backend() != "reference")
    monkeypatch.setattr(engine, "projection", fail)
    engine.compiler_failure.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="cannot be compiled here: no C compiler$"):
            found = recodec.load(tiny_model).engine
        assert isinstance(found, engine.RecurrentEngine)
        assert (found.backend, found.graphs) == ("reference", None)
        with pytest.raises(DeviceError, match=r"'triton' cannot compile its kernels here: no C compiler$"):
            recodec.load(tiny_model, backend="triton")
    finally:
        engine.compiler_failure.cache_clear()
