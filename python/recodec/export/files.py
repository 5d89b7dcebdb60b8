"""A model as files."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from recodec.errors import PackageError
from recodec.io.outputs import write
from recodec.model_search import DEFAULT_MODEL
from recodec.weights import load_model


def export_model(model: str | os.PathLike[str], folder: str | os.PathLike[str]) -> list[Path]:
    """Write ``ID.encoder.onnx``, ``ID.decoder.onnx`` and ``ID.rcm`` into a folder, which is made; return their paths.

    ``model`` is an id or a weights file. docs/export.md says what is in them. Raises :class:`WeightsError` for a model
    that has no embedded planes, :class:`PackageError` where the package onnx is missing, and :class:`OSError`.
    """
    if find_spec("onnx") is None:
        raise PackageError("exporting needs the package onnx; install recodec with the extra onnx")
    from recodec.export import latent
    from recodec.export.model_file import check_exported, model_file

    loaded = load_model(DEFAULT_MODEL if model == "default" else model)
    check_exported(loaded)
    network = loaded.network
    notes = {"model": loaded.id, "model_hash": loaded.hash.hex(), "chunks": str(network.iterations)}
    contents = {
        "encoder.onnx": latent.encoder(network, notes),
        "decoder.onnx": latent.decoder(network, notes),
        "rcm": model_file(loaded),
    }
    made = Path(folder)
    made.mkdir(parents=True, exist_ok=True)
    paths = []
    for ending, data in contents.items():
        paths.append(made / f"{loaded.id}.{ending}")
        write(paths[-1], data)
    return paths
