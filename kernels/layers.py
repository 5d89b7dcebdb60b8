"""The layers that kernels are compiled, tuned and timed for, at the sizes of a 768x512 picture."""

from __future__ import annotations

from typing import NamedTuple


class Layer(NamedTuple):
    """One cell: ``height`` and ``width`` are those of its output, before depth-to-space by ``factor``."""

    name: str
    inputs: int
    channels: int
    kernel: int
    hidden_kernel: int
    stride: int
    factor: int
    height: int
    width: int

    def sizes(self, *, state: bool = True, batch: int = 1) -> dict[str, int]:
        """What tells this layer apart in :func:`recodec.kernels.tuning.tiles_for`."""
        return {
            "pixels": batch * self.height * self.width,
            "channels": self.channels,
            "inputs": self.inputs,
            "kernel": self.kernel,
            "hidden_kernel": self.hidden_kernel if state else 0,
            "stride": self.stride,
            "factor": self.factor,
        }


# Toderici et al. 2017 at full width.
PAPER = (
    Layer("paper-encoder-1", 64, 256, 3, 1, 2, 1, 128, 192),
    Layer("paper-encoder-2", 256, 512, 3, 1, 2, 1, 64, 96),
    Layer("paper-encoder-3", 512, 512, 3, 1, 2, 1, 32, 48),
    Layer("paper-decoder-1", 512, 512, 2, 1, 1, 2, 32, 48),
    Layer("paper-decoder-2", 128, 512, 3, 1, 1, 2, 64, 96),
    Layer("paper-decoder-3", 128, 256, 3, 3, 1, 2, 128, 192),
    Layer("paper-decoder-4", 64, 128, 3, 3, 1, 2, 256, 384),
)

# With the 1×1 layer before it folded in: 32 features, ones, and what makes rows of whole words.
FOLDED = PAPER[3]._replace(name="paper-decoder-1-folded", inputs=48)

# rnn-1, whose cells are residual GRUs.
SHIPPED = (
    Layer("rnn-1-decoder-1", 96, 160, 3, 1, 1, 2, 32, 48),
    Layer("rnn-1-decoder-2", 104, 96, 3, 1, 1, 1, 64, 96),
)


class Linear(NamedTuple):
    """One 1×1 convolution of a later iteration; sizes are those of its input.

    ``channels`` is what comes out before depth-to-space by ``factor``.
    """

    operator: str
    name: str
    inputs: int
    channels: int
    height: int
    width: int
    factor: int = 1

    @property
    def masking(self) -> bool:
        """Whether a masking gain is made of what comes out: 64 coefficients of each of three colours."""
        return self.operator == "reconstruct" and self.channels == 192

    def sizes(self, batch: int = 1) -> dict[str, int]:
        """What tells this layer apart in :func:`recodec.kernels.tuning.tiles_for`."""
        sizes = {
            "pixels": batch * self.height * self.width,
            "channels": 64 if self.masking else self.channels,
            "inputs": self.inputs,
        }
        if self.operator == "projection":
            sizes["factor"] = self.factor
        if self.operator == "reconstruct":
            sizes["masking"] = int(self.masking)
        return sizes


LINEAR = (
    Linear("projection", "rnn-1-shortcut", 96, 768, 32, 48, 2),
    Linear("projection", "rnn-1-embedding", 96, 96, 32, 48),
    Linear("feedback", "rnn-1-feedback", 192, 64, 64, 96),
    Linear("reconstruct", "rnn-1-output", 96, 192, 64, 96),
    Linear("binarize", "rnn-1-binarizer", 768, 96, 32, 48),
    Linear("reconstruct", "paper-output", 32, 3, 512, 768),
    Linear("binarize", "paper-binarizer", 512, 32, 32, 48),
)
