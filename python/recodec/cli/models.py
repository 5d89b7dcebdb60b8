"""``recodec models``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from recodec.cli import jobs, options, output
from recodec.errors import WeightsError
from recodec.model_cards import card_of
from recodec.model_search import DEFAULT_MODEL, find_model, weights_files


@click.command()
@options.as_json
def models(as_json: bool) -> None:
    """List the models that are installed here.

    Those in the folders of RECODEC_WEIGHTS come first, then those of the package, then those of 'recodec zoo'. Licences
    and figures are what the card beside the weights says: how many bits files take beside JPEG 4:2:0 of equal quality,
    on the Kodak pictures. The hash is what files carry. Codecs without weights (lossless, mlp) are not listed.
    """
    codes = []
    with jobs.one_line_errors("models"):
        for path in weights_files():
            try:
                found = _describe(path)
            except (WeightsError, OSError) as error:
                failure = jobs.Failure.of(error)
                failure.report(str(path))
                codes.append(failure.code)
                found = {"id": path.stem, "file": str(path), **failure.record}
            if as_json:
                output.say(json.dumps(found, ensure_ascii=False))
            elif "error" not in found:
                output.say(_text(found))
    if codes:
        click.get_current_context().exit(max(codes))


def _describe(path: Path) -> dict[str, Any]:
    from recodec.weights import look_at

    architecture, digest = look_at(path)
    card = card_of(path)
    first = find_model(path.stem) == path
    return {
        "id": path.stem,
        "default": first and path.stem == DEFAULT_MODEL,
        "hidden": not first,
        "architecture": architecture,
        "bytes": path.stat().st_size,
        "hash": digest.hex(),
        "licence": card.licence,
        "data_licence": card.data_licence,
        "bd_rate": card.bd_rate,
        "file": str(path),
    }


def _text(found: dict[str, Any]) -> str:
    name = output.displayed(found["id"]) + (", the default" if found["default"] else "")
    if found["hidden"]:
        name += ", hidden by another of this id: named by its file or, of a .rcd file, by its hash"
    labels = {"ms_ssim": "MS-SSIM", "psnr": "PSNR"}
    rates = [
        f"{abs(rate):.1f} % {'fewer' if rate < 0 else 'more'} bits for equal {labels[metric]}"
        for metric, rate in (found["bd_rate"] or {}).items()
    ]
    rows = {
        "network": f"{found['architecture']}, {found['bytes'] / 1e6:.1f} MB, hash {found['hash']}",
        "licence": found["licence"],
        "data": found["data_licence"],
        "JPEG": ", ".join(rates),
        "file": found["file"],
    }
    lines = (f"  {key:<9}{output.displayed(value or 'not stated')}" for key, value in rows.items())
    return "\n".join([name, *lines])
