"""What bench/kernels.py measures: whole iterations of the networks, their layers, and what each has to move."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from recodec.kernels.layers import FOLDED, LINEAR, PAPER, SHIPPED, Layer, Linear
from recodec.kernels.tuner.linear_trials import linear_trial
from recodec.kernels.tuner.trials import Trial, gru_trial, lstm_trial
from recodec.networks.convolution import lay_weights_in_nhwc
from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.folding import fold_pointwise
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.ops.backend import use_backend
from recodec.ops.convolution import same_convolution

Function = Callable[..., Any]

# Of rnn-1's codes at the rates it was trained for.
DENSITY = 0.08


class Problem(NamedTuple):
    """Something to compute; functions take ``arguments`` and return tensors, nested in tuples or not.

    ``exact`` is the result in float64. Results whose numbers are in ``codes`` are decisions, which rounding
    may turn where it is close; ``bit_exact`` ones leave no room for that.
    """

    arguments: tuple[Any, ...]
    reference: Function
    ours: Function
    exact: Callable[[], Any]
    codes: tuple[int, ...] = ()
    bit_exact: bool = False


class Cost(NamedTuple):
    """What cannot be avoided: operations, and bytes read and written once."""

    flops: int
    bytes: int


@dataclass(frozen=True)
class Case:
    """A row of the table; the floor of a whole iteration is the sum of those of its ``parts``."""

    name: str
    make: Callable[[torch.dtype, torch.device], Problem]
    parts: tuple[Case, ...] = ()

    def costs(self, dtype: torch.dtype) -> list[Cost]:
        """One for each part, from the shapes that the definitions themselves have; nothing is computed."""
        if self.parts:
            return [cost for part in self.parts for cost in part.costs(dtype)]
        with FakeTensorMode(), torch.no_grad():
            problem = self.make(dtype, torch.device("cpu"))
            with FlopCounterMode(display=False) as counter:
                results = problem.reference(*problem.arguments)
        moved = [*tensors_of(problem.arguments), *tensors_of(results)]
        seen = {id(tensor): tensor.numel() * tensor.element_size() for tensor in moved}
        return [Cost(int(counter.get_total_flops()), sum(seen.values()))]


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors in a state or result, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_of(part)


def widened(value: Any) -> Any:
    """The same in float64."""
    if isinstance(value, Tensor):
        return value.double()
    if isinstance(value, tuple):
        parts = [widened(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def cases(batch: int, height: int, width: int, tiny: bool = False) -> tuple[list[Case], list[Case]]:
    """Iterations and layers for pictures of a size, the most valuable first; narrow ones if ``tiny``."""

    def of_size(layer: Any) -> Any:
        narrow = layer
        if tiny and isinstance(layer, Layer):
            narrow = layer._replace(inputs=layer.inputs // 16, channels=4 * round(layer.channels / 64))
        return narrow._replace(height=layer.height * height // 512, width=layer.width * width // 768)

    shipped = [cell_case(of_size(layer), "residual", batch) for layer in SHIPPED]
    paper = [cell_case(of_size(layer), "lstm", batch) for layer in PAPER]
    linear = [linear_case(of_size(layer), batch) for layer in LINEAR]
    own = [case for case in linear if case.name.startswith("rnn-1")]
    codes = [case for case in own if case.name == "rnn-1-binarizer"]
    decoder = (*shipped, *(case for case in own if case not in codes))
    rest = {case.name: case for case in linear if case not in own}
    first = conv_case("paper-encoder-0", batch, 3, 64, 3, 2, height, width)
    folded = cell_case(of_size(FOLDED), "lstm", batch)
    networks = (paper_config(width=1 / 16), small_config()) if tiny else (paper_config(), shipped_config())
    size = (batch, height, width)
    iterations = [
        Case("rnn-1 decoder iteration", partial(decoder_problem, networks[1], *size), decoder),
        Case(
            "paper decoder iteration",
            partial(decoder_problem, networks[0], *size),
            (folded, *paper[4:], rest["paper-output"]),
        ),
        Case(
            "paper encoder iteration",
            partial(encoder_problem, networks[0], *size),
            (first, *paper[:3], rest["paper-binarizer"]),
        ),
    ]
    # Those that take most of an iteration first.
    layers = [*decoder, *reversed(paper), folded, *codes, *rest.values()]
    return iterations, layers


def cell_case(layer: Layer, cell: str, batch: int) -> Case:
    def make(dtype: torch.dtype, device: torch.device) -> Problem:
        if cell == "lstm":
            trial = lstm_trial(layer, True, dtype, device, batch)
            return from_trial(trial, torch.ops.recodec.conv_lstm_step)
        trial = gru_trial(layer, True, True, dtype, device, batch, "residual_conv_gru_candidate")
        return from_trial(trial, torch.ops.recodec.residual_conv_gru_step)

    return Case(layer.name, make)


def linear_case(layer: Linear, batch: int) -> Case:
    def make(dtype: torch.dtype, device: torch.device) -> Problem:
        problem = from_trial(
            linear_trial(layer, dtype, device, batch), getattr(torch.ops.recodec, layer.operator)
        )
        return problem._replace(bit_exact=layer.operator == "binarize")

    return Case(layer.name, make)


def conv_case(
    name: str, batch: int, inputs: int, channels: int, kernel: int, stride: int, *area: int
) -> Case:
    """A plain convolution, which no kernel of ours replaces; it has a floor all the same."""

    def make(dtype: torch.dtype, device: torch.device) -> Problem:
        x = torch.empty(batch, inputs, *area, dtype=dtype, device=device)
        weight = torch.empty(channels, inputs, kernel, kernel, dtype=dtype, device=device)
        run = partial(same_convolution, stride=stride)
        return Problem((x, weight, weight[:, 0, 0, 0]), run, run, lambda: run(x.double(), weight.double()))

    return Case(name, make)


def from_trial(trial: Trial, operator: Function) -> Problem:
    return Problem(
        trial.arguments, trial.reference, operator, lambda: trial.reference(*widened(trial.arguments))
    )


def shipped_config() -> NetworkConfig:
    """That of rnn-1, from its recipe."""
    path = files("recodec.train") / "recipes" / "rnn-1.toml"
    return NetworkConfig.from_dict(tomllib.loads(path.read_text())["network"])


def small_config() -> NetworkConfig:
    """rnn-1 in small."""
    decoder = (LayerConfig("residual-gru", 16, resample=2), LayerConfig("residual-gru", 12))
    return replace(shipped_config(), depth=12, iterations=2, embedding=8, feedback=8, decoder=decoder)


def network_of(config: NetworkConfig, dtype: torch.dtype, device: torch.device) -> RecurrentCodec:
    torch.manual_seed(0)
    network = RecurrentCodec(config).to(device).compute_in(dtype).requires_grad_(False)
    lay_weights_in_nhwc(network)
    return network


def random_codes(config: NetworkConfig, batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (batch, config.depth, height // config.stride, width // config.stride)
    signs = 2.0 * torch.randint(0, 2, shape, generator=generator) - 1
    return signs * (torch.rand(shape, generator=generator) < DENSITY) if config.dead_zone else signs


def decoder_problem(
    config: NetworkConfig, batch: int, height: int, width: int, dtype: torch.dtype, device: torch.device
) -> Problem:
    """The second iteration of a decoder: every layer has a state."""
    network = network_of(config, dtype, device)
    codes = random_codes(config, batch, height, width).to(device, dtype)
    codes = codes.contiguous(memory_format=torch.channels_last)
    with use_backend("reference"):
        state = network.decode_step(codes, None)

    def exact() -> Any:
        return copy.deepcopy(network).double().decode_step(codes.double(), widened(state))

    # What takes kernels takes this too; the definition and its compiler see the layers as they are.
    folded = fold_pointwise(network)
    lay_weights_in_nhwc(folded)
    return Problem((codes, state), network.decode_step, folded.decode_step, exact)


def encoder_problem(
    config: NetworkConfig, batch: int, height: int, width: int, dtype: torch.dtype, device: torch.device
) -> Problem:
    """The second iteration of an encoder."""
    network = network_of(config, dtype, device)
    generator = torch.Generator().manual_seed(2)
    pixels = torch.rand((batch, 3, height, width), generator=generator) - 0.5
    target = network.front_end.analyse(pixels.to(device)).contiguous(memory_format=torch.channels_last)
    with use_backend("reference"):
        codes, state = network.encode_step(target, None, None)
        decoded = network.decode_step(codes, None)

    def exact() -> Any:
        return copy.deepcopy(network).double().encode_step(*widened((target, state, decoded)))

    return Problem((target, state, decoded), network.encode_step, network.encode_step, exact, codes=(0,))
