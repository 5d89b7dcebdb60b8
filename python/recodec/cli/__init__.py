"""The ``recodec`` command.

Its modules import torch, NumPy and Pillow inside functions only, so that ``--help`` is instant.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

import click

from recodec.cli import jobs, output
from recodec.cli.decode import decode
from recodec.cli.demo import demo
from recodec.cli.encode import encode
from recodec.cli.environment import env
from recodec.cli.evaluate import evaluate
from recodec.cli.export import export
from recodec.cli.inspect import info, truncate, verify
from recodec.cli.models import models
from recodec.cli.train import train
from recodec.cli.train_entropy import train_entropy
from recodec.cli.view import view
from recodec.cli.zoo import zoo

_EPILOG = """\b
Exit codes:
  0  done
  1  a file cannot be read or written, some of several files failed, or Ctrl-C
  2  wrong usage, a package that is missing, or an environment variable that names
     what is not there
  3  bad input: not an image, not a sound .rcd file, a target out of reach, a bad recipe
  4  the model or its weights are missing or unusable

A file named - is standard input or output. Sizes may end in k, M, G (powers of
1000) or KiB, MiB, GiB (powers of 1024).
"""


class _Main(click.Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; if standard output does not take what it says, say so in one line."""
        if sys.stderr is None:
            # print would write to standard output instead, between the bytes of a picture.
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        if isinstance(sys.stdout, io.TextIOWrapper):
            # As standard error has it: a name that the locale cannot write stops nothing.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                # At the end of the process it would be too late.
                if sys.stdout is not None:
                    sys.stdout.flush()
        except OSError as error:
            output.abandon_stdout()
            if error.errno != errno.EPIPE:
                jobs.warn("standard output", error.strerror or str(error))
            sys.exit(jobs.FAILED)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; tell files whose names begin with a dash from options that do not exist."""
        named = [argument for argument in ctx.args if argument.startswith("-") and os.path.exists(argument)]
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if not named:
                raise
            hint = f"{error.message} For the file of that name give ./{named[0]}"
            raise click.NoSuchOption(error.option_name, hint, error.possibilities, error.ctx) from error


@click.group(cls=_Main, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="recodec", message="%(prog)s %(version)s")
def main() -> None:
    """Compress photographs with a progressive neural codec: any prefix of a file is a picture."""


for command in (
    encode,
    decode,
    info,
    truncate,
    verify,
    models,
    env,
    demo,
    evaluate,
    export,
    train,
    train_entropy,
    view,
    zoo,
):
    main.add_command(command)
