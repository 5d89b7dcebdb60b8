"""The page and the element in Chromium, without a window."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recodec
from recodec.web import PacedServer, Site, site_of
from recodec.web.site import Content, Picture
from tests.web.browser import CHROMIUM, DRIVER, Browser, browser
from tests.web.conftest import CHUNKS, serving

pytestmark = [
    pytest.mark.filterwarnings("ignore::recodec.errors.UnsuitablePictureWarning"),
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"
    ),
]

# An element with attributes, all that it tells, and its picture each time; until it ends, or for so many milliseconds.
WATCH = """
const [attributes, most] = given, image = document.createElement("recodec-image"), told = [];
const line = () => image.shadowRoot.querySelector("p").textContent;
const ended = new Promise((resolve) => {
  for (const name of ["bytes", "draft", "picture", "load", "error"]) {
    image.addEventListener(name, ({ detail }) => {
      const told_ = { name, at: performance.now(), ...detail };
      if (name === "draft" || name === "picture") {
        const { width, height } = image.canvas;
        const { data } = image.canvas.getContext("2d").getImageData(0, 0, width, height);
        told_.pixels = btoa(String.fromCharCode(...data));
      }
      told.push(told_);
      if (name === "load" || name === "error") setTimeout(resolve);
    });
  }
  setTimeout(resolve, most ?? 30000);
});
for (const [name, value] of Object.entries(attributes)) image.setAttribute(name, value);
document.body.append(image);
await ended;
const { width, height } = image.canvas, shown = !image.canvas.hidden;
image.remove();
return { told, line: line(), shown, width, height };
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # High enough for all of the page to be in sight.
    with browser("--window-size=1000,1400") as opened:
        yield opened


@pytest.fixture
def site(coded: Callable[..., bytes], tmp_path: Path) -> Site:
    data = {"a": coded(), "grey": coded("L"), "alpha": coded("RGBA")}
    for name, file in data.items():
        (tmp_path / f"{name}.rcd").write_bytes(file)
    return site_of(Picture(str(tmp_path / f"{name}.rcd"), f"{name}.rcd") for name in data)


@pytest.fixture
def server(site: Site, chromium: Browser) -> Iterator[PacedServer]:
    with serving(site) as server:
        chromium.go(server.address)
        yield server
        chromium.go("about:blank")


def rcm_of(site: Site) -> str:
    return next(address for address in site.contents if address.startswith("models/"))


def watch(chromium: Browser, site: Site, number: int = 1, **attributes: str) -> dict[str, Any]:
    wanted = {"src": f"pictures/{number}.rcd", "model": rcm_of(site), **attributes}
    found: dict[str, Any] = chromium.run(WATCH, wanted)
    return found


def pictures(found: dict[str, Any]) -> list[tuple[int, np.ndarray]]:
    shape = found["height"], found["width"], 4
    return [
        (one["chunks"], np.frombuffer(base64.b64decode(one["pixels"]), np.uint8).reshape(shape).astype(int))
        for one in found["told"]
        if one["name"] == "picture"
    ]


@pytest.mark.parametrize(("number", "mode"), [(1, "RGB"), (2, "RGB"), (3, "RGBA")])
def test_pixels_are_those_of_python(
    server: PacedServer, chromium: Browser, site: Site, number: int, mode: str
) -> None:
    found = watch(chromium, site, number, every="")
    data = site.contents[f"pictures/{number}.rcd"].read()
    assert (found["told"][-1]["name"], found["line"]) == ("load", "")
    seen = pictures(found)
    assert [chunks for chunks, _ in seen] == [*range(1, CHUNKS + 1)]
    for chunks, shown in seen:
        wanted = np.asarray(recodec.decode(data, iterations=chunks).convert(mode)).astype(int)
        if mode == "RGB":
            assert np.abs(shown[..., :3] - wanted).max() <= 1
            continue
        # A canvas keeps colours times opacity: those of what is nearly transparent come back coarse.
        assert (shown[..., 3] == wanted[..., 3]).all()
        opaque = wanted[..., 3] > 200
        assert np.abs(shown[opaque][:, :3] - wanted[opaque][:, :3]).max() <= 2


def test_the_first_picture_is_there_before_the_last_byte(
    server: PacedServer, chromium: Browser, site: Site
) -> None:
    size = len(site.contents["pictures/1.rcd"].read())
    found = watch(chromium, site, every="", speed=f"{size / 2000:.3f}")
    told = found["told"]
    bytes_ = [one for one in told if one["name"] == "bytes"]
    first = next(one for one in told if one["name"] == "picture")
    assert bytes_[-1]["received"] == bytes_[-1]["total"] == size
    assert bytes_[-1]["at"] - bytes_[0]["at"] > 1500
    assert first["at"] < bytes_[-1]["at"] - 500
    assert first["bytes"] < size / 2
    assert len(pictures(found)) == CHUNKS


@pytest.mark.parametrize(("number", "drafts"), [(1, 1), (2, 1), (3, 0)])
def test_a_draft_comes_before_the_first_picture(
    server: PacedServer, chromium: Browser, site: Site, number: int, drafts: int
) -> None:
    found = watch(chromium, site, number, every="")
    names = [one["name"] for one in found["told"]]
    assert names.count("draft") == drafts
    if drafts:
        assert names.index("draft") < names.index("picture")
        draft = next(one for one in found["told"] if one["name"] == "draft")
        assert (draft["width"], draft["height"]) == (61, 45)
        seen = np.frombuffer(base64.b64decode(draft["pixels"]), np.uint8).reshape(45, 61, 4)
        assert (seen[..., 3] == 255).all()
        assert seen[..., :3].std() > 0.5


def test_the_page_shows_what_it_does(
    server: PacedServer, chromium: Browser, site: Site, tmp_path: Path
) -> None:
    text = "return ['name', 'about', 'chunk', 'bytes', 'ms'].map((id) => document.getElementById(id).textContent)"
    for _ in range(200):
        name, about, chunk, received, ms = chromium.run(text)
        if chunk == f"{CHUNKS} of {CHUNKS}":
            break
        time.sleep(0.05)
    size = len(site.contents["pictures/1.rcd"].read())
    assert (name, chunk, received) == ("a.rcd", "8 of 8", f"{size:,} of {size:,}")
    assert "61 × 45" in about
    assert ms.endswith(" ms")
    chromium.run("document.querySelectorAll('nav a')[1].click()")
    assert chromium.run(text)[0] == "grey.rcd"
    # The small ones come when the large one is done.
    count = (
        "return [...document.querySelectorAll('nav recodec-image')].filter((i) => !i.canvas.hidden).length"
    )
    deadline = time.monotonic() + 20
    while chromium.run(count) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_connection_that_breaks_leaves_the_last_picture(
    server: PacedServer, chromium: Browser, site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "a.rcd"
    data = path.read_bytes()
    speed = len(data) / 3000
    # What was promised does not come.
    timer = threading.Timer(1.5, lambda: os.truncate(path, len(data) // 10))
    timer.start()
    found = watch(chromium, site, every="", speed=f"{speed:.3f}")
    timer.join()
    assert found["shown"]
    assert found["told"][-1]["name"] == "error"
    assert "the connection was lost" in found["line"]
    chunks, shown = pictures(found)[-1]
    assert 0 < chunks < CHUNKS
    assert np.abs(shown[..., :3] - np.asarray(recodec.decode(data, iterations=chunks)).astype(int)).max() <= 1


@pytest.mark.parametrize("spared", [1, 2, 3])
def test_a_cut_file_is_said_to_be_cut(
    server: PacedServer, chromium: Browser, site: Site, tmp_path: Path, spared: int
) -> None:
    data = (tmp_path / "a.rcd").read_bytes()
    (tmp_path / "a.rcd").write_bytes(data[: spared * len(data) // 4])
    found = watch(chromium, site)
    assert found["shown"]
    assert "ends early" in found["line"]


def test_damage_leaves_what_came_before(
    server: PacedServer, chromium: Browser, site: Site, tmp_path: Path
) -> None:
    data = bytearray((tmp_path / "a.rcd").read_bytes())
    ends = recodec.info(bytes(data))
    at = ends.header_bytes + sum(ends.chunk_bytes[:3])
    (tmp_path / "a.rcd").write_bytes(data[:at] + b"\xff" * 12)
    found = watch(chromium, site, every="")
    assert found["line"]
    assert found["shown"]
    assert len(pictures(found)) == 3


def test_what_cannot_be_shown_is_said(
    server: PacedServer, chromium: Browser, site: Site, coded: Callable[..., bytes]
) -> None:
    other = bytearray(site.contents[rcm_of(site)].read())
    # The first byte of its id, and a checksum that is right again.
    other[6] = ord("w")
    other[-4:] = recodec._core.crc32c(bytes(other[:-4])).to_bytes(4, "little")
    more = {
        "models/other.rcm": bytes(other),
        "models/bad.rcm": b"nothing",
        "pictures/bad.rcd": b"nothing at all",
    }
    site.contents.update({name: Content("application/octet-stream", data) for name, data in more.items()})  # type: ignore[attr-defined]
    for attributes, said in (
        ({"model": "models/other.rcm"}, "was made with model 'tiny-latent'"),
        ({"model": "models/bad.rcm"}, "not a model's file"),
        ({"model": "models/none.rcm"}, "the model cannot be fetched: 404"),
        ({"model": ""}, "the attribute model is missing"),
        ({"src": "pictures/bad.rcd"}, "not a recodec file"),
        ({"src": "pictures/none.rcd"}, "the file cannot be fetched: 404"),
    ):
        found = watch(chromium, site, **attributes)
        assert said in found["line"]
        assert found["told"][-1]["reason"] == found["line"]
        assert not found["shown"]


def test_a_browser_without_simd_says_so(server: PacedServer, chromium: Browser, site: Site) -> None:
    chromium.run("WebAssembly.validate = () => false")
    found = watch(chromium, site)
    assert "no SIMD" in found["line"]
    assert not found["shown"]


def test_enough_is_enough(server: PacedServer, chromium: Browser, site: Site) -> None:
    size = len(site.contents["pictures/1.rcd"].read())
    found = watch(chromium, site, every="", chunks="2", speed=f"{size / 2000:.3f}")
    assert found["told"][-1]["name"] == "load"
    assert [chunks for chunks, _ in pictures(found)] == [1, 2]
    assert max(one["received"] for one in found["told"] if one["name"] == "bytes") < size


def test_the_export_works_on_any_server(chromium: Browser, site: Site, tmp_path: Path) -> None:
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    site.write(tmp_path / "out")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "out")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            chromium.go(f"http://127.0.0.1:{server.server_port}/")
            # It has no speed of its own, so the page waits.
            size = len(site.contents["pictures/1.rcd"].read())
            found = watch(chromium, site, every="", speed=f"{size / 1000:.3f}")
            assert found["line"] == ""
            assert len(pictures(found)) == CHUNKS
            times = [one["at"] for one in found["told"] if one["name"] == "bytes"]
            assert times[-1] - times[0] > 700
            chromium.go("about:blank")
        finally:
            server.shutdown()
            thread.join()
