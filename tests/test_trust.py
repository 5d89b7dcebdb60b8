"""What people must be able to rely on: killed, repeated and moved to other machines, it does no harm.

``RECODEC_KILLS``, ``RECODEC_ROUND_TRIPS`` and ``RECODEC_MIXED_DECODES`` set how many of each are done; the full numbers
are 200, 1000 and 2000.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec

from .conftest import GOLDEN
from .golden.make import codes_digest, samples_digest

EXPECTED = json.loads((GOLDEN / "expected.json").read_text())["good"]
KILLS = int(os.environ.get("RECODEC_KILLS", "8"))
ROUND_TRIPS = int(os.environ.get("RECODEC_ROUND_TRIPS", "300"))
MIXED_DECODES = int(os.environ.get("RECODEC_MIXED_DECODES", "400"))


def photograph(box: tuple[int, int, int, int] = (200, 80, 520, 300)) -> Image.Image:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as image:
        return image.convert("RGB").crop(box)


def run_python(code: str, *arguments: object, **environment: str) -> str:
    """Standard output of a process of its own, with the test-only model at hand."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "RECODEC_WEIGHTS": str(GOLDEN), "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- kill -9

_COMMAND = """
import os
os.environ["RECODEC_WEIGHTS"] = {weights!r}
from recodec.cli import main
main({arguments!r})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
def test_kill_leaves_no_partial_file(tmp_path: Path) -> None:
    """SIGKILL at random moments of ``recodec encode``: what has an output's name is a whole file."""
    sources, coded = tmp_path / "sources", tmp_path / "coded"
    sources.mkdir()
    coded.mkdir()
    number = 12
    for index in range(number):
        photograph((200 + index, 80, 360 + index, 200)).save(sources / f"{index}.png")
    inputs = sorted(map(str, sources.iterdir()))
    arguments = ["encode", *inputs, "--output-dir", str(coded), "--model", "tiny", "--iterations", "8", "-q"]
    code = _COMMAND.format(weights=str(GOLDEN), arguments=arguments)
    # A fork of a process that has torch imported: all else would be waiting for that.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["recodec.api", "recodec.cli", "torch._dynamo"])

    def start() -> Any:
        process = context.Process(target=exec, args=(code,))
        process.start()
        return process

    def finish() -> float:
        begin = time.monotonic()
        process = start()
        process.join(120)
        assert process.exitcode == 0
        return time.monotonic() - begin

    finish()  # the first one waits for the server
    for path in coded.iterdir():
        path.unlink()
    duration = finish()
    whole = {path.name: path.read_bytes() for path in coded.iterdir()}
    assert len(whole) == number

    rng = random.Random(1)
    killed = interrupted = 0
    while killed < KILLS:
        for path in coded.glob("*.rcd"):
            path.unlink()
        process = start()
        time.sleep(rng.uniform(0, duration))
        if killed % 2:
            # Not at once, but while a file is being written, which is a short moment.
            before = os.listdir(coded)
            while process.exitcode is None and os.listdir(coded) == before:
                pass
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        outputs = sorted(coded.glob("*.rcd"))
        interrupted += 0 < len(outputs) < number
        for path in outputs:
            assert path.read_bytes() == whole[path.name]
        # A shell's * does not find what may be left, and its name is not that of a picture.
        for path in set(coded.iterdir()) - set(outputs):
            assert path.name.startswith(".recodec-")
            assert path.suffix == ".tmp"

    stale = set(coded.glob(".*"))
    finish()
    assert {path.name: path.read_bytes() for path in coded.glob("*.rcd")} == whole
    assert set(coded.glob(".*")) == stale
    print(f"{killed} kills, {interrupted} with some outputs done, {len(stale)} temporary files left")


# --- full disk

_FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from recodec.cli import main
main(sys.argv[2:], standalone_mode=False)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit on the size of files")
def test_a_full_disk_leaves_no_partial_file(tiny_model: str, tmp_path: Path) -> None:
    """What a file system takes no more of in the middle of a file, here by a limit, is not there at all."""
    sources, coded = tmp_path / "sources", tmp_path / "coded"
    sources.mkdir()
    coded.mkdir()
    boxes = {"large": (100, 50, 700, 450), "small": (200, 80, 232, 112), "there": (100, 50, 700, 450)}
    for name, box in boxes.items():
        photograph(box).save(sources / f"{name}.png")
    arguments = ("encode", sources, "--output-dir", coded, "--model", "tiny", "--iterations", "8", "--json")
    run_python(_FULL_DISK, 1 << 30, *arguments)
    whole = {path.name: path.read_bytes() for path in coded.iterdir()}
    (coded / "large.rcd").unlink()
    (coded / "small.rcd").unlink()
    assert len(whole["small.rcd"]) < 2000 < len(whole["large.rcd"])
    found = {
        Path(r["file"]).stem: r
        for r in map(json.loads, run_python(_FULL_DISK, 2000, *arguments).splitlines())
    }
    for name in ("large", "there"):
        assert found[name]["error"] == "OutputError"
        assert "cannot be written: File too large" in found[name]["message"]
    del whole["large.rcd"]
    assert {path.name: path.read_bytes() for path in coded.iterdir()} == whole


# --- memory

_ROUND_TRIPS = """
import random, resource, sys
import numpy as np
import recodec

count = int(sys.argv[1])
rng, noise = random.Random(2), np.random.default_rng(2)
codec = recodec.load("tiny")
resident = []
for number in range(count):
    shape = rng.randint(1, 96), rng.randint(1, 96), rng.choice((1, 3))
    data = codec.encode(noise.integers(0, 256, shape, dtype=np.uint8), iterations=rng.randint(1, 8))
    assert codec.decode(data, like="numpy").shape == shape
    if (number + 1) % (count // 10) == 0:
        with open("/proc/self/statm") as file:
            resident.append(int(file.read().split()[1]) * resource.getpagesize() / 2**20)
print(*resident)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_does_not_grow() -> None:
    """Resident memory after a fifth of the round trips and after all of them, in MiB."""
    resident = [float(word) for word in run_python(_ROUND_TRIPS, ROUND_TRIPS).split()]
    print("MiB resident after each tenth:", *(f"{value:.1f}" for value in resident))
    assert resident[-1] - resident[1] < 4


_MIXED_DECODES = """
import gc, io, os, random, resource, sys, warnings
from pathlib import Path
import recodec, recodec.pillow
from PIL import Image
from recodec import _core

count = int(sys.argv[1])
rng = random.Random(3)
warnings.simplefilter("ignore")
# But for the one with the default model, which takes tens of MiB for as long as it is among the last that were used.
names = [path for path in sorted(Path(sys.argv[2]).glob("*.rcd")) if path.stem != "short-header"]
files = [path.read_bytes() for path in names if path.stat().st_size < 20_000]

def load(data):
    with Image.open(io.BytesIO(data), formats=["RECODEC"]) as image:
        image.load()

ways = [
    lambda data: recodec.decode(data, like=rng.choice(("pil", "numpy", "torch"))),
    lambda data: recodec.decode(data, iterations=1),
    lambda data: list(recodec.progressive(io.BytesIO(data))),
    recodec.verify,
    recodec.info,
    load,
]
done, resident, descriptors = 0, [], set()
for number in range(count):
    data = rng.choice(files)
    if rng.random() < 0.3:
        data = data[: rng.randrange(len(data) + 1)]
    if rng.random() < 0.2:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.randbytes(4) + data[at + 4 :]
    try:
        rng.choice(ways)(data)
        done += 1
    except (recodec.RecodecError, OSError, Image.DecompressionBombError):
        pass
    if (number + 1) % (count // 10) == 0:
        # What is free and what is not would otherwise be a matter of the last picture.
        gc.collect()
        _core.release_free_memory()
        with open("/proc/self/statm") as file:
            resident.append(int(file.read().split()[1]) * resource.getpagesize() / 2**20)
        descriptors.add(len(os.listdir("/proc/self/fd")))
print(done, len(descriptors), *resident)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_mixed_decodes_keep_nothing() -> None:
    """Sound, cut and damaged files on every way: MiB after a fifth and after all, and open files."""
    output = run_python(_MIXED_DECODES, MIXED_DECODES, GOLDEN / "good")
    done, descriptors, *resident = (float(word) for word in output.split())
    print(
        f"{done:.0f} pictures; MiB after each tenth:",
        *(f"{value:.1f}" for value in resident),
    )
    assert MIXED_DECODES // 4 < done < MIXED_DECODES
    assert descriptors == 1
    assert resident[-1] - resident[1] < 4


# --- other machines


@pytest.mark.parametrize("model", ["tiny", "default"])
def test_number_of_threads_changes_nothing(tiny_model: str, model: str) -> None:
    before = torch.get_num_threads()
    files: list[bytes] = []
    pictures: list[Any] = []
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            data = recodec.encode(photograph(), model=model, iterations=4)
            files.append(data)
            pictures.append(recodec.decode(files[0], like="numpy").astype(int))
    finally:
        torch.set_num_threads(before)
    assert files == files[:1] * 3
    # How many threads share a sum may decide which way a sample is rounded.
    assert max(np.abs(picture - pictures[0]).max() for picture in pictures) <= 1


_PLAIN = {
    # torch, oneDNN and MKL each choose by themselves.
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}
_ON_ANOTHER_MACHINE = """
import sys
from pathlib import Path
import numpy as np, torch
import recodec

print(torch.backends.cpu.get_cpu_capability())
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
for path in folder.glob("*.rcd"):
    np.save(out / f"{path.stem}.npy", recodec.decode(path, like="numpy"))
photo = np.load(out / "photo.npy")
(out / "photo.rcd").write_bytes(recodec.encode(photo, model="tiny", iterations=8))
"""


def test_machine_without_avx(tiny_model: str, tmp_path: Path) -> None:
    """Pictures are within one level of those made with AVX; files made there decode here."""
    photo = photograph()
    np.save(tmp_path / "photo.npy", np.asarray(photo))
    capability = run_python(_ON_ANOTHER_MACHINE, GOLDEN / "good", tmp_path, **_PLAIN)
    assert capability.strip().upper() in ("DEFAULT", "NO AVX")
    for name in EXPECTED:
        here = recodec.decode(GOLDEN / "good" / f"{name}.rcd", like="numpy")
        there = np.load(tmp_path / f"{name}.npy")
        assert np.abs(here.astype(int) - there).max() <= 1, name
    # Its codes may differ where the network's output was nearly 0; what it wrote holds all the same.
    data = (tmp_path / "photo.rcd").read_bytes()
    recodec.verify(data)
    here_file = recodec.encode(photo, model=tiny_model, iterations=8)
    original = np.asarray(photo, float)
    errors = [np.square(recodec.decode(file, like="numpy") - original).mean() for file in (data, here_file)]
    assert errors[0] == pytest.approx(errors[1], rel=0.01)
    print(
        "encoded without AVX:", "the same file" if data == here_file else f"{len(data)}, {len(here_file)} B"
    )


@pytest.mark.parametrize("kind", ["codes", "samples"])
def test_codes_and_samples_without_avx(kind: str) -> None:
    digest = {"codes": codes_digest, "samples": samples_digest}[kind]
    code = (
        f"import sys; sys.path.insert(0, sys.argv[1]); from tests.golden.make import {digest.__name__} as d; "
    )
    code += "from pathlib import Path; print(*(d(Path(p).read_bytes()) for p in sys.argv[2:]))"
    names = [name for name, expected in EXPECTED.items() if kind in expected]
    files = [GOLDEN / "good" / f"{name}.rcd" for name in names]
    digests = run_python(code, GOLDEN.parents[1], *files, **_PLAIN).split()
    assert digests == [EXPECTED[name][kind] for name in names]
    assert digests == [digest(file.read_bytes()) for file in files]
