"""The C++ core under AddressSanitizer and UndefinedBehaviorSanitizer, fed with damaged files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from recodec import _core
from recodec.container.attachments import encode_alpha
from tests.plane_files import PlaneFields, code_chunk, write_header

from .mutations import HOSTILE_COUNT, hostile_corpus, mutations
from .sanitized import run
from .stand_in import stand_in_coder, symbols

GOLDEN = Path(__file__).parent / "golden"
FUZZ_CORPUS = Path(__file__).parent / "fuzz" / "corpus"
MUTATED = 10_000
FUZZED = 3000


@pytest.fixture(scope="module")
def corpus_runner(programs: Path) -> Path:
    return programs / "corpus_runner"


def sample_files() -> list[bytes]:
    """Whole files of random codes, with every kind of chunk."""
    rng = np.random.default_rng(31)
    files = []
    shapes = [(1, 1, 16, 32), (61, 45, 16, 4), (33, 5, 4, 1), (40, 40, 8, 7)]
    adaptive = itertools.product(((1, 1), (1, 3)), shapes)
    # The network takes depths of multiples of 4.
    network = [((2, 1), (*shape[:3], -(-shape[3] // 4) * 4)) for shape in shapes]
    for (kind, version), (width, height, stride, depth) in (*adaptive, *network):
        header = PlaneFields()
        header.entropy, header.entropy_version = kind, version
        header.width, header.height, header.stride, header.depth = width, height, stride, depth
        header.model, header.colour, header.alpha = "sample", 1, 1
        grid = -(-height // stride), -(-width // stride)
        coder = stand_in_coder(kind, version, depth, *grid)
        ternary = symbols(depth) == 3 if kind == 2 else version == 3
        choices = np.array([-1, 0, 0, 1] if ternary else [-1, 1], np.int8)
        alpha = encode_alpha(rng.integers(0, 256, (height, width), np.uint8))
        data = write_header(header) + metadata(2, rng.bytes(20)) + metadata(3, alpha)
        for _ in range(3):
            data += code_chunk(*coder.encode(rng.choice(choices, (depth, *grid))))
            data += _core.write_chunk(77, b"unknown")
        files.append(data + metadata(4, b"Exif") + metadata(5, b"XMP") + _core.write_chunk(0, b"\x03"))
    return files


def metadata(kind: int, content: bytes) -> bytes:
    crc = _core.crc32c(content, _core.crc32c(bytes([kind])))
    return _core.write_chunk(kind, crc.to_bytes(4, "little") + content)


def golden_files(kind: str) -> list[Path]:
    paths = sorted((GOLDEN / kind).glob("*.rcd"))
    assert paths
    return paths


def counts(runner: Path, *paths: Path) -> tuple[int, int]:
    """Numbers of files decoded and rejected."""
    decoded, _, rejected, _ = run(runner, *paths).stdout.split()
    return int(decoded), int(rejected)


def run_corpus(runner: Path, folder: Path, files: list[bytes]) -> tuple[int, int]:
    folder.mkdir()
    for i, data in enumerate(files):
        (folder / f"{i:05d}.rcd").write_bytes(data)
    return counts(runner, folder)


def test_golden_files(corpus_runner: Path) -> None:
    bad = golden_files("bad")
    # Without their model's order of planes, codes are others than checksums say; and there are files without codes.
    embedded = [
        path
        for path in golden_files("good")
        if path.stem.startswith(("latent", "short", "lossless")) and path.stem != "lossless-preview"
    ]
    good = [path for path in golden_files("good") if path not in embedded]
    assert counts(corpus_runner, *good) == (len(good), 0)
    assert counts(corpus_runner, *embedded) == (0, len(embedded))
    # Without a model, a file of an unknown one is as sound as any, and so is what zlib alone can tell.
    expected = json.loads((GOLDEN / "expected.json").read_text())["bad"]
    inflated = {"alpha-too-few-rows", "alpha-not-deflated"}
    sound = [path for path in bad if expected[path.stem] == "WeightsError" or path.stem in inflated]
    rejected = [path for path in bad if path not in sound]
    assert counts(corpus_runner, *rejected) == (0, len(rejected))
    # The folder as CONTRIBUTING.md has it: the files lie deeper, beside others.
    assert counts(corpus_runner, GOLDEN) == (len(good) + len(sound), len(embedded) + len(rejected))


# What every machine prints; new coders add lines, and none ever changes.
CONFORMANCE = """\
binary, adaptive        142848 codes  83514f06
ternary, adaptive       124992 codes  9d240193
binary, network         142848 codes  d6ce5266
ternary, network        124992 codes  87d070eb
embedded, adaptive      150288 codes  a34af1d3
embedded, network       150288 codes  699d9d9f
strip, fast, 8, photo              5208 samples  e047da9a
strip, fast, 8, drawn              5208 samples  dad60a29
strip, fast, 8, palette            5208 samples  64a4c99a
strip, fast, 16, photo             5208 samples  34c678a0
strip, fast, 16, drawn             5208 samples  1e916f93
strip, fast, 16, palette           5208 samples  5ebe283b
strip, default, 8, photo           5208 samples  0fc8f67a
strip, default, 8, drawn           5208 samples  45652e2a
strip, default, 8, palette         5208 samples  70c6976f
strip, default, 16, photo          5208 samples  7b840dc0
strip, default, 16, drawn          5208 samples  a6bd66ee
strip, default, 16, palette        5208 samples  76968872
strip, best, 8, photo              5208 samples  9a5442dd
strip, best, 8, drawn              5208 samples  89af5369
strip, best, 8, palette            5208 samples  fcbaa8c3
strip, best, 16, photo             5208 samples  bd79fb06
strip, best, 16, drawn             5208 samples  a86b0138
strip, best, 16, palette           5208 samples  205f0a4b
"""


def test_instructions_and_threads_make_what_other_machines_make(programs: Path) -> None:
    assert run(programs / "conformance").stdout == CONFORMANCE


def test_a_run_without_files_is_wrong_usage(corpus_runner: Path, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"no file of ours")
    for paths in ([], [tmp_path]):
        assert "usage" in run(corpus_runner, *paths, code=2).stderr


def test_whole_files_and_their_truncations(corpus_runner: Path, tmp_path: Path) -> None:
    files = sample_files()
    assert run_corpus(corpus_runner, tmp_path / "whole", files) == (len(files), 0)
    # One of each version.
    cut = [file[:size] for file in (files[1], files[5], files[9]) for size in range(len(file))]
    decoded, rejected = run_corpus(corpus_runner, tmp_path / "cut", cut)
    assert decoded > 0
    assert decoded + rejected == len(cut)


def test_mutated_files(corpus_runner: Path, tmp_path: Path) -> None:
    files = sample_files() + [path.read_bytes() for path in golden_files("good") + golden_files("bad")]
    decoded, rejected = run_corpus(
        corpus_runner, tmp_path / "mutated", list(mutations(files, MUTATED, seed=1))
    )
    assert decoded + rejected == MUTATED
    # Repaired files must get as far as the entropy decoder, and not all damage can be repaired.
    assert decoded > MUTATED // 20
    assert rejected > MUTATED // 4


def test_the_corpus_of_the_python_surface(corpus_runner: Path, tmp_path: Path) -> None:
    decoded, rejected = run_corpus(corpus_runner, tmp_path / "hostile", list(hostile_corpus()))
    assert decoded + rejected == HOSTILE_COUNT
    assert decoded > HOSTILE_COUNT // 20


def fuzzed(program: Path, *options: str | Path) -> tuple[int, int]:
    """Numbers of executions and of those that decoded."""
    words = run(program, *options, GOLDEN, FUZZ_CORPUS).stdout.split()
    return int(words[0]), int(words[2])


@pytest.mark.parametrize(("name", "count"), [("fuzzer", FUZZED), ("strip_fuzzer", FUZZED // 3)])
def test_fuzzer(programs: Path, name: str, count: int) -> None:
    program = programs / name
    executions, decoded = fuzzed(program, "--executions", str(count), "--seed", "20")
    assert executions == count
    # Neither all that is damaged is rejected, nor everything accepted.
    assert count // 10 < decoded < count - count // 10
    # An execution depends on its number, so that the last part of a run can be repeated alone.
    first, last = (
        fuzzed(program, "--executions", "100", "--seed", "20", "--first", start) for start in ("0", "100")
    )
    assert first[1] + last[1] == fuzzed(program, "--executions", "200", "--seed", "20")[1]


@pytest.mark.parametrize("name", ["fuzzer", "strip_fuzzer"])
def test_a_fuzzer_without_files_is_wrong_usage(programs: Path, name: str, tmp_path: Path) -> None:
    assert "usage" in run(programs / name, "--executions", "1", tmp_path, code=2).stderr
