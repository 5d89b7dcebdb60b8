"""``python -m recodec``, for launchers that start modules."""

from recodec.cli import main

main(prog_name="recodec")
