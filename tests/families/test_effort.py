"""The search for codes that show one picture as well in fewer bytes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import recodec
from recodec.cli import main
from recodec.errors import OptionError, TargetError, WeightsError
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent import search as searching
from recodec.networks.latent.search import Curve, LatentSearch
from recodec.runtime import refinement
from tests.latent_models import latent_network, smooth_pixels


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    pixels = smooth_pixels(1, 80, 112)[0] + 0.02 * torch.randn(
        3, 80, 112, generator=torch.Generator().manual_seed(1)
    )
    samples = ((pixels + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(samples.permute(1, 2, 0).numpy())


def test_what_the_search_finds_serves_its_goal_better() -> None:
    network = latent_network()
    torch.manual_seed(2)
    entropy = EmbeddedEntropyModel(network.planes, 16, 8).eval()
    search = LatentSearch(network, entropy, torch.float32)
    pixels = smooth_pixels(1, 64, 96, seed=3)

    def curve(index: torch.Tensor) -> Curve:
        bits = [float(entropy.bits(index, chunk).sum()) for chunk in range(network.iterations)]
        return Curve(np.array(bits), search.distortion(index, pixels))

    with torch.no_grad():
        before = curve(network.analyse(pixels))
        goal = search.goal(before)
        found = search.refine(pixels, goal, 30)
        again = search.refine(pixels, goal, 30)
        other = search.refine(pixels, goal, 30, seed=1)
    gain = goal.of(curve(found), search.counts) / goal.of(before, search.counts) - 1
    assert gain.mean() < -0.01, gain
    assert torch.equal(found, again)
    assert not torch.equal(found, other)


def test_the_default_model_gains_in_files() -> None:
    with resources.as_file(resources.files("recodec") / "demo" / "photo.png") as path:
        photo = Image.open(path).convert("RGB").crop((0, 0, 256, 192))
    codec = recodec.load()
    plain, searched = (codec.encode(photo, effort=effort, iterations=16) for effort in (0, 5))
    assert plain == codec.encode(photo, iterations=16)
    assert recodec.info(searched).model == recodec.info(plain).model
    original = np.asarray(photo).astype(float)
    for bpp in (0.15, 0.3):
        sizes, errors = [], []
        for data in (plain, searched):
            cut = recodec.truncate(data, bpp=bpp)
            sizes.append(len(cut))
            errors.append(np.square(np.asarray(codec.decode(cut)) - original).mean())
        # Fewer bytes or a smaller error, and not much more of the other.
        assert sizes[1] * errors[1] < sizes[0] * errors[0], (sizes, errors)


def test_any_prefix_is_a_picture_and_targets_hold(photo: Image.Image) -> None:
    codec = recodec.load()
    data = codec.encode(photo, effort=1, bpp=0.8)
    assert len(data) * 8 <= 0.8 * photo.width * photo.height
    assert codec.decode(recodec.truncate(data, bpp=0.3)).size == photo.size
    reached = codec.encode(photo, effort=1, psnr=25.0)
    error = np.square(np.asarray(codec.decode(reached)).astype(float) - np.asarray(photo)).mean()
    assert 10 * np.log10(255**2 / error) >= 25.0


def test_a_search_that_finds_nothing_better_changes_nothing(
    photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = recodec.load()
    plain = codec.encode(photo, iterations=12)

    def worse(self: LatentSearch, pixels: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.zeros_like(self._network.analyse(pixels))

    monkeypatch.setattr(LatentSearch, "refine", worse)
    assert codec.encode(photo, effort=5, iterations=12) == plain


def test_windows_of_a_large_picture_meet(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_SIDE", 3)
    monkeypatch.setattr(searching, "_STEPS_A_COST", 1)
    codec = recodec.load()
    seen = []
    real = LatentSearch.refine

    def counted(self: LatentSearch, *arguments: Any, **options: Any) -> torch.Tensor:
        seen.append(arguments[0].shape)
        return real(self, *arguments, **options)

    monkeypatch.setattr(LatentSearch, "refine", counted)
    data = codec.encode(photo, effort=1)
    assert len(seen) > 1
    assert codec.decode(data).size == photo.size


@pytest.mark.parametrize("guard", [torch.inference_mode, torch.no_grad])
def test_callers_modes_do_not_matter(photo: Image.Image, guard: Any) -> None:
    expected = recodec.load().encode(photo, effort=1, iterations=8)
    with guard(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert recodec.load().encode(photo, effort=1, iterations=8) == expected


def test_several_pictures_are_searched_one_by_one(photo: Image.Image) -> None:
    codec = recodec.load()
    one = codec.encode(photo, effort=1)
    assert codec.encode([photo, photo], effort=1) == [one, one]


@pytest.mark.parametrize(("mode", "size"), [("RGB", (1, 1)), ("L", (17, 3)), ("RGBA", (40, 33))])
@pytest.mark.parametrize("flat", [True, False])
def test_pictures_of_any_kind(mode: str, size: tuple[int, int], flat: bool) -> None:
    rng = np.random.default_rng(0)
    shape = (size[1], size[0], len(mode))
    samples = np.full(shape, 255, np.uint8) if flat else rng.integers(120, 130, shape, np.uint8)
    image = Image.fromarray(samples.squeeze(2) if mode == "L" else samples)
    assert recodec.decode(recodec.encode(image, effort=1)).size == size


def test_progress_is_told_picture_by_picture_and_may_end_it(
    photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refinement, "_SIDE", 3)
    codec = recodec.load()
    shares: list[float] = []
    codec.encode([photo, photo], effort=2, iterations=4, on_progress=shares.append)
    half = len(shares) // 2
    assert shares[:half] == shares[half:] == sorted(set(shares))
    assert half > 4
    assert shares[-1] == 1

    class EnoughError(Exception):
        pass

    def stop(share: float) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        codec.encode(photo, effort=2, on_progress=stop)


@pytest.mark.parametrize(
    "options", [{}, {"effort": 0}, {"lossless": True}, {"lossless": True, "effort": "fast"}]
)
def test_progress_is_of_a_search(photo: Image.Image, options: dict[str, Any]) -> None:
    shares: list[float] = []
    recodec.encode(photo, on_progress=shares.append, **options)
    assert not shares
    recodec.encode(photo, model="rnn-1", bpp=0.2, on_progress=shares.append)
    with pytest.raises(OptionError, match="on_progress is 3; it must be a function"):
        recodec.encode(photo, on_progress=3, **options)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_shows_the_search(photo: Image.Image, tmp_path: Path) -> None:
    import pty

    photo.save(tmp_path / "photo.png")
    arguments = ["encode", str(tmp_path / "photo.png"), "--effort", "1"]
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        command = [sys.executable, "-m", "recodec", *arguments, "-o", str(tmp_path / "a.rcd")]
        subprocess.run(command, check=True, stderr=theirs, env={**os.environ, "TERM": "xterm"})
        os.close(theirs)
        shown = b""
        # Its other end is closed, which Linux calls an error.
        with contextlib.suppress(OSError):
            while part := terminal.read(4096):
                shown += part
    assert b"searching" in shown
    piped = subprocess.run([*command[:-1], str(tmp_path / "b.rcd")], check=True, capture_output=True)
    assert b"searching" not in piped.stderr
    assert (tmp_path / "a.rcd").read_bytes() == (tmp_path / "b.rcd").read_bytes()


@pytest.mark.parametrize("effort", [-1, 10, True, 2.5, "9", "most"])
def test_efforts_that_are_none(photo: Image.Image, effort: Any) -> None:
    with pytest.raises(TargetError, match="must be a whole number from 0 to 9"):
        recodec.encode(photo, effort=effort)


def test_efforts_of_the_other_mode(photo: Image.Image) -> None:
    with pytest.raises(TargetError, match="effort is 'best', which files without loss have"):
        recodec.encode(photo, effort="best")
    with pytest.raises(TargetError, match="effort is 3; of files without loss it is one of fast"):
        recodec.encode(photo, effort=3, lossless=True)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("dev-1", WeightsError, "dev-1 has none; leave it out"),
        ("gdn-4", TargetError, "effort is 3, but files of model gdn-4 are made without"),
    ],
)
def test_models_without_a_search(photo: Image.Image, model: str, error: type[Exception], words: str) -> None:
    assert recodec.encode(photo, model=model, effort=0) == recodec.encode(photo, model=model)
    with pytest.raises(error, match=words):
        recodec.encode(photo, model=model, effort=3)


def test_numpys_whole_numbers_and_the_command_do_as_well(photo: Image.Image, tmp_path: Path) -> None:
    path, out = tmp_path / "a.png", tmp_path / "a.rcd"
    photo.save(path)
    done = CliRunner().invoke(main, ["encode", str(path), str(out), "--effort", "1", "--iterations", "8"])
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == recodec.encode(path, effort=np.int64(1), iterations=8)  # type: ignore[arg-type]
    out.unlink()
    for wrong in ("10", "-1", "much"):
        refused = CliRunner().invoke(main, ["encode", str(path), str(out), f"--effort={wrong}"])
        assert refused.exit_code == 2
        assert "none of 0 to 9, fast, default, best" in refused.stderr
    assert not out.exists()
