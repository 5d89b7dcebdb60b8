"""The page of ``recodec view`` in Chromium: its weight, and a picture that comes slowly.

python -m bench.web PHOTO [--speed 50] [--quality 100]; needs chromium and chromedriver.
"""

from __future__ import annotations

import base64
import gzip
import lzma
import statistics
import tempfile
import threading
from pathlib import Path

import click
import numpy as np
from PIL import Image
from tests.web.browser import browser

import recodec
from recodec.web import PacedServer, site_of
from recodec.web.site import Picture

WATCH = """
const [rcm, speed] = given, image = document.createElement("recodec-image"), told = [];
let received = 0, draft = null;
image.addEventListener("draft", ({ detail }) => (draft = { at: performance.now(), received, ...detail }));
image.addEventListener("bytes", ({ detail }) => (received = detail.received));
image.addEventListener("picture", ({ detail }) => {
  const { width, height } = image.canvas;
  const { data } = image.canvas.getContext("2d").getImageData(0, 0, width, height);
  let text = "";
  for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
  told.push({ at: performance.now(), received, ...detail, pixels: btoa(text) });
});
const ended = new Promise((resolve) => ["load", "error"].forEach((n) => image.addEventListener(n, resolve)));
const attributes = { model: rcm, every: "", speed, src: "pictures/1.rcd" };
// Not the page's own, which would be decoded at the same time.
document.getElementById("picture").remove();
for (const [name, value] of Object.entries(attributes)) image.setAttribute(name, value);
await (await import("./stream.js")).prepared(rcm).ready;
const start = performance.now();
document.body.append(image);
await ended;
return { start, told, draft };
"""


@click.command()
@click.argument("photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--speed", default=50.0, show_default=True, help="Kilobytes a second.")
@click.option("--quality", default=100.0, show_default=True)
def main(photo: Path, speed: float, quality: float) -> None:
    """Watch the page show PHOTO."""
    original = np.asarray(Image.open(photo).convert("RGB")).astype(float)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.rcd")
        path.write_bytes(recodec.encode(photo, quality=quality, convert=True))
        site = site_of([Picture(str(path), "a.rcd")])
        data = path.read_bytes()
        own = {name: content.read() for name, content in site.contents.items() if "/" not in name}
        rcm = next(name for name in site.contents if name.startswith("models/"))
        for name, size in (
            ("as it is", len),
            ("gzip -9", lambda file: len(gzip.compress(file, 9))),
            ("xz", lambda file: len(lzma.compress(file))),
        ):
            page, model = sum(map(size, own.values())), size(site.contents[rcm].read())
            print(f"{name}: page {page / 1000:.1f} kB, model {model / 1e6:.2f} MB")
        with PacedServer(site) as server, browser() as chromium:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            chromium.go(f"{server.address}?speed=1000000")
            found = chromium.run(WATCH, rcm, f"{speed:g}")
            server.shutdown()
    if draft := found["draft"]:
        print(
            f"a draft of {100 * draft['bytes'] / len(data):.1f} % of the file was shown when "
            f"{100 * draft['received'] / len(data):.1f} % had come, after {draft['at'] - found['start']:.0f} ms"
        )
    print("chunk   made of  received    shown at  decoding      PSNR  off from Python")
    for one in found["told"]:
        shown = np.frombuffer(base64.b64decode(one["pixels"]), np.uint8).reshape(*original.shape[:2], 4)[
            ..., :3
        ]
        wanted = np.asarray(recodec.decode(data, iterations=one["chunks"])).astype(int)
        psnr = 10 * np.log10(255**2 / ((shown - original) ** 2).mean())
        shares = [100 * count / len(data) for count in (one["bytes"], one["received"])]
        print(
            f"{one['chunks']:5} {shares[0]:8.1f} % {shares[1]:7.1f} % {(one['at'] - found['start']) / 1000:9.2f} s "
            f"{one['ms']:6.0f} ms {psnr:6.2f} dB  {np.abs(shown.astype(int) - wanted).max()}"
        )
    print(
        f"{len(data)} bytes; median of decoding {statistics.median(one['ms'] for one in found['told']):.0f} ms"
    )


if __name__ == "__main__":
    main()
