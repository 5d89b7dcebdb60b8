"""Kernels compile for GPUs that are not here, in a process of their own, which does not interpret them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recodec.kernels.compile import find_compile_cases
from recodec.kernels.tuner import tune
from recodec.kernels.tuning import TYPE_NAMES


def compile_in_subprocess(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(folder), **more}
    command = [sys.executable, "-m", "recodec.kernels.compile", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("words", "targets"),
    [
        (("rnn-1-decoder-1", "float16", "residual_conv_gru_candidate"), ("90",)),
        (("rnn-1-decoder-2", "bfloat16", "conv_gru_gates"), ("80",)),
        (("paper-decoder-4", "bfloat16", "conv_lstm_step"), ("90",)),
        (("projection", "bfloat16"), ("90",)),
        (("feedback", "later", "float16"), ("80",)),
        (("reconstruct", "later", "bfloat16"), ("90",)),
        (("binarize", "rnn-1-binarizer", "bfloat16"), ("90",)),
    ],
    ids=lambda words: "-".join(words),
)
def test_kernels_compile_ahead_of_time(
    words: tuple[str, ...], targets: tuple[str, ...], tmp_path: Path
) -> None:
    done = compile_in_subprocess(tmp_path, *words, "--target", *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    _, *lines = done.stdout.splitlines()
    expected = [compile_case.name for compile_case in find_compile_cases(words)]
    assert expected
    assert len(lines) == len(targets) * len(expected)
    for line in lines:
        target, registers, _, shared, _ = line.split()[:5]
        assert target in targets
        assert registers == "-" or int(registers) <= 255
        assert int(shared) <= 99 << 10


def test_every_kernel_has_compile_cases_for_every_number_type() -> None:
    names = [compile_case.name for compile_case in find_compile_cases()]
    assert len(names) == len(set(names))
    types: dict[str, set[str]] = {}
    for name in names:
        types.setdefault(name.split()[0], set()).update(name.split())
    assert types.keys() == {
        "conv_lstm_step",
        "conv_gru_gates",
        "conv_gru_candidate",
        "residual_conv_gru_candidate",
        "projection",
        "feedback",
        "reconstruct",
        "binarize",
    }
    assert all(words >= TYPE_NAMES.keys() for words in types.values())
    for compile_case in find_compile_cases():
        assert {*compile_case.signature, *compile_case.constants} <= set(compile_case.function.arg_names)


def test_compiling_while_interpreting_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    done = compile_in_subprocess(tmp_path, TRITON_INTERPRET="1")
    assert done.returncode == 3
    assert done.stderr.startswith("error: TRITON_INTERPRET is set")
    assert done.stderr.count("\n") == 1


def test_kernels_that_are_not_there_are_wrong_usage(tmp_path: Path) -> None:
    for arguments in (("nosuch", "bfloat16"), ("projection", "bfloat16", "--target", "50")):
        done = compile_in_subprocess(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"no kernel has all of the words '{' '.join(arguments[:2])}'" in done.stderr


def test_tuning_a_kernel_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        tune.main(["--operator", "projection", "nosuch"])
    assert left.value.code == 2
    assert "there is no kernel 'nosuch'; there are binarize, " in capsys.readouterr().err
