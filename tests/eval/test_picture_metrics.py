"""Metrics against values worked out by hand, and JPEG as it is meant to be."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin
from pytorch_msssim import ms_ssim as reference_ms_ssim

from recodec import ssim
from recodec.errors import ImageError
from recodec.eval import jpeg
from recodec.eval.curve import load_rgb
from recodec.eval.jpeg import JpegLadder, encode_jpeg
from recodec.eval.metrics import Pixels, ms_ssim, psnr


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_psnr_of_a_known_error() -> None:
    a = np.full((5, 7, 3), 100, np.uint8)
    b = a.copy()
    b[:, :, 1] = 97
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 3))
    assert psnr(a, b) == psnr(b, a)
    assert psnr(a, a) == math.inf


def test_psnr_does_not_wrap_around() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0


@pytest.mark.parametrize("metric", [psnr, ms_ssim])
def test_unlike_pictures_are_refused(metric: object) -> None:
    assert callable(metric)
    with pytest.raises(ImageError, match="differ in shape"):
        metric(noise(4, 5), noise(5, 4))
    with pytest.raises(ImageError, match="float32"):
        metric(noise(4, 5), noise(4, 5).astype(np.float32))
    with pytest.raises(ImageError, match="shape"):
        metric(noise(4, 5)[:, :, 0], noise(4, 5)[:, :, 0])


def test_ms_ssim_falls_with_distortion() -> None:
    picture = np.asarray(Image.fromarray(noise(24, 22)).resize((176, 192), Image.Resampling.BICUBIC))
    grades = [
        ms_ssim(picture, np.clip(picture.astype(int) + step, 0, 255).astype(np.uint8)) for step in (0, 20, 60)
    ]
    assert grades[0] == pytest.approx(1)
    assert None not in grades
    assert grades == sorted(grades, key=lambda grade: grade or 0, reverse=True)


def test_ms_ssim_needs_five_scales() -> None:
    assert ms_ssim(noise(160, 300), noise(160, 300)) is None
    assert ms_ssim(noise(161, 161), noise(161, 161)) is not None


def noisy_pair(*shape: int, noise: float = 0.1, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(*shape[:2], 9, 7, generator=generator, dtype=dtype)
    x = torch.nn.functional.interpolate(coarse, shape[2:], mode="bilinear")
    return [x, (x + noise * torch.randn(shape, generator=generator, dtype=dtype)).clamp(0, 1)]


@pytest.mark.parametrize("noise", [0.02, 0.4])
@pytest.mark.parametrize("size", [(161, 161), (176, 193), (187, 250), (333, 171), (256, 384)])
def test_ms_ssim_is_that_of_pytorch_msssim(size: tuple[int, int], noise: float) -> None:
    x, y = noisy_pair(2, 3, *size, noise=noise)
    expected = reference_ms_ssim(x, y, data_range=1, size_average=False)
    assert 0.05 < float(expected.min()) < 0.99
    torch.testing.assert_close(ssim.ms_ssim(x, y), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("side", "scales"), [(11, 1), (20, 1), (21, 2), (40, 2), (41, 3), (81, 4), (160, 4)])
def test_ms_ssim_with_fewer_scales_shares_out_their_weights(side: int, scales: int) -> None:
    # The dependency refuses sides of 160 and less whatever the scales, so it gets the first of a larger picture.
    used = ssim.SCALE_WEIGHTS[:scales]
    weights = [weight * sum(ssim.SCALE_WEIGHTS) / sum(used) for weight in used]
    x, y = noisy_pair(2, 3, 170, 163, noise=0.2)
    expected = reference_ms_ssim(x, y, data_range=1, size_average=False, weights=weights)
    torch.testing.assert_close(ssim.ms_ssim(x, y, scales=scales), expected, rtol=0, atol=1e-5)
    x, y = noisy_pair(1, 2, side, side + 9)
    assert torch.equal(ssim.ms_ssim(x, y), ssim.ms_ssim(x, y, scales=scales))
    with pytest.raises(ImageError, match=f"{scales + 1} scales needs sides above {10 * 2**scales}"):
        ssim.ms_ssim(x, y, scales=scales + 1)


def test_ms_ssim_refuses_what_it_cannot_compare() -> None:
    x, y = noisy_pair(1, 3, 10, 40)
    with pytest.raises(ImageError, match="10 x 40"):
        ssim.ms_ssim(x, y)
    with pytest.raises(ImageError, match="shapes"):
        ssim.ms_ssim(x, y[:, :1])
    with pytest.raises(ValueError, match="scales is 6"):
        ssim.ms_ssim(*noisy_pair(1, 3, 400, 400), scales=6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["noisy", "equal", "constant", "opposite"])
def test_ms_ssim_has_finite_gradients(case: str, dtype: torch.dtype) -> None:
    x, noisy = noisy_pair(2, 3, 44, 50, dtype=dtype)
    x, y = {
        "noisy": (x, noisy),
        "equal": (x, x.clone()),
        "constant": (torch.full_like(x, 0.25), torch.full_like(x, 0.75)),
        "opposite": (x, 1 - x),
    }[case]
    x.requires_grad_()
    similarity = ssim.ms_ssim(x, y)
    similarity.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert (similarity == 0).all() if case == "opposite" else (similarity > 0).all()
    if case == "equal":
        assert similarity.tolist() == pytest.approx([1, 1], abs=1e-6)


def test_ms_ssim_gradient_is_that_of_its_value() -> None:
    x, y = noisy_pair(1, 2, 23, 24, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: ssim.ms_ssim(a, y), x.requires_grad_())


def test_ms_ssim_of_nan_is_nan() -> None:
    x, y = noisy_pair(1, 1, 24, 24)
    x[..., 12, 12] = math.nan
    assert ssim.ms_ssim(x, y).isnan().all()


def test_jpeg_is_baseline_with_halved_chroma(picture: Image.Image) -> None:
    with Image.open(io.BytesIO(encode_jpeg(picture, 50))) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        assert JpegImagePlugin.get_sampling(image) == 2
        assert "progressive" not in image.info


def test_largest_jpeg_is_the_last_that_fits(picture: Image.Image) -> None:
    sizes = [len(encode_jpeg(picture, quality)) for quality in range(1, 101)]
    ladder = JpegLadder(picture)
    for budget in (sizes[0], sizes[0] + 1, sizes[40], sizes[80] - 1, sizes[-1], 10**9):
        found = ladder.largest_within(budget)
        assert found is not None
        assert len(found) == max(size for size in sizes if size <= budget)
    assert ladder.largest_within(sizes[0] - 1) is None


def test_largest_jpeg_where_sizes_fall_and_rise(
    picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg, "encode_jpeg", lambda _, quality, subsampling: bytes([quality]) * (quality ^ 8))
    assert JpegLadder(picture).largest_within(50) == bytes([58]) * 50
    assert JpegLadder(picture).largest_within(0) == b""
    assert JpegLadder(picture).largest_within(-1) is None


@pytest.mark.parametrize("damage", ["text", "cut"])
def test_pictures_that_cannot_be_read(picture: Image.Image, damage: str) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    data = {"text": b"no picture", "cut": buffer.getvalue()[:900]}[damage]
    with pytest.raises(ImageError):
        load_rgb(io.BytesIO(data))


def test_damaged_metadata_are_no_damage_to_a_picture(picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=b"Exif\0\0no TIFF")
    np.testing.assert_array_equal(load_rgb(buffer), np.asarray(picture))
