"""Decode all files of the zoo in a folder, in a process of its own: pixels and latents beside each.

    python bench/zoo_decode.py FOLDER

For NAME.rcd it writes NAME.npz, in which "pixels" are H x W x 3 and "stage 0", "stage 1", … the latents. Whoever made
the files compares them with what was encoded: nothing but the files and the weights that they name comes here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recodec
from recodec.container.core import CODES
from recodec.container.reader import Reader
from recodec.families.registry import read_file_header
from recodec.limits import Limits
from recodec.zoo.learned.symbols import SymbolDecoder


def decode_folder(folder: Path) -> None:
    for path in sorted(folder.glob("*.rcd")):
        data = path.read_bytes()
        reader = Reader(data)
        decoder = read_file_header(reader.header()).checker(Limits())
        assert isinstance(decoder, SymbolDecoder)
        decoder.take([chunk.payload for chunk in reader.chunks() if chunk.type == CODES])
        found: dict[str, Any] = {
            f"stage {number}": stage.latents for number, stage in enumerate(decoder.stages)
        }
        np.savez(path.with_suffix(".npz"), pixels=recodec.decode(data, like="numpy"), **found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    decode_folder(Path(sys.argv[1]))
