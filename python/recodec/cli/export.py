"""``recodec export``."""

from __future__ import annotations

import json

import click

from recodec.cli import completion, jobs, options


@click.command()
@click.argument("model", default="default", shell_complete=completion.models)
@options.apply(
    click.option(
        "--onnx",
        "folder",
        required=True,
        metavar="DIR",
        shell_complete=completion.folder_names,
        help="Folder for the files; it is made.",
    ),
    options.as_json,
)
def export(model: str, folder: str, as_json: bool) -> None:
    """Write MODEL for programs without Python: networks as ONNX, and ID.rcm.

    MODEL is an id or a weights file, and the default model if it is left out. docs/export.md says how to decode with
    what is written.
    """
    from recodec.export import export_model

    with jobs.one_line_errors(model):
        for path in export_model(model, folder):
            size = path.stat().st_size
            record = {"out": str(path), "bytes": size}
            click.echo(json.dumps(record) if as_json else f"{path}: {size} bytes")
