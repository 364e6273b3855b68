"""command_line.py: what goes wrong becomes a message and a code, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import paths
from toolkit.core.command_line import exit_code
from toolkit.core.errors import HubError, UsageError
from toolkit.core.settings import TrainConfig


def ending(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize("code", [0, 1])
def test_a_command_has_its_own_code(code, capsys):
    assert exit_code(lambda: code, stopped="") == code
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (HubError("It is damaged.", fix="Mend it."), 1, "error: It is damaged.\n  fix  Mend it.\n"),
        (UsageError("There is none."), 2, "error: There is none.\n"),
        (OSError("no such file"), 1, "error: no such file\n"),
        (ValueError("too large"), 1, "error: too large\n"),
        (KeyboardInterrupt(), 130, "\nstopped\n"),
        (KeyboardInterrupt("Step 3 is on disk."), 130, "\nStep 3 is on disk.\n"),
    ],
)
def test_every_fault_has_its_message_and_code(error, code, message, capsys):
    assert exit_code(ending(error), stopped="stopped") == code
    assert capsys.readouterr().err == message


def test_a_value_out_of_range_is_a_wrong_call_and_names_the_field(capsys):
    assert exit_code(lambda: TrainConfig(steps=0).steps, stopped="") == 2
    said = "error: These options are not valid: "
    assert capsys.readouterr().err.startswith(f"{said}steps: Input should be greater")
    names = {"steps": "--steps"}
    assert exit_code(lambda: TrainConfig(steps=0).steps, stopped="", options=names) == 2
    assert capsys.readouterr().err.startswith(f"{said}--steps: Input should be greater")


def test_other_exceptions_pass_through():
    with pytest.raises(RuntimeError):
        exit_code(ending(RuntimeError()), stopped="")
    with pytest.raises(ValueError, match="a fault of the program"):
        exit_code(ending(ValueError("a fault of the program")), stopped="", faults=(OSError,))


def test_a_closed_pipe_is_no_fault():
    code = (
        "from toolkit.core.command_line import exit_code\n"
        "raise SystemExit(exit_code(lambda: print('x' * 2**20)))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def test_a_broken_pipe_to_somebody_else_is_one():
    with pytest.raises(BrokenPipeError):
        exit_code(ending(BrokenPipeError()))
