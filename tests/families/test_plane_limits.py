"""Limits in proportion to the picture: those of FORMAT.md, section 6, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import recodec
import recodec.pillow
from recodec import _core
from recodec.container.core import core_errors
from recodec.errors import FormatError, LimitError
from recodec.families.recurrent.family import RECURRENT
from recodec.files import is_sound
from recodec.limits import Limits
from recodec.runtime.tiling import plan_tiles
from tests.codec.files import header_of
from tests.conftest import GOLDEN
from tests.plane_files import code_chunk, read_header, write_header

_SECTION = (Path(__file__).parents[2] / "FORMAT.md").read_text().split("\n## ")[6]


def stated(pattern: str) -> list[int]:
    """The numbers in a limit of FORMAT.md, whose words are ``pattern`` with # for each."""
    found = re.search(re.escape(pattern).replace(r"\#", r"(\d+)"), _SECTION)
    assert found, f"FORMAT.md, section 6, does not say {pattern}"
    return [int(number) for number in found.groups()]


def is_refused(check: Callable[..., None], header: _core.Header, *arguments: object) -> bool:
    fields = _core.read_plane_header(header)
    try:
        with core_errors():
            check(*(header, fields) if not arguments else (fields, *arguments))
    except LimitError:
        return True
    return False


def header(**fields: int) -> _core.Header:
    return _core.read_header(header_of(**fields))[0]


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (7, 1), (1, 1000), (64, 64), (2**16, 2**16)])
def test_number_of_tiles(columns: int, rows: int) -> None:
    spare, share = stated("R · C > # + ⌊h · w / #⌋")
    most = spare + rows * columns // share
    size = {"width": 16 * columns, "height": 16 * rows}
    for tile_rows in {1, min(rows, 4), min(rows, 77)}:
        for tile_columns in {columns, most // tile_rows, most // tile_rows + 1}:
            if 1 <= tile_columns <= columns:
                tiled = header(**size, tile_columns=tile_columns, tile_rows=tile_rows)
                assert is_refused(_core.check_tiles, tiled) == (tile_columns * tile_rows > most)


@pytest.mark.parametrize("size", [(1, 1), (9, 5), (64, 3), (200, 200), (2**26, 2**26)])
def test_windows_of_tiles(size: tuple[int, int]) -> None:
    spare, factor, over = stated("h + 2 · halo · (R − 1) > # + ⌊# · h / #⌋")
    assert stated("w + 2 · halo · (C − 1) > # + ⌊# · w / #⌋") == [spare, factor, over]
    columns, rows = size
    tiles = min(columns, 2), min(rows, 3)
    refused = []
    for halo in range(256):
        tiled = header(
            width=16 * columns, height=16 * rows, tile_columns=tiles[0], tile_rows=tiles[1], tile_halo=halo
        )
        wide = [
            side + 2 * halo * (count - 1) > spare + factor * side // over
            for side, count in zip(size, tiles, strict=True)
        ]
        refused.append(is_refused(_core.check_tiles, tiled))
        assert refused[-1] == any(wide)
    assert any(refused) == (size in ((9, 5), (64, 3), (200, 200)))


def test_codes() -> None:
    one, all_ = stated("D > # · s² or N · D > # · s²")
    one_cost, all_cost = stated("D² > # · s² or N · D² > # · s²")
    refused = set()
    for stride in (1, 2, 4, 7, 16, 40, 255):
        for depth in (1, 2, 3, 5, 11, 32, 42, 43, 96, 97, 255, 256):
            claim = header(stride=stride, depth=depth)
            for planes in (1, 2, 8, 9, 21, 22, 24, 25, 216, 217, 255):
                wrong = depth > one * stride**2 or planes * depth > all_ * stride**2
                slow = depth**2 > one_cost * stride**2 or planes * depth**2 > all_cost * stride**2
                assert is_refused(_core.check_codes, claim, planes) == (wrong or slow)
                refused.add((wrong, slow))
    assert len(refused) == 4
    assert not is_refused(_core.check_codes, header(stride=1, depth=256, entropy_version=4), 255)


def test_files_of_released_models_are_within_the_limits() -> None:
    for stride, depth, planes in ((16, 32, 16), (16, 96, 12), (16, 16, 8), (4, 8, 4)):
        assert not is_refused(_core.check_codes, header(stride=stride, depth=depth), planes)
    # Releases have cut tiles of 32 and of 64 positions, with halos of 8 at most.
    sides = [*range(1, 200), 255, 256, 257, 1000, 2**11]
    for side in (32, 64):
        for columns, rows in ((a, b) for a in sides for b in (1, 2, 31, 33, 65, 129, 1000)):
            grid = plan_tiles(rows, columns, 8, side)
            tiled = header(
                width=16 * columns, height=16 * rows,
                tile_columns=grid.columns, tile_rows=grid.rows, tile_halo=grid.halo,
            )  # fmt: skip
            assert not is_refused(_core.check_tiles, tiled), (columns, rows, side)


@pytest.mark.parametrize("shape", [(1, 1 << 26), (1 << 26, 1), (1 << 13, 1 << 13)])
@pytest.mark.parametrize("depth", [2, 11, 256])
def test_verifying_claims_costs_nothing(shape: tuple[int, int], depth: int) -> None:
    claim = header_of(width=shape[0], height=shape[1], stride=1, depth=depth) + code_chunk(b"", 0)
    with pytest.raises(LimitError, match="too long"):
        recodec.verify(claim)


def test_planes_count_with_their_padding_and_threads(tiny_model: str) -> None:
    """Of a row three times as much as of a square, of a network's for every thread that decodes."""
    part = recodec.load("tiny-network").model.entropy_tables
    for kind in ((1, 1, 32), (1, 3, 32)):
        square, row = (_core.coder_bytes(*kind, *grid, None, 1) for grid in ((300, 300), (1, 90_000)))
        assert 2.9 < row / square < 3
    one, nine = (_core.coder_bytes(2, 1, 8, 100, 100, part, threads) for threads in (1, 9))
    assert 4 < nine / one < 5


@pytest.mark.parametrize("sides", [(2**31, 2**31), (2**31, 1), (1, 2**31)])
def test_sizes_never_wrap(sides: tuple[int, int]) -> None:
    """Products of 64 bits here, of 32 on other machines."""
    for depth in (256, 2**32 - 1):
        if sides == (2**31, 2**31) or depth > 256:
            with pytest.raises(_core.CoreError, match="address"):
                _core.coder_bytes(1, 1, depth, *sides, None, 1)
            with pytest.raises(_core.CoreError, match="address"):
                _core.ChunkCoder(1, 1, depth, *sides)


@pytest.mark.parametrize("name", ["colour", "network", "latent", "latent-adaptive"])
def test_memory_is_a_limit_on_every_way(tiny_model: str, name: str) -> None:
    data = (GOLDEN / "good" / f"{name}.rcd").read_bytes()
    ways = (
        recodec.decode,
        recodec.verify,
        lambda data, **options: list(recodec.progressive(data, **options)),
    )
    for way in ways:
        way(data, max_memory=1 << 30)
        with pytest.raises(LimitError, match="max_memory"):
            way(data, max_memory=1 << 20)


@pytest.mark.parametrize("name", ["network", "latent", "latent-adaptive"])
@pytest.mark.parametrize("change", [{"stride": 1}, {"depth": 12}])
def test_verifying_with_a_model_compares_stride_and_depth(
    tiny_model: str, name: str, change: dict[str, int]
) -> None:
    data = (GOLDEN / "good" / f"{name}.rcd").read_bytes()
    fields, end = read_header(data)
    for key, value in change.items():
        setattr(fields, key, value)
    for way in (recodec.verify, recodec.decode):
        with pytest.raises(FormatError, match="stride"):
            way(write_header(fields) + data[end:])


def test_pillow_holds_to_limits_of_the_module(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.pillow.MAX_MEMORY", 1 << 20)
    for act in (lambda image: image.load(), lambda image: image.verify()):
        with Image.open(GOLDEN / "good" / "network.rcd") as image, pytest.raises(OSError, match="max_memory"):
            act(image)


def test_what_is_beyond_limits_is_not_sound(tiny_model: str) -> None:
    path = GOLDEN / "good" / "network.rcd"
    assert is_sound(path)
    assert not is_sound(path, max_memory=1 << 20)
    for bad in (GOLDEN / "bad").glob("planes-*.rcd"):
        assert not is_sound(bad)


@pytest.mark.parametrize("model", ["latent-4", "rnn-1"])
@pytest.mark.parametrize("shape", [(1 << 13, 1 << 13), (1 << 22, 1)])
@pytest.mark.parametrize("threads", [1, 4, 200])
def test_defaults_have_room_for_the_largest_picture_on_any_number_of_cores(
    model: str, shape: tuple[int, int], threads: int
) -> None:
    engine = recodec.load(model).engine
    claim, _ = _core.read_header(
        header_of(width=shape[0], height=shape[1], depth=engine.network.depth, model=model)
    )
    own = _core.read_plane_header(claim)
    own.entropy, own.entropy_version = 2, 4 if engine.network.seamless else 1
    if not engine.network.seamless:
        own.tile_rows, own.tile_columns = max(1, shape[1] // 1024), max(1, shape[0] // 1024)
        own.tile_halo = 8
    claim.model_hash, claim.fields = engine.hash, _core.write_plane_header(own, claim)
    opened = RECURRENT.read(claim)
    opened.check(Limits())
    decoder = engine.decoder(opened, Limits(), threads=threads)
    assert 1 <= decoder._coder.threads <= threads
    if threads == 4:
        assert decoder._coder.threads == threads
