"""Files of autoencoders whose stages are put together by hand."""

from __future__ import annotations

import numpy as np

from recodec import _core, zoo
from recodec.container.core import CHECKSUM_BYTES, CODES, END
from recodec.container.reader import Reader
from recodec.errors import FormatError, RecodecError
from recodec.limits import Limits
from recodec.networks.autoencoder.adjustments import adjustable
from recodec.weights import Model, load_model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.header import Fields, LearnedFileHeader
from recodec.zoo.learned.symbols import Stage, checksum, encode_stage
from tests.strip_files import chunks_from


def adjusted_file(model: Model, stages: list[Stage], plain: bytes, *, damage: bytes | None = None) -> bytes:
    """A picture's file with other stages; ``damage`` in the place of the first stage's coded bytes."""
    header, _ = _core.read_header(plain)
    fields = Fields.of(bytes(header.fields))
    header.fields = Fields(fields.level, fields.patch, tuned=True).to_bytes()
    data = _core.write_header(header)
    for number, stage in enumerate(stages):
        payload = encode_stage(model.network, Fields.of(bytes(header.fields)), number, stage)
        if damage is not None:
            payload = payload[:CHECKSUM_BYTES] + damage
        data += _core.write_chunk(CODES, payload)
    return data + _core.write_chunk(END, _core.write_varint(len(stages)))


def stages_of(model: Model, plain: bytes) -> list[Stage]:
    """Those of a file of a whole picture at level 0."""
    config = model.network.config
    payloads = [chunk.payload for chunk in Reader(plain).chunks() if chunk.type == CODES]
    header, _ = _core.read_header(plain)
    grid = -(-header.height // config.stride), -(-header.width // config.stride)
    return [
        Stage(model.network.tables.coder(0, number).decode(payload[CHECKSUM_BYTES:], *grid))
        for number, payload in enumerate(payloads)
    ]


def repair_stages(data: bytearray, max_pixels: int = 1 << 16) -> None:
    """Make the checksums of stages right for what they stand for, wherever that can be told."""
    try:
        common, at = _core.read_header(data)
        if common.family != ZOO.number or common.width * common.height > max_pixels:
            return
        header = LearnedFileHeader(ZOO, common)
        decoder = header.checker(Limits())
    except (_core.CoreError, RecodecError):
        return
    chunks = [chunk for chunk in chunks_from(data, at) if chunk.type == CODES]
    for number, chunk in zip(range(load_model(common.model).network.config.stages), chunks, strict=False):
        coded = bytes(data[chunk.payload + CHECKSUM_BYTES : chunk.next])
        if chunk.size < CHECKSUM_BYTES:
            continue
        try:
            found = checksum(coded, decoder.read(memoryview(coded), number))
        except FormatError:
            continue
        data[chunk.payload : chunk.payload + CHECKSUM_BYTES] = found


def learned_files(system: str) -> list[bytes]:
    """Small sound files of a system: as it is, in patches, and with an adjusted synthesis."""
    y, x = np.mgrid[0:13, 0:18]
    pixels = np.stack([x * 13, y * 18, x * y], axis=2).astype(np.uint8)
    model = load_model(system)
    plain = zoo.encode(system, pixels)
    changes = np.random.default_rng(1).integers(-60, 60, (2, adjustable(model.network.synthesis[0])))
    tuned = [Stage(stage.latents, changes.astype(np.int16)) for stage in stages_of(model, plain)]
    return [plain, zoo.encode(system, pixels, patch=16), adjusted_file(model, tuned, plain)]
