"""Fuzz the Python surface: ``python -m tests.fuzz --executions N --seed S [--corpus DIR]``."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
from pathlib import Path

from .inputs import GOLDEN

os.environ["RECODEC_WEIGHTS"] = str(GOLDEN)

import torch

from .runner import Report, fuzz

_MAX_FINDINGS = 20
# Of the processor; by the clock, which a busy machine makes long, for threads that wait for each other.
_HANG_SECONDS, _WAIT_SECONDS = 60, 3600


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first execution, to repeat one")
    parser.add_argument("--corpus", type=Path, help="folder with more .rcd files to start from")
    parser.add_argument(
        "--findings", type=Path, default=Path("build/fuzz-findings"), help="where inputs are left"
    )
    options = parser.parse_args()

    torch.set_num_threads(1)
    faulthandler.enable()
    # Dumps where it hangs, then dies of the signal, even inside C.
    for hung in (signal.SIGALRM, signal.SIGPROF):
        faulthandler.register(hung, chain=True)
    print(f"seed {options.seed}: what kills this process can be repeated with --first", flush=True)

    def progress(report: Report) -> None:
        signal.setitimer(signal.ITIMER_PROF, _HANG_SECONDS)
        signal.alarm(_WAIT_SECONDS)
        if report.findings and (report.findings[-1].number == options.first + report.executions - 1):
            report.findings[-1].save(options.findings)
            print(f"finding {report.findings[-1].name}\n{report.findings[-1].reason}", flush=True)
            if len(report.findings) >= _MAX_FINDINGS:
                raise SystemExit("that is enough for one run")
        if report.executions % 10_000 == 0:
            print(
                f"{options.first + report.executions}, {report.executions / report.seconds:.0f} a second",
                flush=True,
            )

    report = fuzz(
        options.executions, options.seed, first=options.first, corpus=options.corpus, progress=progress
    )
    for name, seconds in sorted(report.spent.items()):
        kinds = {kind: count for (surface, kind), count in report.outcomes.items() if surface == name}
        total = sum(kinds.values())
        shown = ", ".join(
            f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1])
        )
        print(f"{name:14} {total:8} executions, {1e6 * seconds / total:6.0f} µs each: {shown}")
    print(
        f"{report.executions} executions, {report.seconds:.0f} s, {report.executions / report.seconds:.0f} a second; "
        f"slowest {report.slowest:.2f} s, memory grown by {report.grown_kib / 1024:.0f} MiB; "
        f"{len(report.findings)} findings"
    )
    return bool(report.findings)


sys.exit(main())
