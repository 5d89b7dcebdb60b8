"""Small latent networks with planes in some order, for tests."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.config import LatentConfig, SideConfig
from recodec.networks.latent.network import LatentNetwork
from recodec.ops.rearrange import space_to_depth
from recodec.weights import Model, load_model, save_model

SMALL = LatentConfig(
    channels=40,
    planes=6,
    chunks=8,
    analysis=SideConfig(width=8, blocks=1, inner_width=8, inner_blocks=1),
    synthesis=SideConfig(width=8, blocks=1, inner_width=8, inner_blocks=1),
)


def smooth_pixels(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, max(2, height // 8), max(2, width // 8), generator=generator) - 0.5
    return torch.nn.functional.interpolate(small, (height, width), mode="bilinear")


def latent_network(seed: int = 0, config: LatentConfig = SMALL) -> LatentNetwork:
    """Principal components of smooth pixels on the linear paths, a little of everything else."""
    torch.manual_seed(seed)
    network = LatentNetwork(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.003 * torch.randn(parameter.shape))
        blocks = space_to_depth(smooth_pixels(8, 128, 128), 16).permute(0, 2, 3, 1).flatten(0, 2)
        directions = torch.linalg.svd(blocks, full_matrices=False)[2][: config.channels]
        network.analysis.linear.weight.copy_(directions[:, :, None, None])
        network.synthesis.linear.weight.copy_(directions.T[:, :, None, None])
        network.scale.copy_((blocks @ directions.T).std(0).clamp_min(1e-3))
        planes = network.planes
        planes.threshold.fill_(0.15)
        tops = torch.randint(4, config.planes + 1, (config.channels,))
        order = torch.arange(config.planes).expand(config.channels, -1)
        late = torch.arange(config.channels)[:, None] // 16
        chunk_of = (config.planes - 1 - order + late).clamp(max=config.chunks - 1)
        planes.chunk_of.copy_(torch.where(order < tops[:, None], chunk_of, config.chunks))
        planes.forget()
        planes.check()
    return network.requires_grad_(False).eval()


def latent_model(folder: Path, name: str = "tiny-latent", *, entropy: bool = True) -> Model:
    """The network in a weights file, with an untrained entropy model."""
    network = latent_network()
    tables = EmbeddedEntropyModel(network.planes, 16, 8).tables() if entropy else None
    path = folder / f"{name}.safetensors"
    save_model(path, network, {"made": "for tests"}, tables)
    return load_model(path)
