"""The one loop: an encoder and a decoder that take turns, iteration by iteration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from recodec.networks.plane_network import Choose, PlaneNetwork, State


def iterate(
    network: PlaneNetwork,
    target: Tensor,
    iterations: int,
    choose: Choose | None = None,
    *,
    decode_last: bool = True,
) -> Iterator[tuple[Tensor, State]]:
    """Codes of each iteration, and what is decoded after it.

    ``target`` is what :meth:`PlaneNetwork.analyse` makes of pixels; ``choose`` as for
    :meth:`PlaneNetwork.encode_step`. Without ``decode_last`` the last state is None. Each iteration is computed when it
    is asked for, with gradients if they are on then.
    """
    state: State = None
    decoded: State = None
    for iteration in range(iterations):
        codes, state = network.encode_step(target, state, decoded, choose)
        decoded = network.decode_step(codes, decoded) if decode_last or iteration < iterations - 1 else None
        yield codes, decoded


def decode(network: PlaneNetwork, planes: Iterable[Tensor]) -> State:
    """What is decoded after all ``planes``, each (N, depth, h, w); None if there are none."""
    decoded: State = None
    for codes in planes:
        decoded = network.decode_step(codes, decoded)
    return decoded
