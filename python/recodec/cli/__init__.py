"""The ``recodec`` command.

Its modules import torch, NumPy and Pillow inside functions only, so that ``--help`` is instant.
"""

from __future__ import annotations

import click

from recodec.cli.decode import decode
from recodec.cli.demo import demo
from recodec.cli.encode import encode
from recodec.cli.environment import env
from recodec.cli.evaluate import evaluate
from recodec.cli.inspect import info, truncate, verify
from recodec.cli.train import train

_EPILOG = """\b
Exit codes:
  0  done
  1  a file cannot be read or written, some of several files failed, or Ctrl-C
  2  wrong usage
  3  bad input: not an image, not a sound .rcd file, a target out of reach, a bad recipe
  4  the model or its weights are missing or unusable

A file named - is standard input or output. Sizes may end in k, M, G (powers of
1000) or KiB, MiB, GiB (powers of 1024).
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recodec", message="%(prog)s %(version)s")
def main() -> None:
    """Compress photographs with a progressive neural codec: any prefix of a file is a picture."""


for command in (encode, decode, info, truncate, verify, env, demo, evaluate, train):
    main.add_command(command)
