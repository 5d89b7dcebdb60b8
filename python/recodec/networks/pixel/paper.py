"""The networks of Toderici et al. 2017, figure 1."""

from __future__ import annotations

from recodec.networks.pixel.config import LayerConfig, LayerKind, NetworkConfig, Reconstruction


def paper_config(
    cell: LayerKind = "lstm",
    reconstruction: Reconstruction = "one-shot",
    *,
    width: float = 1.0,
    first_kernel: int = 2,
    hidden_kernel: int | None = None,
) -> NetworkConfig:
    """The paper's network with one kind of cell.

    ``width`` scales every layer, 1 being full size (30.2 M parameters with LSTM cells). The decoder's
    first cell has a 2×2 input kernel (``first_kernel``); re-implementations use 3. ``hidden_kernel``
    replaces the paper's 1×1 and 3×3 hidden kernels by one size, as Johnston et al. 2018 do with 3.
    An associative LSTM goes into the decoder alone.
    """

    def scaled(full: int) -> int:
        # Depth-to-space by 2 wants multiples of 4, complex units of 2.
        return max(4, 4 * round(full * width / 4))

    def hidden(size: int) -> int:
        return hidden_kernel or size

    in_encoder: LayerKind = "lstm" if cell == "associative-lstm" else cell
    return NetworkConfig(
        depth=32,
        iterations=16,
        reconstruction=reconstruction,
        front_end="pixels",
        encoder=(
            LayerConfig("conv", scaled(64), 3, resample=2),
            LayerConfig(in_encoder, scaled(256), 3, hidden(1), resample=2),
            LayerConfig(in_encoder, scaled(512), 3, hidden(1), resample=2),
            LayerConfig(in_encoder, scaled(512), 3, hidden(1), resample=2),
        ),
        decoder=(
            LayerConfig("conv", scaled(512), 1),
            LayerConfig(cell, scaled(512), first_kernel, hidden(1), resample=2),
            LayerConfig(cell, scaled(512), 3, hidden(1), resample=2),
            LayerConfig(cell, scaled(256), 3, hidden(3), resample=2),
            LayerConfig(cell, scaled(128), 3, hidden(3), resample=2),
        ),
    )
