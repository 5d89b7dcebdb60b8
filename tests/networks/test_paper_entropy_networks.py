"""The paper's entropy networks: what each logit may see, what they cost, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recodec.errors import WeightsError
from recodec.networks.entropy.paper import BinaryRNN, PaperEntropyConfig, ProgressiveCoder

NETWORKS = [BinaryRNN, ProgressiveCoder]
DEPTH, ITERATIONS, HEIGHT, WIDTH = 4, 3, 6, 7


def random_codes(symbols: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, ITERATIONS, DEPTH, HEIGHT, WIDTH)
    if symbols == 3:
        return torch.randint(-1, 2, shape, generator=generator).float()
    return torch.randint(0, 2, shape, generator=generator).float() * 2 - 1


def make(kind: type[BinaryRNN], symbols: int, width: int = 6) -> BinaryRNN:
    torch.manual_seed(1)
    return kind(PaperEntropyConfig(DEPTH, symbols, ITERATIONS, width)).double()


@torch.no_grad()
def logits_of(network: BinaryRNN, planes: Tensor) -> Tensor:
    """(N, T, bits, h, w)."""
    state, found = None, []
    for iteration, codes in enumerate(planes.double().unbind(1)):
        logits, state = network.step(codes, iteration, state)
        found.append(logits)
    return torch.stack(found, 1)


@pytest.mark.parametrize("symbols", [2, 3])
@pytest.mark.parametrize("kind", NETWORKS)
def test_no_logit_sees_its_own_position_or_a_later_one(kind: type[BinaryRNN], symbols: int) -> None:
    network, planes = make(kind, symbols), random_codes(symbols)
    before = logits_of(network, planes)
    for iteration, row, column in [(0, 0, 0), (0, 2, 3), (1, 3, 0), (1, 2, WIDTH - 1), (2, 5, 4)]:
        changed = planes.clone()
        changed[:, iteration, :, row, column] *= -1
        changed[:, iteration, 0, row, column] = 0 if symbols == 3 else -planes[:, iteration, 0, row, column]
        differs = (logits_of(network, changed) != before).any(2).any(0)  # (T, h, w)
        assert not differs[:iteration].any()
        assert not differs[iteration].flatten()[: row * WIDTH + column + 1].any()
        assert differs[iteration].flatten()[row * WIDTH + column + 1 :].any()
        if kind is BinaryRNN:
            assert not differs[iteration + 1 :].any()
        elif iteration + 1 < ITERATIONS:
            # Former iterations are known in full: what is said next at this very position may depend on them.
            assert differs[iteration + 1, row, column]


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_logit_sees_what_the_paper_lets_it_see(kind: type[BinaryRNN]) -> None:
    """Three columns to the right of the row above, by the 7×7 kernel, and one more by the line LSTM's state."""
    network, planes = make(kind, 2), random_codes(2)
    before = logits_of(network, planes)
    seen = {}
    for column in range(WIDTH):
        changed = planes.clone()
        changed[:, 0, :, 1, column] *= -1
        seen[column] = bool((logits_of(network, changed)[:, 0, :, 3, 2] != before[:, 0, :, 3, 2]).any())
    # Through the state of row 2, one column to the right, the kernel of row 1 reaches column 2 + 1 + 3.
    assert seen == dict.fromkeys(range(WIDTH), True)
    changed = planes.clone()
    changed[:, 0, :, 2, 6] *= -1
    assert bool((logits_of(network, changed)[:, 0, :, 3, 2] == before[:, 0, :, 3, 2]).all())


@pytest.mark.parametrize("symbols", [2, 3])
@pytest.mark.parametrize("kind", NETWORKS)
def test_code_length_is_that_of_an_ideal_coder(kind: type[BinaryRNN], symbols: int) -> None:
    network, planes = make(kind, symbols), random_codes(symbols).double()
    logits = logits_of(network, planes)
    chance = torch.sigmoid(logits[:, :, -DEPTH:])
    expected = -torch.where(planes > 0, chance, 1 - chance).log2()
    if symbols == 3:
        active = torch.sigmoid(logits[:, :, :DEPTH])
        expected = torch.where(planes == 0, -(1 - active).log2(), expected - active.log2())
    torch.testing.assert_close(network.code_length(planes), expected.sum(2))


def test_a_network_for_three_symbols_expects_zeros_at_first() -> None:
    network = make(BinaryRNN, 3)
    zeros = torch.zeros(1, ITERATIONS, DEPTH, HEIGHT, WIDTH).double()
    assert float(network.code_length(zeros).detach().mean()) < 0.2 * DEPTH


def test_the_single_iteration_network_has_the_size_of_the_papers() -> None:
    network = BinaryRNN(PaperEntropyConfig(32, 2, 1))
    (own,) = network.own
    dead = 25 * 32 * 64
    # Weights under the mask count for nothing.
    assert sum(parameter.numel() for parameter in own.parameters()) - dead == 137_632


@pytest.mark.parametrize("kind", NETWORKS)
def test_later_iterations_than_trained_share_the_last(kind: type[BinaryRNN]) -> None:
    network = make(kind, 2)
    planes = random_codes(2).double()
    more = torch.cat([planes, planes[:, -1:]], dim=1)
    assert network.code_length(more).shape == (2, ITERATIONS + 1, HEIGHT, WIDTH)
    if kind is BinaryRNN:
        lengths = network.code_length(more)
        torch.testing.assert_close(lengths[:, -1], lengths[:, -2])


@pytest.mark.parametrize("kind", NETWORKS)
def test_it_learns_what_repeats(kind: type[BinaryRNN]) -> None:
    """Rows repeat the row above; the second iteration repeats the first, which only one network can know."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randint(0, 2, (8, 1, DEPTH, 1, WIDTH), generator=generator).float() * 2 - 1
    planes = row.expand(8, 2, DEPTH, HEIGHT, WIDTH)
    torch.manual_seed(0)
    network = kind(PaperEntropyConfig(DEPTH, 2, 2, 16))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        loss = network.code_length(planes).mean() / DEPTH
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    lengths = network.code_length(planes).detach().mean((0, 3)) / DEPTH
    assert float(lengths[0, 1:].max()) < 0.5
    if kind is ProgressiveCoder:
        assert float(lengths[1, 0]) < 0.5


@pytest.mark.parametrize(("name", "value"), [("symbols", 4), ("depth", 0), ("iterations", 0), ("width", 0)])
def test_impossible_shapes_are_refused(name: str, value: int) -> None:
    settings = {"depth": 4, "symbols": 2, "iterations": 1, "width": 8} | {name: value}
    with pytest.raises(WeightsError, match=f"{name} is {value}"):
        PaperEntropyConfig(**settings)
