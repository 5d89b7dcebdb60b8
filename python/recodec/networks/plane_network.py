"""What everything outside a network's own folder knows of it, if pictures can be coded with it plane by plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias

import torch
from torch import Tensor

# Tensors in nested (named) tuples, and numbers; each network has its own.
State: TypeAlias = Any

# Codes of an iteration, counted from 0, from what the encoder makes of it.
Choose = Callable[[Tensor, int], Tensor]


class Reach(NamedTuple):
    """How far around a position codes (``encoder``) and pixels shown (``decoder``) depend on others, in positions.

    At most what a tile's halo may be: 16 and 8. What lies beyond would cost more than the seam it hides.
    """

    encoder: int
    decoder: int


class PlaneOrder(NamedTuple):
    """Embedded planes: the chunk (channels, planes) that each plane of a latent is sent in, ``chunks`` for none."""

    chunk_of: Tensor
    chunks: int


class PlaneNetwork(Protocol):
    """A network whose encoder gives planes of codes, iteration by iteration, and whose decoder takes them.

    Holds weights only: all state is passed in and out, so one instance serves many threads. Pixels are
    (N, 3, h·stride, w·stride) floats in [−0.5, 0.5], codes (N, depth, h, w) of −1, +1 and, with three ``symbols``, 0;
    those of embedded planes are (N, codes, h, w).
    """

    # Key of the registry, and how names of tensors begin that decoding depends on.
    architecture: ClassVar[str]
    decoder_tensors: ClassVar[tuple[str, ...]]

    @property
    def stride(self) -> int:
        """Pixels per position along each axis."""

    @property
    def depth(self) -> int:
        """Codes per position and iteration."""

    @property
    def order(self) -> PlaneOrder | None:
        """Of embedded planes, whose codes in each iteration are what the order says; None for ``depth`` codes each."""

    @property
    def seamless(self) -> bool:
        """Whether steps look at no other position and the encoder at nothing decoded.

        Only analysis and synthesis of such networks are ever cut into tiles.
        """

    @property
    def symbols(self) -> int:
        """2 or 3 values of a code."""

    @property
    def iterations(self) -> int:
        """The most iterations a file may hold."""

    def codes_in(self, iteration: int) -> int:
        """Codes per position in an iteration, counted from 0."""

    @property
    def reach(self) -> Reach:
        """What a tile's halo must cover."""

    def analyse(self, pixels: Tensor) -> Tensor:
        """Pixels to what the encoder works on, once for every picture."""

    def least_error(self, pixels: Tensor) -> float:
        """About the mean squared error that stays, however many iterations; 0 where that is not known."""

    def encode_step(
        self, target: Tensor, state: State, decoded: State, choose: Choose | None = None
    ) -> tuple[Tensor, State]:
        """Codes of one iteration, and what the encoder carries to the next; states None before the first.

        ``target`` is what :meth:`analyse` gave, ``decoded`` what :meth:`decode_step` gave last. ``choose`` replaces
        how codes of files are chosen, for training.
        """

    def decode_step(self, codes: Tensor, decoded: State) -> State:
        """What is decoded after one more iteration; ``decoded`` None before the first."""

    def synthesise(self, decoded: State) -> Tensor:
        """What is decoded so far as pixels for the eye, not clamped; whenever a picture is shown."""

    def compute_in(self, dtype: torch.dtype) -> Self:
        """Let the layers work in ``dtype``, float32 or narrower; returns the same network."""

    def for_kernels(self) -> Self:
        """The same network as kernels compute it fastest, for inference; perhaps itself."""

    def to(self, device: torch.device) -> Self:
        """On a device; returns the same network."""
