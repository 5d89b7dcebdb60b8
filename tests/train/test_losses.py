"""Training losses against slow formulations in float64, and what the weighted L1 remembers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from recodec.errors import ImageError
from recodec.ssim import ms_ssim
from recodec.train.losses import LossWeights, ReconstructionLoss, dissimilarity, patch_dissimilarity

C1, C2 = 0.01**2, 0.03**2


def crops(
    iterations: int = 3, side: int = 32, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[list[Tensor], Tensor]:
    """Reconstructions that come closer to their target, and the target."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(2, 3, side, side, generator=generator, dtype=dtype) - 0.5
    noise = [torch.randn(target.shape, generator=generator, dtype=dtype) for _ in range(iterations)]
    return [target + 0.3 / (1 + t) * noise[t] for t in range(iterations)], target


def loss_of(**weights: float) -> ReconstructionLoss:
    return ReconstructionLoss(LossWeights(**{"l1": 0.0, **weights})).double()


def window_terms(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure factor for one window, by the definition."""
    a, b = a + 0.5, b + 0.5
    covariance = ((a - a.mean()) * (b - b.mean())).mean()
    contrast = (2 * covariance + C2) / (a.var(unbiased=False) + b.var(unbiased=False) + C2)
    luminance = (2 * a.mean() * b.mean() + C1) / (a.mean() ** 2 + b.mean() ** 2 + C1)
    return luminance * contrast, contrast


def slow_dissimilarity(picture: Tensor, target: Tensor, scales: int) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for scale in range(scales):
        terms = [
            window_terms(a[top : top + 8, left : left + 8], b[top : top + 8, left : left + 8])
            for a, b in zip(picture.flatten(0, 1), target.flatten(0, 1), strict=True)
            for top in range(0, a.shape[0] - 7, 4)
            for left in range(0, a.shape[1] - 7, 4)
        ]
        ssims, contrasts = map(torch.stack, zip(*terms, strict=True))
        total = total + (ssims if scale == scales - 1 else contrasts).mean() / scales
        picture, target = (
            (p[..., ::2, ::2] + p[..., ::2, 1::2] + p[..., 1::2, ::2] + p[..., 1::2, 1::2]) / 4
            for p in (picture, target)
        )
    return 1 - total


def slow_patches(picture: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """S and the mean absolute error of every 8×8 patch."""
    s, errors = [], []
    for a, b in zip(picture.flatten(0, 1), target.flatten(0, 1), strict=True):
        for top in range(0, a.shape[0], 8):
            for left in range(0, a.shape[1], 8):
                one, other = a[top : top + 8, left : left + 8], b[top : top + 8, left : left + 8]
                s.append((1 - window_terms(one, other)[0]) / 2)
                errors.append((one - other).abs().mean())
    return torch.stack(s).detach(), torch.stack(errors)


def assert_close(value: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-10)


def test_pixel_terms() -> None:
    pictures, target = crops()
    errors = [(picture - target).flatten() for picture in pictures]
    assert_close(loss_of(l1=1)(pictures, target), torch.stack([e.abs().sum() / e.numel() for e in errors]))
    assert_close(loss_of(mse=1)(pictures, target), torch.stack([e.dot(e) / e.numel() for e in errors]))


@pytest.mark.parametrize(("side", "scales"), [(32, 3), (40, 3), (24, 2), (16, 2), (8, 1)])
def test_ssim_term_takes_the_scales_that_fit(side: int, scales: int) -> None:
    pictures, target = crops(2, side)
    expected = torch.stack([slow_dissimilarity(p, target, scales) for p in pictures])
    assert_close(loss_of(ssim=1)(pictures, target), expected)


def test_dissimilarity_is_zero_for_equal_pictures_and_grows() -> None:
    pictures, target = crops(3, 64, dtype=torch.float32)
    values = [float(dissimilarity(picture, target).mean()) for picture in (*pictures, target)]
    assert values[3] == pytest.approx(0, abs=1e-5)
    assert values[3] < values[2] < values[1] < values[0] <= 2


@pytest.mark.parametrize(("side", "scales"), [(32, 2), (64, 3)])
def test_ms_ssim_term_is_the_metric_with_the_scales_that_fit(side: int, scales: int) -> None:
    pictures, target = crops(2, side)
    expected = [1 - ms_ssim(p + 0.5, target + 0.5, scales=scales).mean() for p in pictures]
    assert_close(loss_of(ms_ssim=1)(pictures, target), torch.stack(expected))


def test_weighted_l1_and_its_moving_average_over_three_calls() -> None:
    loss = loss_of(ssim_weighted_l1=1)
    average = None
    for call in range(3):
        pictures, target = crops(2, seed=call)
        patches = [slow_patches(picture, target) for picture in pictures]
        mean = torch.cat([s for s, _ in patches]).mean()
        average = mean if average is None else 0.99 * average + 0.01 * mean
        expected = torch.stack([(s / average * errors).mean() for s, errors in patches])
        assert_close(loss(pictures, target), expected)
        assert_close(loss.average_dissimilarity, average)


def test_no_gradient_goes_through_the_patch_weights() -> None:
    pictures, target = crops(2)
    gradients = []
    for explicit in (False, True):
        leaves = [picture.clone().requires_grad_() for picture in pictures]
        if explicit:
            patches = [slow_patches(leaf, target) for leaf in leaves]
            average = torch.cat([s for s, _ in patches]).mean()
            value = torch.stack([(s / average * errors).mean() for s, errors in patches])
        else:
            value = loss_of(ssim_weighted_l1=1)(leaves, target)
        gradients.append(torch.autograd.grad(value.sum(), leaves))
    for gradient, expected in zip(*gradients, strict=True):
        assert_close(gradient, expected)


def test_a_mix_is_the_sum_of_its_parts() -> None:
    weights = {"l1": 0.5, "mse": 2.0, "log_mse": 0.2, "ssim": 0.25, "ms_ssim": 0.75, "ssim_weighted_l1": 3.0}
    pictures, target = crops()
    parts = [loss_of(**{name: weight})(pictures, target) for name, weight in weights.items()]
    assert_close(loss_of(**weights)(pictures, target), torch.stack(parts).sum(0))


def test_the_logarithm_falls_as_psnr_rises() -> None:
    pictures, target = crops()
    levels = [255**2 * (picture - target).square().flatten(1).mean(1) for picture in pictures]
    expected = torch.stack([(1 + error).log().mean() for error in levels])
    assert_close(loss_of(log_mse=1)(pictures, target), expected)


def test_moving_average_is_saved_and_otherwise_untouched() -> None:
    loss, other, idle = loss_of(ssim_weighted_l1=1), loss_of(ssim_weighted_l1=1), loss_of(ssim=1, ms_ssim=1)
    loss(*crops(seed=1))
    idle(*crops(seed=1))
    assert idle.average_dissimilarity == 0
    other.load_state_dict(loss.state_dict())
    assert torch.equal(loss(*crops(seed=2)), other(*crops(seed=2)))
    assert torch.equal(loss.average_dissimilarity, other.average_dissimilarity)


ALL = LossWeights(l1=1, mse=1, log_mse=1, ssim=1, ms_ssim=1, ssim_weighted_l1=1)


@pytest.mark.parametrize("side", [32, 64])
def test_half_precision_is_computed_in_single(side: int) -> None:
    pictures, target = crops(2, side, dtype=torch.float32)
    half = [picture.bfloat16() for picture in pictures]
    with torch.autocast("cpu", torch.bfloat16):
        losses = ReconstructionLoss(ALL)(half, target.bfloat16())
    assert losses.dtype == torch.float32
    expected = ReconstructionLoss(ALL)([p.float() for p in half], target.bfloat16().float())
    assert torch.equal(losses, expected)
    mixed = ReconstructionLoss(ALL)(half, target)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, ReconstructionLoss(ALL)(pictures, target), rtol=1e-2, atol=0)


def test_perfect_pictures_cost_nothing_and_have_finite_gradients() -> None:
    _, target = crops(dtype=torch.float32)
    picture = target.clone().requires_grad_()
    loss = ReconstructionLoss(ALL)([picture], target)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0], abs=1e-5)
    assert picture.grad is not None
    assert picture.grad.isfinite().all()


def test_crops_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ImageError, match="7 x 7; SSIM needs"):
        loss_of(ssim=1)(*crops(side=7))
    with pytest.raises(ImageError, match="20 x 20; its patches need multiples of 8"):
        loss_of(ssim_weighted_l1=1)(*crops(side=20))
    with pytest.raises(ImageError, match="8 x 8; MS-SSIM"):
        loss_of(ms_ssim=1)(*crops(side=8))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"ssim": -0.5}, "ssim is -0.5; it must be finite and at least 0"),
        ({"mse": float("nan")}, "mse is nan"),
        ({"ms_ssim": float("inf")}, "ms_ssim is inf"),
        ({"l1": 0.0}, "all 0"),
    ],
)
def test_bad_weights_are_refused(weights: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LossWeights(**weights)


WORKER = """
import sys, torch
from recodec.train.losses import LossWeights, ReconstructionLoss
rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
loss = ReconstructionLoss(LossWeights(ssim_weighted_l1=1)).double()
for call in torch.load(f"{folder}/crops{rank}.pt"):
    loss(*call)
torch.save(loss.average_dissimilarity, f"{folder}/average{rank}.pt")
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_processes_share_the_moving_average(tmp_path: Path) -> None:
    calls = [[crops(1, seed=2 * call + rank) for call in range(2)] for rank in range(2)]
    for rank in range(2):
        torch.save(calls[rank], tmp_path / f"crops{rank}.pt")
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(rank), str(tmp_path)], stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for worker in workers:
        _, stderr = worker.communicate(timeout=120)
        assert worker.returncode == 0, stderr.decode()
    means = [
        torch.stack([patch_dissimilarity(ranks[call][0][0], ranks[call][1]).mean() for ranks in calls]).mean()
        for call in range(2)
    ]
    expected = 0.99 * means[0] + 0.01 * means[1]
    for rank in range(2):
        assert_close(torch.load(tmp_path / f"average{rank}.pt"), expected)
