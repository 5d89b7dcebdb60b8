"""The cookbook's Python examples run, one after the other in one folder."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

import recodec

COOKBOOK = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text()
EXAMPLES = re.findall(r"(<!-- needs ray -->\n)?```python\n(.*?)```", COOKBOOK, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as photo:
        small = photo.convert("RGB").crop((300, 100, 440, 200))
    for name in ("photos", "coded"):
        (tmp_path / name).mkdir()
    small.save(tmp_path / "photo.jpg")
    small.save(tmp_path / "photos" / "one.jpg")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"not a photograph")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Ranges(BaseHTTPRequestHandler):
    """Serves one file, the ranges of it that it is asked for."""

    content = b""

    def do_GET(self) -> None:
        first, last = 0, len(self.content) - 1
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(asked[1]), min(int(asked[2]), last)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.content)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(self.content[first : last + 1])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as photo:
        Ranges.content = recodec.encode(photo.convert("RGB").crop((300, 100, 540, 260)), bpp=2)
    with ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/remote.rcd"
        server.shutdown()


def test_examples_run(folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain = [code for needs_ray, code in EXAMPLES if not needs_ray]
    assert len(plain) == 10
    for code in plain:
        exec(code, {"url": url})  # noqa: S102
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(str(Path("photos", "broken.jpg")))
    assert shown[1] == "broken.jpg ImageError"
    assert shown[2].startswith("(140, 100) RGB")
    assert shown[3].startswith("True 1 strips behind")
    assert shown[4].startswith("torch.Size([2, 3, 64, 96]) torch.float32")
    assert shown[5] == "torch.Size([1, 3, 46, 64]) torch.float32"
    chunks = recodec.info(Ranges.content[:4096]).iterations
    assert shown[6] == f"4096 of {len(Ranges.content)} bytes show {chunks} chunks of 240 x 160"
    assert 1 < chunks < recodec.info(Ranges.content).iterations
    with Image.open("beginning.png") as beginning:
        assert beginning.size == (240, 160)
    assert shown[7].endswith("True")
    assert shown[8] == "['ImageError', None]"
    assert shown[9] == "(1, 100, 140, 3) float32"
    recodec.verify("coded/one.rcd")
    with Image.open("thumbnail.png") as thumbnail:
        assert thumbnail.size == (64, 46)
    assert len(list(folder.glob("preview*.png"))) == recodec.info(Ranges.content).iterations


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra bulk")
def test_ray_example_runs(folder: Path) -> None:
    (code,) = (code for needs_ray, code in EXAMPLES if needs_ray)
    # In a process of its own: what Ray starts ends with it.
    code = "import ray; ray.init(address='local', num_cpus=2, include_dashboard=False)\n" + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 encoded" in done.stdout
    assert "['photos/broken.jpg'] failed" in done.stdout
    assert (folder / "decoded" / "one.png").exists()
