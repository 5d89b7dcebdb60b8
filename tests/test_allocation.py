"""Spatially adaptive bit rates: which positions are sent."""

from __future__ import annotations

import functools

import pytest
import torch

from recodec.networks.allocation import need, neediest
from recodec.networks.config import LayerConfig, NetworkConfig
from recodec.networks.recurrent import RecurrentCodec


def test_need_is_the_error_relative_to_how_busy_the_target_is() -> None:
    target = torch.zeros(1, 3, 16, 32)
    target[..., 16:] = 0.3 * (1 - 2 * (torch.arange(16) % 2))
    picture = target + 0.06 * (1 - 2 * (torch.arange(32) // 4 % 2))
    expected = torch.tensor([[[[0.06 / 0.2, 0.06 / 0.5]]]])
    torch.testing.assert_close(need(picture, target, 16), expected, rtol=0, atol=1e-6)
    assert float(need(target, target, 16).sum()) == 0


@pytest.mark.parametrize(("share", "count"), [(1.0, 60), (0.5, 30), (0.05, 3), (0.001, 1)])
def test_the_neediest_are_the_largest(share: float, count: int) -> None:
    needs = torch.randperm(60, generator=torch.Generator().manual_seed(1)).float().view(3, 1, 4, 5)
    sent = neediest(needs, share)
    assert set(sent.unique().tolist()) <= {0.0, 1.0}
    assert int(sent.sum()) == count
    assert torch.equal(sent > 0, needs >= 60 - count)


def test_equal_needs_are_not_sent_unless_all_are() -> None:
    assert not neediest(torch.ones(2, 1, 3, 3), 0.5).any()
    assert neediest(torch.ones(2, 1, 3, 3), 1.0).all()


def test_positions_that_are_not_sent_have_no_codes() -> None:
    torch.manual_seed(3)
    config = NetworkConfig(
        depth=4,
        iterations=4,
        reconstruction="additive",
        front_end="dct8",
        encoder=(LayerConfig("lstm", 8, 1, 1, resample=2),),
        decoder=(LayerConfig("lstm", 8, 1, 1, resample=2),),
        shortcut=True,
    )
    network = RecurrentCodec(config)
    pixels = torch.rand(2, 3, 32, 32) - 0.5
    seen = []
    step = network.decoder.step

    def watched(codes: torch.Tensor, *rest: object) -> object:
        seen.append(codes)
        return step(codes, *rest)  # type: ignore[arg-type]

    network.decoder.step = watched  # type: ignore[method-assign, assignment]
    pictures = network.unroll(pixels, 3, allocation=functools.partial(neediest, share=0.25))
    everywhere, *later = [codes.abs().sum(1) for codes in seen]
    assert (everywhere == 4).all()
    for sums in later:
        assert sorted(sums.unique().tolist()) == [0.0, 4.0]
        assert int((sums > 0).sum()) == 2
    # With 1x1 kernels a position knows nothing of the others, so its silence is all it can tell.
    all_sent = network.unroll(pixels, 3)
    block = torch.nn.functional.interpolate(later[0][:, None], scale_factor=16)
    difference = (pictures[1] - all_sent[1]).detach().abs() * (block > 0)
    torch.testing.assert_close(difference, torch.zeros_like(difference), rtol=0, atol=1e-6)
