"""Header and chunks: every field comes back, every damage is found, limits hold."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recodec import _core
from tests import slow_coder, slow_container
from tests.mutations import repair
from tests.plane_files import (
    FIELDS,
    PlaneCoder,
    PlaneFields,
    code_chunk,
    read_chunk,
    read_header,
    write_header,
)

FORMAT, TRUNCATED, UNSUPPORTED, CHECKSUM = 1, 2, 3, 4


def make_header(**fields: Any) -> PlaneFields:
    return PlaneFields(**{"width": 61, "height": 45, "model": "tiny-1", "model_hash": b"12345678", **fields})


def error_of(data: bytes) -> int:
    with pytest.raises(_core.CoreError) as caught:
        read_header(data)
    return caught.value.args[0]


def body_at(data: bytes) -> int:
    return 6 if data[5] < 0x80 else 7


def edited(data: bytes, offset: int, value: int) -> bytes:
    """The header with one byte of its body replaced and its CRC made right."""
    changed = bytearray(data)
    changed[body_at(data) + offset] = value
    repair(changed)
    return bytes(changed)


@given(
    width=st.integers(1, 1 << 30),
    height=st.integers(1, 1 << 30),
    channels=st.sampled_from([1, 3]),
    colour=st.sampled_from([0, 1]),
    model=st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=32),
    model_hash=st.binary(min_size=8, max_size=8),
    alpha=st.sampled_from([0, 1]),
    stride=st.integers(1, 255),
    depth=st.integers(1, 256),
    entropy_version=st.sampled_from([1, 3]),
    tile_halo=st.integers(0, 255),
    arithmetic=st.integers(0, 255),
    data=st.data(),
)
def test_every_field_comes_back(data: st.DataObject, **fields: Any) -> None:
    for name, side in (("tile_columns", "width"), ("tile_rows", "height")):
        fields[name] = data.draw(st.integers(1, -(-fields[side] // fields["stride"])), name)
    header = make_header(**fields)
    written = write_header(header)
    back, end = read_header(written + b"more")
    assert end == len(written)
    assert all(getattr(back, name) == getattr(header, name) for name in FIELDS)
    slow = slow_container.read_header(slow_container.Reader(written))
    assert slow.model.decode() == header.model
    assert all(getattr(slow, name) == getattr(header, name) for name in FIELDS if name != "model")


def test_bytes_are_pinned() -> None:
    assert write_header(make_header()).hex(" ") == (
        "8e 52 43 44 01 1c 00 3d 2d 73 00 01 06 74 69 6e 79 2d 31 31 32 33 34 35 36 37 38 10 20 01 01 01 01 00 "
        "8f 81 f4 e0"
    )


def test_every_truncation_is_told() -> None:
    data = write_header(make_header())
    assert {error_of(data[:size]) for size in range(len(data))} == {TRUNCATED}


def test_every_flipped_bit_is_found() -> None:
    data = write_header(make_header())
    for bit in range(8 * len(data)):
        damaged = bytearray(data + bytes(600))
        damaged[bit // 8] ^= 1 << bit % 8
        assert error_of(damaged) in {FORMAT, UNSUPPORTED, CHECKSUM}


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"RCD", bytes(100), b"\x8eRCE\x01"])
def test_foreign_files_are_not_ours(data: bytes) -> None:
    assert error_of(data) == FORMAT


def test_flags() -> None:
    """Bits 0, 2 and 3 are reserved, bit 1 makes a short header, bits 4 to 7 are unused."""
    data = write_header(make_header())
    for bit in (0, 2, 3):
        assert error_of(edited(data, 0, 1 << bit)) == UNSUPPORTED
    for bit in range(4, 8):
        assert read_header(edited(data, 0, 1 << bit))[0].width == 61


RELEASED = {
    "latent-1": "48509eb7f62be148",
    "latent-2": "a2da2195c525c6c2",
    "latent-3": "726d663e4c6cbdb1",
    "latent-4": "106ae365156ad225",
}


def released(model: str = "latent-1", **changes: Any) -> PlaneFields:
    fields = {
        "model": model,
        "model_hash": bytes.fromhex(RELEASED[model]),
        "stride": 16,
        "depth": 256,
    }
    return make_header(**fields, entropy=2, entropy_version=4 if model > "latent-2" else 2, **changes)


@pytest.mark.parametrize("arithmetic", [0, 1])
@pytest.mark.parametrize("model", RELEASED)
def test_a_short_header_says_the_same(model: str, arithmetic: int) -> None:
    written = write_header(released(model, arithmetic=arithmetic))
    assert len(written) == 16 + arithmetic
    long = in_full(written)
    assert len(long) == 41 + arithmetic
    (short, end), (full, _) = read_header(written), read_header(long)
    assert short == full
    assert end == len(written)
    for form in (written, long):
        slow = slow_container.read_header(slow_container.Reader(form))
        assert all(getattr(slow, name) == getattr(short, name) for name in FIELDS if name != "model")
        assert slow.model.decode() == short.model == model


def in_full(written: bytes) -> bytes:
    """The header in full that a short one stands for."""
    body = written[6:-4]
    body = bytes([body[0] & ~2]) + body[1:5] + bytes.fromhex(slow_container.PRESETS[body[5]]) + body[6:]
    data = written[:5] + bytes([len(body)]) + body
    return data + _core.crc32c(data).to_bytes(4, "little")


@pytest.mark.parametrize(
    "changes",
    [{"depth": 255}, {"entropy": 1, "entropy_version": 4}, {"model_hash": bytes(8)}, {"model": "latent-2"}],
)
def test_other_files_have_headers_in_full(changes: dict[str, Any]) -> None:
    header = released()
    for name, value in changes.items():
        setattr(header, name, value)
    written = write_header(header)
    assert not written[6] & 2
    assert read_header(written)[0] == header


@pytest.mark.parametrize("number", [0, 6, 0x7F])
def test_unknown_presets(number: int) -> None:
    data = edited(write_header(released()), 5, number)
    assert error_of(data) == UNSUPPORTED
    with pytest.raises(slow_container.RejectedError):
        slow_container.read_header(slow_container.Reader(data))


# Offsets into the body of a header with one-byte sizes and the model id "tiny-1".
@pytest.mark.parametrize(
    ("offset", "value", "error"),
    [
        (1, 0, FORMAT),  # width
        (2, 0, FORMAT),  # height
        (3, 0x72, UNSUPPORTED),  # channels
        (3, 0xF3, UNSUPPORTED),  # bit depth
        (4, 0x02, UNSUPPORTED),  # colour tag
        (4, 0x20, UNSUPPORTED),  # alpha method
        (5, 2, UNSUPPORTED),  # family
        (6, 33, FORMAT),  # size of the model id
        (7, ord("/"), FORMAT),  # model id
        (8, ord("."), FORMAT),
        (9, ord("A"), FORMAT),
        (10, 0xC3, FORMAT),
        (21, 0, FORMAT),  # stride
        (22, 0, FORMAT),  # depth
        (23, 0, UNSUPPORTED),  # entropy coder
        (23, 3, UNSUPPORTED),
        (24, 2, UNSUPPORTED),  # its version
        (24, 5, UNSUPPORTED),
        (25, 0, FORMAT),  # tile columns
        (25, 5, FORMAT),
        (26, 0, FORMAT),  # tile rows
        (26, 4, FORMAT),
    ],
)
def test_values_beyond_this_version(offset: int, value: int, error: int) -> None:
    changed = edited(write_header(make_header()), offset, value)
    assert error_of(changed) == error
    with pytest.raises(slow_container.RejectedError):
        slow_container.read_header(slow_container.Reader(changed))


def test_model_id_is_not_empty() -> None:
    data = write_header(make_header())
    body = data[body_at(data) : -4]
    assert error_of(with_body(body[:6] + b"\0" + body[13:])) == FORMAT


def test_another_version_is_unsupported() -> None:
    data = bytearray(write_header(make_header()))
    data[4] = 2
    assert error_of(data) == UNSUPPORTED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0), ("width", (1 << 30) + 1), ("height", 0), ("height", (1 << 30) + 1), ("channels", 2),
        ("bit_depth", 16), ("colour", 2), ("alpha", 2), ("family", 0), ("model", ""), ("model", "a" * 33),
        ("model", "../x"), ("model", "Tiny"), ("model", "tïny"), ("stride", 0), ("depth", 0), ("depth", 1025),
        ("entropy", 0), ("entropy_version", 2), ("tile_columns", 5), ("tile_rows", 0), ("tile_halo", 256),
    ],
)  # fmt: skip
def test_writer_refuses(field: str, value: object) -> None:
    with pytest.raises(_core.CoreError):
        write_header(make_header(**{field: value}))


def with_body(body: bytes, claimed: int | None = None) -> bytes:
    size = len(body) if claimed is None else claimed
    prefix = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    data = _core.MAGIC + bytes([_core.FORMAT_VERSION]) + prefix + body
    return data + _core.crc32c(data).to_bytes(4, "little")


def test_header_is_as_short_as_ever_for_float32() -> None:
    short, long = (write_header(make_header(arithmetic=number)) for number in (0, 2))
    assert len(long) == len(short) + 1
    assert [read_header(data)[0].arithmetic for data in (short, long)] == [0, 2]


def test_more_body_is_ignored_and_less_is_refused() -> None:
    data = write_header(make_header())
    body = data[body_at(data) : -4]
    for extra in (1, 100, 512 - len(body)):
        longer = with_body(body + bytes(extra))
        header, end = read_header(longer)
        assert (header.tile_halo, header.arithmetic, end) == (0, 0, len(longer))
    for size in range(len(body)):
        assert error_of(with_body(body[:size])) == FORMAT


def test_body_size_is_limited() -> None:
    assert error_of(with_body(bytes(513))) == FORMAT
    assert error_of(_core.MAGIC + b"\x01\xff\xff\xff\xff\x0f") == FORMAT


VARINTS = {0: "00", 1: "01", 127: "7f", 128: "8001", 300: "ac02", (1 << 32) - 1: "ffffffff0f"}
BAD_VARINTS = ["8000", "ff8000", "ffffffff1f", "ffffffff8f", "ffffffffff01", "8080808080"]


@pytest.mark.parametrize("text", BAD_VARINTS)
def test_malformed_varints(text: str) -> None:
    bad = bytes.fromhex(text)
    header = write_header(make_header())
    body = header[body_at(header) : -4]
    assert error_of(with_body(body[:1] + bad + body[2:])) == FORMAT
    with pytest.raises(_core.CoreError) as caught:
        read_chunk(b"\x01" + bad + bytes(20), 0)
    assert caught.value.args[0] == FORMAT


@given(st.integers(0, 255), st.binary(max_size=300), st.binary(max_size=5), st.binary(max_size=5))
def test_chunks_come_back(kind: int, payload: bytes, before: bytes, after: bytes) -> None:
    written = _core.write_chunk(kind, payload)
    data = before + written + after
    chunk = read_chunk(data, len(before))
    assert (chunk.type, chunk.size, chunk.next) == (kind, len(payload), len(before) + len(written))
    assert data[chunk.payload : chunk.payload + chunk.size] == payload


def test_cut_chunks_are_not_there() -> None:
    written = _core.write_chunk(1, bytes(200))
    assert all(read_chunk(written[:size], 0) is None for size in range(len(written)))
    assert read_chunk(written, len(written) + 5) is None


@pytest.mark.parametrize(("value", "text"), VARINTS.items())
def test_chunk_sizes_are_claims(value: int, text: str) -> None:
    """Four gigabytes claimed by a few bytes are a cut chunk, not an allocation."""
    chunk = read_chunk(b"\x01" + bytes.fromhex(text) + bytes(300), 0)
    assert (chunk.size if chunk else None) == (value if value <= 300 else None)


def test_crc32c() -> None:
    assert _core.crc32c(b"123456789") == 0xE3069283
    assert _core.crc32c(b"56789", _core.crc32c(b"1234")) == 0xE3069283
    assert _core.crc32c(b"") == 0 == slow_container.crc32c(b"")
    data = np.random.default_rng(0).bytes(100)
    for size in range(len(data)):
        assert _core.crc32c(data[:size], _core.crc32c(data[size:])) == slow_container.crc32c(
            data[size:] + data[:size]
        )


def example_file(*extra: bytes) -> tuple[bytes, list[list[int]]]:
    """A file of three iterations with ``extra`` chunks after each code chunk, and its codes."""
    rng = np.random.default_rng(2)
    coder, planes = PlaneCoder(4, 3, 4), []
    data = write_header(make_header(depth=4))
    for _ in range(3):
        codes = rng.choice(np.array([-1, 1], np.int8), (4, 3, 4))
        data += code_chunk(*coder.encode(codes)) + b"".join(extra)
        planes.append(codes.transpose(1, 2, 0).ravel().tolist())
    return data + _core.write_chunk(0, b"\x03"), planes


def test_slow_decoder_reads_files_with_unknown_chunks() -> None:
    extra = [_core.write_chunk(kind, bytes(kind)) for kind in (3, 8, 100, 255)]
    data, planes = example_file(*extra)
    assert slow_coder.decode_file(data + b"bytes after the end")[1:] == (planes, False)


def test_slow_decoder_reads_every_prefix() -> None:
    data, planes = example_file()
    _, end = read_header(data)
    for size in range(len(data)):
        whole, at = 0, end
        while (chunk := read_chunk(data[:size], at)) is not None:
            whole, at = whole + 1, chunk.next
        if whole:
            assert slow_coder.decode_file(data[:size])[1:] == (planes[:whole], True)
        else:
            with pytest.raises(slow_container.RejectedError):
                slow_coder.decode_file(data[:size])


def test_short_header_of_format_md() -> None:
    text = (Path(__file__).parents[2] / "FORMAT.md").read_text(encoding="utf-8")
    example = text.split("**A short header**")[1].split("**A file**")[0]
    data = bytes.fromhex("".join(re.findall(r"^    ((?:[0-9A-F]{2} )+) ", example, re.MULTILINE)))
    header, end = read_header(data)
    assert (header.width, header.height, header.channels, header.arithmetic, end) == (16, 16, 1, 1, len(data))
    assert write_header(header) == data


def test_example_of_format_md() -> None:
    text = (Path(__file__).parents[2] / "FORMAT.md").read_text(encoding="utf-8")
    example = text.split("**A file** of two iterations")[1].split("## ")[0]
    rows = re.findall(r"^    ((?:[0-9A-F]{2} )+) ", example, re.MULTILINE)
    signs = re.findall(r"[+−]", example.split("coding order are")[1])
    header, planes, cut = slow_coder.decode_file(bytes.fromhex("".join(rows)))
    assert (header.width, header.height, header.model, cut) == (5, 3, b"example", False)
    assert [code for plane in planes for code in plane] == [1 if sign == "+" else -1 for sign in signs]


def scanlines(rows: NDArray[np.uint8], types: list[int]) -> bytes:
    """Rows filtered as PNG says, row y with filter ``types[y]``."""
    padded = np.pad(rows.astype(int), ((1, 0), (1, 0)))
    out = b""
    for y, kind in enumerate(types, 1):
        a, b, c = padded[y, :-1], padded[y - 1, 1:], padded[y - 1, :-1]
        distances = np.abs(np.stack([b - c, a - c, a + b - 2 * c]))
        paeth = np.choose(distances.argmin(axis=0), [a, b, c])
        predicted = (np.zeros_like(a), a, b, (a + b) // 2, paeth)[kind]
        out += bytes([kind]) + ((padded[y, 1:] - predicted) % 256).astype(np.uint8).tobytes()
    return out


@given(
    st.integers(1, 9), st.lists(st.integers(0, 4), min_size=1, max_size=9), st.randoms(use_true_random=False)
)
def test_png_filters_are_undone(width: int, types: list[int], random: Random) -> None:
    rows = np.frombuffer(random.randbytes(len(types) * width), np.uint8).reshape(len(types), width)
    data = scanlines(rows, types)
    np.testing.assert_array_equal(_core.unfilter(data, len(types), width), rows)
    slow = slow_container.unfilter(slow_container.Reader(data), width, len(types))
    assert b"".join(slow) == rows.tobytes()


@pytest.mark.parametrize("data", [b"", bytes(11), bytes(13), b"\x05" + bytes(11)])
def test_rows_of_other_sizes_or_filters_are_refused(data: bytes) -> None:
    with pytest.raises(_core.CoreError) as caught:
        _core.unfilter(data, 3, 3)
    assert caught.value.args[0] == FORMAT
