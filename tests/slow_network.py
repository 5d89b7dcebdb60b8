"""The slow decoder of the entropy network, FORMAT.md, section 10, in integers of 64 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from .slow_coder import LEAST, RangeDecoder, clamp, logistic, round_shift

ACTIVATION_LIMIT = 4095
CAUSAL = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
STATE = tuple(product((-1, 0, 1), repeat=2))


@dataclass(frozen=True)
class Sum:
    """Sums, and those of the magnitudes of their terms: no order of summation goes beyond."""

    value: np.ndarray
    magnitude: np.ndarray

    @classmethod
    def of(cls, term: np.ndarray) -> Sum:
        return cls(term, np.abs(term))

    @classmethod
    def product(cls, x: np.ndarray, matrix: np.ndarray) -> Sum:
        return cls(x @ matrix.T, np.abs(x) @ np.abs(matrix).T)

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.value + other.value, self.magnitude + other.magnitude)

    def __getitem__(self, at: object) -> Sum:
        return Sum(self.value[at], self.magnitude[at])

    def __lshift__(self, bits: int) -> Sum:
        return Sum(self.value << bits, self.magnitude << bits)


class NetworkDecoder:
    """Decodes the planes of one image in order.

    ``said`` holds the bits of the plane decoded last with their probabilities, ``largest`` the largest sum
    of magnitudes so far, which must fit 32 bits.
    """

    def __init__(self, depth: int, height: int, width: int, tables: Mapping[str, np.ndarray]) -> None:
        self.tables = {name: np.asarray(table).astype(np.int64) for name, table in tables.items()}
        self.depth, self.height, self.width = depth, height, width
        self.iterations, _, self.embedding_width = self.tables["embedding"].shape
        self.kinds = self.tables["output"].shape[1] // depth
        self.groups = int(self.tables["groups"].item())
        self.iteration = 0
        self.state: np.ndarray | None = None
        self.said: list[tuple[int, int]] = []
        self.largest = 0

    def of(self, name: str) -> np.ndarray:
        """The part of a tensor that belongs to the iteration being decoded."""
        return self.tables[name][min(self.iteration, self.iterations - 1)]

    def fitting(self, sums: Sum) -> np.ndarray:
        self.largest = max(self.largest, int(sums.magnitude.max()))
        assert self.largest < 1 << 31
        return sums.value

    def decode(self, data: bytes) -> list[int]:
        """Codes of the next plane in coding order."""
        decoder, self.said = RangeDecoder(data), []
        codes = np.zeros((self.height, self.width, self.depth), np.int64)
        # One position more on every side, which is outside the plane and stays 0.
        embedded = np.zeros((self.height + 2, self.width + 2, self.embedding_width), np.int64)
        for y, x in product(range(self.height), range(self.width)):
            hidden = Sum.of(4 * self.of("hidden_bias"))
            for (dy, dx), matrix in zip(CAUSAL, self.tables["causal"], strict=True):
                hidden += Sum.product(embedded[y + 1 + dy, x + 1 + dx], matrix)
            if self.state is not None:
                hidden += Sum.product(self.state[y, x], self.tables["former"])
            codes[y, x] = self.decode_position(decoder, hidden)
            embedded[y + 1, x + 1] = self.embed(codes[y, x])
        self.state = self.next_state(embedded)
        self.iteration += 1
        return codes.ravel().tolist()

    def decode_position(self, decoder: RangeDecoder, hidden: Sum) -> list[int]:
        codes = [0] * self.depth
        own, direct = self.of("own"), self.of("direct")
        output, bias = self.of("output"), Sum.of(4 * self.of("output_bias"))
        own_sum = Sum.of(np.zeros(len(self.tables["former"]), np.int64))
        direct_sum = Sum.of(np.zeros(self.kinds * self.depth, np.int64))
        share = self.depth // self.groups
        for d in range(self.depth):
            if d % share == 0:
                sums = self.fitting(hidden + (own_sum << 9))
                activation = np.clip(round_shift(sums, 6), 0, ACTIVATION_LIMIT)
                logits = bias + Sum.product(activation, output)
            # Bit d, and with three symbols bit depth + d if the first is 1.
            for at in range(d, self.kinds * self.depth, self.depth):
                bit = self.bit(decoder, int(self.fitting(logits[at] + (direct_sum[at] << 9))))
                codes[d] = 0 if at < (self.kinds - 1) * self.depth else 1 if bit else -1
                if not bit:
                    break
            if codes[d] != 0:
                row = d if codes[d] < 0 else self.depth + d
                own_sum += Sum.of(own[row])
                direct_sum += Sum.of(direct[row])
        assert max(own_sum.magnitude.max(), direct_sum.magnitude.max()) < 1 << 15
        return codes

    def bit(self, decoder: RangeDecoder, total: int) -> int:
        p = clamp(logistic(round_shift(total, 2)), LEAST, 65536 - LEAST)
        bit = decoder.decode(p)
        self.said.append((bit, p))
        return bit

    def embed(self, codes: np.ndarray) -> np.ndarray:
        signs = np.concatenate([codes < 0, codes > 0]).astype(np.int64)
        rows = Sum.product(signs, self.of("embedding").T)
        sums = self.fitting(Sum.of(self.of("embedding_bias")) + (rows << 7))
        return np.clip(round_shift(sums, 4), -ACTIVATION_LIMIT, ACTIVATION_LIMIT)

    def next_state(self, embedded: np.ndarray) -> np.ndarray:
        sums = Sum.of(4 * self.of("state_bias"))
        for (dy, dx), matrix in zip(STATE, self.tables["state"], strict=True):
            around = embedded[1 + dy : 1 + dy + self.height, 1 + dx : 1 + dx + self.width]
            sums += Sum.product(around, matrix)
        if self.state is not None:
            sums += Sum.product(self.state, self.tables["recurrence"])
        return np.clip(round_shift(self.fitting(sums), 6), 0, ACTIVATION_LIMIT)
