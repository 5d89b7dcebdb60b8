"""``recodec view``: pictures in the browser, as they arrive."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from recodec.cli import completion, jobs, loading, options, output
from recodec.io import folders
from recodec.io.folders import LeftOut
from recodec.io.picture_kinds import is_rcd_file

if TYPE_CHECKING:
    from recodec.web.site import Picture, Site


@click.command()
@options.apply(
    click.argument("path", metavar="FILE|FOLDER", shell_complete=completion.file_names),
    click.option(
        "--speed",
        type=options.Number(min=0.1, max=1e6),
        metavar="KB",
        help="Send files with so many kB each second, as a slow link would, e.g. 50.",
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=0,
        metavar="N",
        help="Port to listen on; one that is free if it is left out.",
    ),
    click.option("--no-browser", is_flag=True, help="Print the address and open no browser."),
    click.option(
        "--export",
        "folder",
        metavar="DIR",
        shell_complete=completion.folder_names,
        help="Write the page into a folder for any web server, and end.",
    ),
    click.option(
        "--model",
        metavar="MODEL",
        shell_complete=completion.models,
        help="Weights to try before those that are found by the ids that files name: an id or a file.",
    ),
)
def view(
    path: str, speed: float | None, port: int, no_browser: bool, folder: str | None, model: str | None
) -> None:
    """Show .rcd files in the browser, each picture as its file arrives.

    A folder stands for every .rcd file in and below it. The page is served to this machine alone until Ctrl-C, or
    written with --export; docs/web.md says how to use it in pages of your own.
    """
    with jobs.one_line_errors(path):
        if model is not None:
            loading.check(model)
        site = _site(path, model)
        if folder is None:
            _serve(site, port, speed, opened=not no_browser)
            return
    with jobs.one_line_errors(folder):
        size = sum(written.stat().st_size for written in site.write(folder))
    click.echo(f"{output.displayed(folder)}: {output.counted(len(site.contents), 'file')}, {size} bytes")


def _site(path: str, model: str | None) -> Site:
    """The page. Raises what keeps a single picture, or all of them, from being shown."""
    pictures = _pictures(path)
    from recodec.web import site_of

    site = site_of(pictures, model)
    if len(site.failures) == len(pictures):
        raise next(iter(site.failures.values()))
    for name, failure in site.failures.items():
        jobs.Failure.of(failure).report(name)
    return site


def _pictures(path: str) -> list[Picture]:
    from recodec.web.site import Picture

    left_out: list[LeftOut] = []
    found = []
    inside = os.path.isdir(path)
    # Missing, or not to be read: said before torch is loaded.
    if not inside:
        output.check_source(path)
    root = os.path.join(os.path.realpath(path), "")
    for file, name, problem in folders.find(path, is_rcd_file, left_out):
        if problem is not None:
            jobs.Failure.of(problem).report(file)
        elif inside and not os.path.realpath(file).startswith(root):
            jobs.warn(file, "a link that leads out of the folder, left out")
        else:
            found.append(Picture(file, name))
    if not found:
        raise FileNotFoundError(errno.ENOENT, "there is no .rcd file in it", path)
    return found


def _serve(site: Site, port: int, speed: float | None, *, opened: bool) -> None:
    from recodec.web import PacedServer

    with jobs.one_line_errors(f"port {port}"):
        server = PacedServer(site, port, speed)
    with server:
        output.say(f"{server.address} (Ctrl-C ends)")
        if opened:
            import webbrowser

            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
