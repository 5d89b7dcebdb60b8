"""Small autoencoders with random weights, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.networks.autoencoder.network import Autoencoder
from recodec.train.tasks.autoencoder.fitting import fit_tables
from recodec.weights import Model, load_model, save_model

BOUNDED: dict[str, Any] = {
    "quantiser": "sigmoid",
    "bits": 6,
    "contexts": 5,
    "analysis": [
        {"kind": "conv", "width": 6, "kernel": 5, "factor": 2, "activation": "relu"},
        {"kind": "pool", "factor": 2},
        {"kind": "residual", "width": 8},
        {"kind": "conv", "width": 4},
    ],
    "synthesis": [
        {"kind": "conv", "width": 8, "activation": "leaky-relu"},
        {"kind": "up", "factor": 2},
        {"kind": "norm"},
        {"kind": "conv", "width": 12},
        {"kind": "shuffle", "factor": 2},
    ],
}
UNIT: dict[str, Any] = {
    "quantiser": "unit",
    "bits": 8,
    "analysis": [{"kind": "average", "factor": 4}],
    "synthesis": [{"kind": "up", "factor": 4}, {"kind": "conv", "width": 3, "activation": "tanh"}],
}
ROUNDED: dict[str, Any] = {
    "quantiser": "rounded",
    "bits": 4,
    "levels": 2,
    "rate": 5,
    "analysis": [
        {"kind": "conv", "width": 8, "kernel": 9, "factor": 4},
        {"kind": "gdn"},
        {"kind": "conv", "width": 5, "kernel": 5, "factor": 2},
    ],
    "synthesis": [
        {"kind": "conv", "width": 32},
        {"kind": "shuffle", "factor": 2},
        {"kind": "inverse-gdn"},
        {"kind": "conv", "width": 48},
        {"kind": "shuffle", "factor": 4},
    ],
}
CONFIGS = {
    "bounded": BOUNDED,
    "unit": UNIT,
    "rounded": ROUNDED,
    "staged": {**BOUNDED, "stages": 3, "bits": 2, "rate": 4},
}


def make_network(name: str) -> Autoencoder:
    """Random weights, and tables fitted to random pictures."""
    generator = torch.Generator().manual_seed(3)
    network = Autoencoder(AutoencoderConfig.from_dict(CONFIGS[name]))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 and parameter is not network.log_step:
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) * 0.4 / parameter[0].numel() ** 0.5
                )
        if network.log_step is not None:
            steps = torch.tensor([[0.2], [0.05]]).log()
            network.log_step.copy_(steps.expand_as(network.log_step))
    network.half().float().eval().requires_grad_(False)
    pixels = torch.rand(4, 3, 48, 48, generator=generator) - 0.5
    for level in range(network.config.levels):
        for stage in range(network.config.stages):
            fit_tables(network, network.quantise(network.analyse(pixels, stage, level)), stage, level)
    return network


def saved_model(folder: Path, name: str) -> Model:
    """The same in a file, which the search path may name."""
    path = folder / f"{name}.safetensors"
    save_model(path, make_network(name), {"made": "for tests"})
    return load_model(path)
