"""Embedded planes: indices and codes, what is shown of unfinished latents, orders that are refused."""

from __future__ import annotations

import pytest
import torch

from recodec.errors import WeightsError
from recodec.networks.latent.config import LatentConfig
from recodec.networks.latent.planes import GROUP, EmbeddedPlanes
from recodec.networks.loop import decode, iterate
from tests.latent_models import latent_network, smooth_pixels


def make_planes(chunk_of: list[list[int]], chunks: int) -> EmbeddedPlanes:
    planes = EmbeddedPlanes(LatentConfig(channels=len(chunk_of), planes=len(chunk_of[0]), chunks=chunks))
    planes.chunk_of.copy_(torch.tensor(chunk_of))
    planes.forget()
    return planes


def test_codes_add_up_to_the_index() -> None:
    network = latent_network()
    index = network.analyse(smooth_pixels(2, 48, 64))
    assert index.abs().max() > 3, "the sample says something"
    known = None
    for chunk, (codes, _) in enumerate(iterate(network, index, network.iterations)):
        assert codes.dtype == torch.int8
        assert codes.shape[1] == network.codes_in(chunk)
        known = network.decode_step(codes, known)
        assert torch.equal(known.indices, network.planes.prefix(index, chunk + 1))
    assert torch.equal(known.indices, index)


def test_what_overflows_the_top_plane_is_clamped_to_it() -> None:
    planes = make_planes([[2, 1, 0], [1, 0, 2], [2, 2, 2]], 2)
    planes.chunk_of[1] = torch.tensor([1, 0, 2])
    planes.forget()
    latents = torch.tensor([100.0, -100.0, 7.0]).view(1, 3, 1, 1)
    assert planes.limit.tolist() == [7, 3, 0]
    assert planes.index(latents).flatten().tolist() == [7, -3, 0]
    assert planes.index(latents * 1e30).flatten().tolist() == [7, -3, 0]


def test_groups_hold_no_channel_twice() -> None:
    planes = make_planes([[0, 0, 0]] * (GROUP + 1) + [[1, 0, 2]], 2)
    first = planes.chunks[0]
    assert first.ends == (16, 18, 34, 35, 51, 52)
    assert first.planes.tolist()[:18] == [2] * 17 + [1]
    start = 0
    for end in first.ends:
        assert len(set(first.channels[start:end].tolist())) == end - start
        start = end


def test_latents_are_shown_within_what_is_known_of_them() -> None:
    network = latent_network()
    planes = network.planes
    latents = network.latents(smooth_pixels(1, 64, 64))
    index = planes.index(latents)
    with torch.no_grad():
        planes.point.uniform_(-0.5, 1.5)  # clamped to the interval
    for chunks in range(1, network.iterations + 1):
        known = planes.prefix(index, chunks)
        values = planes.values(known, chunks) / planes.threshold[:, None, None]
        width = (1 << planes.lowest[chunks])[:, None, None]
        assert torch.equal(values == 0, known == 0)
        low = known.abs() * (1 - 1e-5)
        assert bool(
            ((values.abs() >= low) & (values.abs() <= (known.abs() + width) * (1 + 1e-5)))[known != 0].all()
        )
        assert bool((values * known >= 0).all())


@pytest.mark.parametrize(
    ("chunk_of", "message"),
    [([[0, 1, 2]], "channel 0"), ([[2, 0, 2], [0, 2, 1]], "channel 1"), ([[2, -1, 0]], "channel 0")],
)
def test_planes_come_from_the_top(chunk_of: list[list[int]], message: str) -> None:
    with pytest.raises(WeightsError, match=f"{message} are not in order from the top"):
        make_planes(chunk_of, 2).check()


def test_decoding_needs_nothing_of_the_encoder() -> None:
    network = latent_network()
    index = network.analyse(smooth_pixels(1, 32, 32))
    planes = [codes for codes, _ in iterate(network, index, 3)]
    shown = network.synthesise(decode(network, planes))
    with torch.no_grad():
        for parameter in network.analysis.parameters():
            parameter.zero_()
    assert torch.equal(network.synthesise(decode(network, planes)), shown)


def test_soft_slopes_add_up_to_what_is_shown() -> None:
    planes = latent_network().planes
    chunks = planes.count
    unit = planes.threshold * (1 << planes.lowest[chunks].clamp(max=5).long())
    places = torch.linspace(0.5, 4.5, 4001)
    latents = (places[:, None] * unit).reshape(len(places), -1, 1, 1)
    slopes = planes.slopes(latents, chunks, 0.02)
    risen = (slopes[:-1] + slopes[1:]).sum(0) / 2 * (places[1] - places[0]) * unit[:, None, None]
    shown = planes.values(planes.index(latents), chunks)
    known = planes.lowest[chunks] < planes.point.shape[2]
    free = known & (planes.limit >> planes.lowest[chunks] >= 4)
    assert free.sum() > 5
    torch.testing.assert_close(risen[free], (shown[-1] - shown[0])[free], rtol=1e-3, atol=1e-4)
    assert not slopes[:, ~known].any()
    assert torch.equal(planes.slopes(-latents, chunks, 0.02), slopes)
