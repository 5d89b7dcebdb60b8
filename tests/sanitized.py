"""Programs of the C++ core under AddressSanitizer and UndefinedBehaviorSanitizer, built once for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True)
    assert done.returncode == code, f"{command[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done


def build_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all of them. Processes that run tests beside each other share it."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    compiler = next(filter(None, map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++"])), None)
    if compiler is None:
        pytest.skip("no C++ compiler is installed")
    folder = tmp_path_factory.mktemp("sanitizers")
    (folder / "probe.cpp").write_text("int main() {}\n")
    probe = [compiler, "-fsanitize=address,undefined", "probe.cpp", "-o", "probe"]
    if subprocess.run(probe, cwd=folder, check=False, capture_output=True).returncode:
        pytest.skip(f"{compiler} has no sanitizer libraries")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    build, done = shared / "sanitized", shared / "sanitized.done"
    with FileLock(shared / "sanitized.lock"):
        if not done.exists():
            run(
                cmake, "-S", ROOT, "-B", build, "-DRECODEC_PYTHON=OFF", "-DRECODEC_CORPUS_RUNNER=ON",
                "-DRECODEC_API=ON", "-DRECODEC_SANITIZE=ON", "-DRECODEC_WERROR=ON", "-DCMAKE_BUILD_TYPE=Release",
                "-DCMAKE_CXX_FLAGS_RELEASE=-O1", f"-DCMAKE_CXX_COMPILER={compiler}",
            )  # fmt: skip
            run(cmake, "--build", build)
            done.touch()
    return build
