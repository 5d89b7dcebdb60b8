"""The README's example runs, and the numbers it states about the interface are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

import recodec

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as photo:
        photo.crop((300, 100, 500, 260)).save(tmp_path / "photo.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(code.group(1), scope)  # noqa: S102
    data, small = scope["data"], scope["small"]
    assert isinstance(data, bytes)
    assert isinstance(small, bytes)
    assert 8 * len(data) <= 0.5 * 200 * 160
    assert 8 * len(small) <= 0.25 * 200 * 160
    assert small[:40] == data[:40]
    shown = capsys.readouterr().out.split("\n")[:-1]
    assert shown == ["(200, 160)"] * recodec.info(data).iterations


def test_commands_use_the_constraints_file() -> None:
    commands = re.findall(r"<!-- (?:demo|test) command -->\n```sh\n(.*?)\n```", README)
    assert len(commands) == 2
    assert all("-c constraints.txt" in command for command in commands)
    assert (ROOT / "constraints.txt").read_text().split() == ["torch==2.13.0"]


def test_citation_names_this_version() -> None:
    assert f"\nversion: {recodec.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_repository_speaks_of_the_project_alone() -> None:
    machine_path = re.compile(r"/(?:work|root|home|tmp)/[a-z]")
    for path in (p for folder in ("python", "csrc", "kernels", "bench") for p in (ROOT / folder).rglob("*")):
        if path.suffix in {".py", ".hpp", ".cpp", ".toml"}:
            assert not machine_path.search(path.read_text()), path
