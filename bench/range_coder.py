"""Range coder against constriction: same arrays, one process, runs interleaved, answers checked first.

constriction is called the fastest way it offers for one exact probability per bit: a ``Categorical``
family over N x 2 float32 probabilities, compiled code over whole arrays on both sides.

    python bench/range_coder.py [--out PATH]
"""

from __future__ import annotations

import importlib.metadata
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import constriction
import numpy as np

import options
import result_file
from recodec import _core

BITS = 1 << 20
DECODE_BAR, ENCODE_BAR = 4.0, 3.0


def distributions(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Probabilities of a one in units of 2^-16: no skew, any skew, mostly certain bits."""
    draws = {
        "near-half": rng.normal(32768, 2000, BITS),
        "uniform": rng.integers(1, 65536, BITS),
        "confident": 65536 * rng.beta(0.2, 0.2, BITS),
    }
    return {name: np.clip(p, 1, 65535).astype(np.uint16) for name, p in draws.items()}


class Recodec:
    def __init__(self, bits: np.ndarray, probabilities: np.ndarray) -> None:
        self.bits, self.probabilities = bits.astype(np.uint8), probabilities

    def encode(self) -> bytes:
        return _core.range_encode(self.bits, self.probabilities)

    def decode(self, data: bytes) -> np.ndarray:
        return _core.range_decode(data, self.probabilities)


class Constriction:
    def __init__(self, bits: np.ndarray, probabilities: np.ndarray) -> None:
        one = probabilities.astype(np.float32) / np.float32(65536)
        self.bits, self.probabilities = bits.astype(np.int32), np.stack([1 - one, one], axis=1)
        self.family = constriction.stream.model.Categorical(perfect=False)

    def encode(self) -> Any:
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(self.bits, self.family, self.probabilities)
        return encoder.get_compressed()

    def decode(self, data: Any) -> Any:
        return constriction.stream.queue.RangeDecoder(data).decode(self.family, self.probabilities)


def interleaved(calls: list[Callable[[], object]], repeats: int) -> list[list[float]]:
    """CPU seconds of each call, taken in turns so that a busy machine disturbs all alike."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, record in zip(calls, seconds, strict=True):
            start = time.process_time()
            call()
            record.append(time.process_time() - start)
    return seconds


def measure(name: str, probabilities: np.ndarray, rng: np.random.Generator, repeats: int) -> dict[str, Any]:
    bits = rng.random(BITS) * 65536 < probabilities
    coders: list[Recodec | Constriction] = [Recodec(bits, probabilities), Constriction(bits, probabilities)]
    data: list[Any] = [coder.encode() for coder in coders]
    match = all(np.array_equal(c.decode(d), c.bits) for c, d in zip(coders, data, strict=True))

    p = probabilities / 65536
    ideal = float(-np.log2(np.where(bits, p, 1 - p)).sum() / 8)
    result: dict[str, Any] = {
        "distribution": name,
        "match": match,
        "bytes": [memoryview(d).nbytes for d in data],
        "ideal_bytes": ideal,
    }
    operations: dict[str, list[Callable[[], object]]] = {
        "encode": [c.encode for c in coders],
        "decode": [partial(c.decode, d) for c, d in zip(coders, data, strict=True)],
    }
    for operation, calls in operations.items():
        interleaved(calls, 1)  # warm caches and allocator
        ns = [[s / BITS * 1e9 for s in run] for run in interleaved(calls, repeats)]
        medians = [statistics.median(run) for run in ns]
        result[operation] = {
            "ns_per_bit": medians,
            "spread_ns": [max(run) - min(run) for run in ns],
            "ratio": medians[1] / medians[0],
        }
    return result


def report(result: dict[str, Any]) -> bool:
    """One distribution on three lines, the match first; true if it matched and both bars hold."""
    ours, theirs = result["bytes"]
    print(f"{result['distribution']:10s} match {'yes' if result['match'] else 'NO'}   "
          f"bytes {ours} against {theirs}, ideal {result['ideal_bytes']:.1f}")  # fmt: skip
    passed = bool(result["match"])
    for operation, bar in (("encode", ENCODE_BAR), ("decode", DECODE_BAR)):
        timing = result[operation]
        (a, b), (da, db) = timing["ns_per_bit"], timing["spread_ns"]
        print(f"  {operation}  recodec {a:6.2f} ns/bit (spread {da:.2f})   "
              f"constriction {b:6.2f} ns/bit (spread {db:.2f})   {timing['ratio']:.2f}x, bar {bar:g}x")  # fmt: skip
        passed &= timing["ratio"] >= bar
    return passed


@click.command()
@options.repeats(9, least=7)
@options.out
def main(repeats: int, out: Path | None) -> None:
    """Time both coders on the same arrays; fails where an answer is wrong or a bar is missed."""
    rng = np.random.default_rng(20)
    results, passed = [], True
    for name, probabilities in distributions(rng).items():
        results.append(measure(name, probabilities, rng, repeats))
        passed &= report(results[-1])
    print("all bars hold" if passed else "A BAR IS MISSED")
    found = {"bits": BITS, "repeats": repeats, "passed": passed, "results": results}
    result_file.write(out, {**found, "constriction": importlib.metadata.version("constriction")})
    if not passed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
