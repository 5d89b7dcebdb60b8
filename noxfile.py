"""Everything that is checked, by name: ``nox -l`` lists it, ``nox -s lint types`` runs some of it.

Sessions run in the environment that nox runs in, which CONTRIBUTING.md says how to make.
"""

from __future__ import annotations

import platform
import re
import shutil
import sysconfig
from pathlib import Path

import nox

nox.needs_version = ">=2024.3"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]

BUILD = Path("build")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; arguments after -- go to pytest."""
    session.run("pytest", "-n", "auto", "--dist", "loadfile", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and layout."""
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy on the installed package and on the benchmarks; a real install, not an editable one."""
    session.run("mypy", "-p", "recodec")
    session.run("mypy", "bench")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, in build/docs/site: no warning, an entry for every public name, every notebook run, no network."""
    site = BUILD / "docs" / "site"
    options = ("-W", "--keep-going", "-q", "-E", "-c", "docs", "-d", str(BUILD / "docs" / "doctrees"))
    session.run("sphinx-build", *options, ".", str(site))
    asks = re.compile(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//')
    if pages := [str(page) for page in site.rglob("*.html") if asks.search(page.read_text(encoding="utf-8"))]:
        session.error(f"these pages ask the network for something: {', '.join(pages)}")


@nox.session
def man(session: nox.Session) -> None:
    """A man page for each command, in build/man/man1; takes click-man, of the extra docs."""
    session.run("python", "-m", "recodec.cli.man_pages", str(BUILD / "man" / "man1"))


@nox.session
def wheel(session: nox.Session) -> None:
    """In build/dist the source distribution and the wheel made of it, twice the same, tried without a compiler."""
    epoch = session.run("git", "log", "-1", "--format=%ct", external=True, silent=True)
    dist, again, clean = BUILD / "dist", BUILD / "dist-again", BUILD / "clean"
    for folder in (dist, again, clean):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (dist, again):
        session.run(
            *("python", "-m", "build", "--outdir", str(folder)), env={"SOURCE_DATE_EPOCH": str(epoch).strip()}
        )
    session.run("pytest", "-k", "distributions", "tests/test_package.py", env={"RECODEC_DIST": str(dist)})
    for path in dist.iterdir():
        if path.read_bytes() != (again / path.name).read_bytes():
            session.error(f"{path.name} is another each time it is made")
    session.run("python", "-m", "venv", str(clean))
    scripts = clean / ("Scripts" if platform.system() == "Windows" else "bin")
    (made,) = dist.glob("*.whl")
    binary = ("--only-binary", ":all:", "-c", "constraints.txt")
    session.run(str(scripts / "pip"), "install", "--quiet", *binary, str(made), external=True)
    # No folder with a compiler, and none with anything else.
    alone = {"PATH": str(scripts.resolve())}
    session.run(
        *(str(scripts / "recodec"), "demo", "--output-dir", str(clean / "demo")), env=alone, external=True
    )


@nox.session
def core(session: nox.Session) -> None:
    """The C++ with warnings as errors, its Python module and its fuzzers included."""
    python = Path(sysconfig.get_path("scripts")) / "python"
    pybind11 = session.run("python", "-m", "pybind11", "--cmakedir", silent=True)
    folder = BUILD / "werror"
    session.run(
        *("cmake", "-S", ".", "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release"),
        *("-DRECODEC_WERROR=ON", "-DRECODEC_CORPUS_RUNNER=ON"),
        f"-DPython_EXECUTABLE={python}",
        f"-Dpybind11_DIR={str(pybind11).strip()}",
    )
    session.run("cmake", "--build", str(folder))
    session.run("ctest", "--test-dir", str(folder), "--output-on-failure")


@nox.session
def web(session: nox.Session) -> None:
    """The decoder of web pages, compiled by Emscripten to where the package has it."""
    if not shutil.which("em++"):
        session.error("em++ is not installed; Debian has it in the package emscripten")
    folder = BUILD / "web"
    options = ("-DRECODEC_PYTHON=OFF", "-DRECODEC_WEB=ON", "-DRECODEC_WERROR=ON")
    session.run("emcmake", "cmake", "-S", ".", "-B", str(folder), *options, external=True)
    session.run("cmake", "--build", str(folder), "--target", "recodec_web")
    shutil.copyfile(folder / "recodec.wasm", "python/recodec/web/static/recodec.wasm")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Both fuzzers, 20,000 executions each or as many as are named after --, the core under sanitizers."""
    executions = (session.posargs or ["20000"])[0]
    folder = BUILD / "sanitize"
    session.run(
        *("cmake", "-S", ".", "-B", str(folder), "-DRECODEC_PYTHON=OFF"),
        *("-DRECODEC_CORPUS_RUNNER=ON", "-DRECODEC_SANITIZE=ON"),
    )
    session.run("cmake", "--build", str(folder))
    corpora = ("tests/golden", "tests/fuzz/corpus")
    for target in ("fuzzer", "strip_fuzzer"):
        session.run(str(folder / target), "--executions", executions, "--seed", "1", *corpora, external=True)
    session.run("python", "-m", "tests.fuzz", "--executions", executions, "--seed", "1")


# Machine, its compiler's prefix, and what runs its programs; Debian's packages are g++-PREFIX and qemu-user. Programs
# of i686 run on an x86-64 by themselves, where qemu 7.2 can hang as soon as there are threads.
MACHINES = (
    ("aarch64", "aarch64-linux-gnu", ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")),
    ("s390x", "s390x-linux-gnu", ("qemu-s390x", "-L", "/usr/s390x-linux-gnu")),  # most significant byte first
    (
        "i686",
        "i686-linux-gnu",
        ("/usr/i686-linux-gnu/lib/ld-linux.so.2", "--library-path", "/usr/i686-linux-gnu/lib")
        if platform.machine() == "x86_64"
        else ("qemu-i386", "-L", "/usr/i686-linux-gnu"),
    ),
)


@nox.session
def emulated(session: nox.Session) -> None:
    """The core on other machines, emulated: the same codes and bytes as here; numbers after -- go to conformance."""
    options = (
        "-DCMAKE_BUILD_TYPE=Release",
        "-DRECODEC_PYTHON=OFF",
        "-DRECODEC_WERROR=ON",
        "-DRECODEC_CORPUS_RUNNER=ON",
    )
    here = BUILD / "here"
    session.run("cmake", "-S", ".", "-B", str(here), *options)
    session.run("cmake", "--build", str(here), "--target", "conformance")
    expected = session.run(
        str(here / "conformance"), *session.posargs, silent=True, stderr=None, external=True
    )
    skipped = []
    for machine, prefix, emulator in MACHINES:
        if missing := [tool for tool in (f"{prefix}-g++", emulator[0]) if not shutil.which(tool)]:
            skipped.append(f"{machine}: {', '.join(missing)} not found")
            continue
        folder = BUILD / machine
        session.run(
            *("cmake", "-S", ".", "-B", str(folder), *options, "-DCMAKE_SYSTEM_NAME=Linux"),
            *(f"-DCMAKE_SYSTEM_PROCESSOR={machine}", f"-DCMAKE_CXX_COMPILER={prefix}-g++"),
            f"-DCMAKE_CROSSCOMPILING_EMULATOR={';'.join(emulator)}",
        )
        session.run("cmake", "--build", str(folder))
        session.run("ctest", "--test-dir", str(folder), "--output-on-failure")
        program = (*emulator, str(folder / "conformance"), *session.posargs)
        if (found := session.run(*program, silent=True, stderr=None, external=True)) != expected:
            session.error(f"{machine} makes something else:\n{found}where this machine makes:\n{expected}")
        session.log(f"{machine}: the same\n{found}")
    for reason in skipped:
        session.warn(f"skipped {reason}")
    if len(skipped) == len(MACHINES):
        session.skip("no other machine can be emulated here: install qemu-user and cross compilers")


@nox.session
def bench(session: nox.Session) -> None:
    """A short run of the benchmarks that need no pictures: whether they still work, not how fast anything is."""
    session.run("python", "bench/kernels.py", "--check", "--rehearse")
    session.run("python", "bench/training.py", "--threads", "1", "stages", "--steps", "2")


@nox.session
def figures(session: nox.Session) -> None:
    """The README's figures; takes a folder with the Kodak pictures after --, and an hour."""
    if len(session.posargs) != 1:
        session.error("give the folder with the Kodak pictures: nox -s figures -- KODAK")
    from recodec.model_search import DEFAULT_MODEL

    (kodak,) = session.posargs
    curves = f"bench/results/kodak_rd_{DEFAULT_MODEL}.json"
    session.run("python", "bench/rd.py", kodak, "--out", curves, "--jpeg")
    session.run("python", "bench/entropy.py", "bytes", kodak, "--out", "bench/results/entropy_bytes.json")
    session.run("recodec", "eval", kodak, "--out", "build/evaluation")
