"""The registry, what outsiders may know of a network, and the one loop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from recodec.errors import WeightsError
from recodec.model_search import find_model
from recodec.networks.architectures import ARCHITECTURES, find_architecture
from recodec.networks.loop import decode, iterate
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.weights import load_model, save_model
from tests.conftest import GOLDEN
from tests.zoned import ZONED


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_entry_makes_a_network_of_its_name(name: str) -> None:
    architecture = find_architecture(name)
    assert architecture.network.architecture == name
    assert all(hasattr(architecture.config, method) for method in ("to_texts", "from_texts", "from_dict"))


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match="the architecture is 'cubic'; this version of recodec knows pixel, "
    ):
        find_architecture("cubic")
    source = GOLDEN / "tiny.safetensors"
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(source), tmp_path / "tiny.safetensors", metadata | {"architecture": "cubic"})
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: the architecture is 'cubic'.*newer"):
        load_model(tmp_path / "tiny.safetensors")


@pytest.mark.parametrize("name", ["dev-1", "rnn-1"])
def test_a_pixel_model_saved_again_is_the_same(tmp_path: Path, name: str) -> None:
    source, copy = find_model(name), tmp_path / f"{name}.safetensors"
    model = load_model(name)
    save_model(copy, model.network, model.notes, model.tables)
    contents = []
    for path in (source, copy):
        with safe_open(path, framework="pt") as file:
            contents.append((file.metadata(), {key: file.get_tensor(key) for key in file.keys()}))  # noqa: SIM118
    assert contents[0][0] == contents[1][0]
    assert contents[0][1].keys() == contents[1][1].keys()
    for key, value in contents[0][1].items():
        assert value.dtype == contents[1][1][key].dtype
        assert torch.equal(value, contents[1][1][key]), key
    assert load_model(copy).hash == model.hash


def test_architectures_are_imported_when_they_are_needed() -> None:
    program = (
        "import sys, recodec.weights; recodec.weights.load_model('dev-1'); "
        "assert not any('networks.latent' in name for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.fixture(scope="module")
def network() -> RecurrentCodec:
    torch.manual_seed(0)
    codec = RecurrentCodec(ZONED)
    pixels = torch.rand(4, 3, 64, 64) - 0.5
    codec.calibrate(pixels)
    codec.fit_dead_zones(pixels, (0.1, 0.2))
    return codec.eval().requires_grad_(False)


def test_the_loop_is_encoder_and_decoder_in_turns(network: RecurrentCodec) -> None:
    pixels = torch.rand(2, 3, 48, 32) - 0.5
    target = network.analyse(pixels)
    state = decoded = None
    planes: list[Tensor] = []
    for codes, found in iterate(network, target, 3):
        expected, state = network.encode_step(target, state, decoded)
        decoded = network.decode_step(expected, decoded)
        assert torch.equal(codes, expected)
        assert torch.equal(network.synthesise(found), network.synthesise(decoded))
        planes.append(codes)
    again = decode(network, planes)
    assert torch.equal(network.synthesise(again), network.synthesise(decoded))
    assert decode(network, []) is None


def test_the_last_decoding_may_be_left_out(network: RecurrentCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    step = network.decode_step
    monkeypatch.setattr(network, "decode_step", lambda *arguments: calls.append(1) or step(*arguments))
    target = network.analyse(torch.rand(1, 3, 32, 32) - 0.5)
    states = [decoded for _, decoded in iterate(network, target, 3, decode_last=False)]
    assert [state is None for state in states] == [False, False, True]
    assert len(calls) == 2


def test_whoever_runs_the_loop_may_choose_the_codes(network: RecurrentCodec) -> None:
    def choose(features: Tensor, iteration: int) -> Tensor:
        return torch.full_like(features[:, : network.depth], float(iteration % 2))

    target = network.analyse(torch.rand(1, 3, 32, 32) - 0.5)
    codes = [codes.unique().tolist() for codes, _ in iterate(network, target, 3, choose)]
    assert codes == [[0.0], [1.0], [0.0]]
