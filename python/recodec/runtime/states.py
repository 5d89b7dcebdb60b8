"""What the networks carry from iteration to iteration, for every tile of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from recodec.limits import too_much_memory
from recodec.networks.plane_network import PlaneNetwork
from recodec.ops.backend import Backend, carried_type, use_backend
from recodec.runtime.ambient import inference
from recodec.runtime.graphs import GraphCache

# Positions in the largest window of tiles that encoders cut, for which room is reserved in any case.
_USUAL_WINDOW = 96 * 96
# What computing a window takes, in sizes of its state: 4 to 8 with all released models.
_STATES_AT_WORK = 8


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where networks run, in which number type, on how many equal tiles at once, and by which operators.

    ``max_memory`` bounds the bytes in use; ``reserved`` of them are not for what is kept of all tiles from
    iteration to iteration. With ``graphs``, what is computed in one go is captured and replayed.
    """

    device: torch.device
    dtype: torch.dtype
    batch: int = 1
    max_memory: int = 1 << 62
    reserved: int = 0
    backend: Backend = "auto"
    graphs: GraphCache | None = None

    def run(self, name: str, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """What ``function``, a run of the networks that nobody needs to interrupt, makes of tensors."""
        with use_backend(self.backend):
            return function(*inputs) if self.graphs is None else self.graphs.run(name, function, *inputs)


@inference()
def state_sizes(network: PlaneNetwork, place: Workplace) -> dict[str, int]:
    """Numbers per position in the states of "encoder" and "decoder", from running both on one position."""
    side = network.stride
    pixels = torch.zeros(1, 3, side, side, device=place.device, dtype=carried_type(place.dtype))
    with use_backend(place.backend):
        codes, encoder = network.encode_step(network.analyse(pixels), None, None)
        return {"encoder": _count(encoder), "decoder": _count(network.decode_step(codes, None))}


def with_window(network: PlaneNetwork, positions: int, place: Workplace) -> Workplace:
    """The place with room reserved to compute a window of so many positions, as files may ask for.

    Raises :class:`LimitError` if there is none.
    """
    more = positions - _USUAL_WINDOW
    if more <= 0:
        return place
    state = state_sizes(network, place)["decoder"] * torch.float32.itemsize
    reserved = place.reserved + more * _STATES_AT_WORK * state
    if reserved > place.max_memory:
        raise too_much_memory(reserved, place.max_memory)
    return replace(place, reserved=reserved)


class StateStore:
    """States of groups of tiles, by side.

    ``areas`` are the positions in each group, ``sides`` are "encoder", "decoder" or both. Each side
    lies in one block of memory that is taken once: thousands of states that come and go would leave holes
    in the heap as large as themselves. They are kept in float32, in half precision where ``place`` does not leave
    room for it; steps are computed as ever.
    """

    def __init__(self, network: PlaneNetwork, areas: Sequence[int], sides: Sequence[str], place: Workplace):
        self._network, self._sides, self._place = network, sides, place
        self._sizes: dict[str, int] = {}
        self._starts = list(accumulate(areas, initial=0))
        self._blocks: dict[str, Tensor] = {}
        # States without their values.
        self._shapes: dict[tuple[str, int], Any] = {}
        # Of a single group, as it came.
        self._whole: dict[str, Any] = {}

    def get(self, side: str, group: int) -> Any:
        """The state of one side, None before the first iteration."""
        if side in self._whole:
            return self._whole[side]
        shapes = self._shapes.get((side, group))
        return None if shapes is None else map_state(shapes, self._parts(side, group, self._load))

    def put(self, side: str, group: int, state: Any) -> None:
        """Keep a state. Raises :class:`LimitError` if there is no room for those of all groups."""
        # Not before: decoding in one go keeps no states.
        if not self._sizes:
            sizes = state_sizes(self._network, self._place)
            self._sizes = {side: sizes[side] for side in self._sides}
            self._storage = self._choose_storage()
        if len(self._starts) == 2 and self._storage == carried_type(self._place.dtype):
            self._whole[side] = state
            return
        if side not in self._blocks:
            count = self._starts[-1] * self._sizes[side]
            self._blocks[side] = torch.empty(count, dtype=self._storage, device=self._place.device)
        self._shapes[side, group] = map_state(state, self._parts(side, group, self._save))

    def _parts(
        self, side: str, group: int, move: Callable[[Tensor, Tensor], Tensor]
    ) -> Callable[[Tensor], Tensor]:
        """Pair the tensors of a state, one after the other, with their places in the block."""
        position = self._starts[group] * self._sizes[side]

        def visit(tensor: Tensor) -> Tensor:
            nonlocal position
            place = self._blocks[side][position : position + tensor.numel()].view(tensor.shape)
            position += tensor.numel()
            return move(tensor, place)

        return visit

    def _load(self, tensor: Tensor, place: Tensor) -> Tensor:
        return place.to(tensor.dtype)

    def _save(self, tensor: Tensor, place: Tensor) -> Tensor:
        place.copy_(tensor)
        return tensor.to("meta")

    def _choose_storage(self) -> torch.dtype:
        numbers = self._starts[-1] * sum(self._sizes.values())
        for dtype in (carried_type(self._place.dtype), torch.float16):
            needed = self._place.reserved + numbers * dtype.itemsize
            if needed <= self._place.max_memory:
                return dtype
        raise too_much_memory(needed, self._place.max_memory)


def map_state(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A state with every tensor changed, in order."""
    if isinstance(state, Tensor):
        return change(state)
    if isinstance(state, tuple):
        parts = [map_state(part, change) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state


def _count(state: Any) -> int:
    total = 0

    def visit(tensor: Tensor) -> Tensor:
        nonlocal total
        total += tensor.numel()
        return tensor

    map_state(state, visit)
    return total
