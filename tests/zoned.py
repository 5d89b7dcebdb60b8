"""A small network with everything that came with dead zones."""

from __future__ import annotations

from recodec.networks.pixel.config import LayerConfig, NetworkConfig

ZONED = NetworkConfig(
    depth=8,
    iterations=4,
    reconstruction="masking",
    front_end="dct8",
    encoder=(),
    decoder=(LayerConfig("lstm", 12, resample=2), LayerConfig("gru", 12)),
    gains=True,
    shortcut=True,
    own_projections=True,
    dead_zone=True,
    embedding=6,
    feedback=4,
)
