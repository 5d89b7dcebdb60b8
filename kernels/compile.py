"""Compile every kernel ahead of time, for GPUs that need not be here: python -m recodec.kernels.compile.

Prints registers of a thread, bytes of its stack (what registers had no room for) and shared memory of a program.
Exits with 1 if a kernel does not compile, with 2 if there is none with such words or for such targets, with 3 if Triton
cannot compile here.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recodec.errors import DeviceError
from recodec.kernels.tuning import CompileCase

_TARGETS = (80, 90)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m recodec.kernels.compile", description=__doc__)
    parser.add_argument("words", nargs="*", help="only kernels whose line has all of these words")
    parser.add_argument(
        "--target", type=int, nargs="+", default=_TARGETS, help="compute capabilities, such as 90"
    )
    options = parser.parse_args(arguments)
    try:
        _require_compiler()
    except DeviceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    wanted = [
        (one, target)
        for one in find_compile_cases(options.words)
        for target in options.target
        if target >= one.capability
    ]
    if not wanted:
        targets = ", ".join(map(str, options.target))
        parser.error(f"no kernel has all of the words {' '.join(options.words)!r} and compiles for {targets}")
    return 1 if run(wanted) else 0


def run(wanted: Sequence[tuple[CompileCase, int]]) -> int:
    """Compile kernels for their targets, and print; returns how many failed."""
    print(f"{'sm':>3} {'registers':>9} {'stack':>6} {'shared':>7} {'seconds':>7}  kernel and tiles")
    failed = 0
    for compile_case, target in wanted:
        tiles = compile_case.tiles
        label = f"{compile_case.name} {tiles.pixels}x{tiles.channels}x{tiles.inputs} w{tiles.warps} s{tiles.stages}"
        start = time.perf_counter()
        try:
            kernel = compile_one(compile_case, target)
        except Exception as error:  # noqa: BLE001 - the other kernels are to be compiled all the same
            failed += 1
            print(f"{target:>3} FAILED {label}: {type(error).__name__}: {error}", flush=True)
            continue
        registers, stack = resources(kernel.asm["cubin"])
        seconds = time.perf_counter() - start
        print(
            f"{target:>3} {registers:>9} {stack:>6} {kernel.metadata.shared:>7} {seconds:>7.1f}  {label}",
            flush=True,
        )
    return failed


def _require_compiler() -> None:
    if find_spec("triton") is None:
        raise DeviceError("Triton is not installed, so nothing can be compiled; install recodec[triton]")
    import triton

    if triton.knobs.runtime.interpret:
        raise DeviceError("TRITON_INTERPRET is set, so Triton interprets kernels and compiles none; unset it")


def find_compile_cases(words: Sequence[str] = ()) -> Iterator[CompileCase]:
    """What the kernel files of this package list in their ``compile_cases``, if all ``words`` are in the name."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        # This one, which runs under another name.
        if path.stem == "compile":
            continue
        module = import_module(f"recodec.kernels.{path.stem}")
        for compile_case in getattr(module, "compile_cases", tuple)():
            if all(word in compile_case.name.split() for word in words):
                yield compile_case


def compile_one(compile_case: CompileCase, target: int) -> Any:
    """The compiled kernel for a compute capability such as 90; arguments without a type or value are None."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = compile_case.function.arg_names
    constants = {**compile_case.constants, **compile_case.tiles.constants()}
    constants |= {
        name: None for name in names if name not in compile_case.signature and name not in constants
    }
    types = {name: compile_case.signature.get(name, "constexpr") for name in names}
    source = ASTSource(
        compile_case.function,
        {name: kind.removesuffix(":16") for name, kind in types.items()},
        {(names.index(name),): value for name, value in constants.items() if name in names},
        {(i,): [["tt.divisibility", 16]] for i, kind in enumerate(types.values()) if kind.endswith(":16")},
    )
    return triton.compile(source, target=GPUTarget("cuda", target, 32), options=compile_case.tiles.options())


def resources(cubin: bytes) -> tuple[str, str]:
    """Registers of a thread and bytes of its stack, "-" where NVIDIA's tool for that is missing."""
    import triton

    try:
        tool = triton.knobs.nvidia.cuobjdump.path
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kernel.cubin"
            path.write_bytes(cubin)
            command = [tool, "--dump-resource-usage", str(path)]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (AttributeError, RuntimeError, OSError, subprocess.CalledProcessError):
        return "-", "-"
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    return (found[1], found[2]) if found else ("-", "-")


if __name__ == "__main__":
    sys.exit(main())
