"""What a command line makes of a fault: exit codes, messages, tracebacks that stay."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from harness import paths
from toolkit.core.command_line import run
from toolkit.core.errors import HubError, UsageError
from toolkit.core.settings import TrainConfig


def raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def test_a_result_is_the_exit_code_and_none_is_fine():
    assert run(lambda: 3) == 3
    assert run(lambda: None) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HubError("Broken.", fix="Mend it."), 1, "error: Broken.\n  fix  Mend it.\n"),
        (UsageError("No such."), 2, "error: No such.\n"),
        (FileNotFoundError("gone"), 1, "error: gone\n"),
        (KeyboardInterrupt(), 130, "\nStopped. No file was left half-written.\n"),
        (KeyboardInterrupt("Stopped at step 3."), 130, "\nStopped at step 3.\n"),
    ],
)
def test_a_fault_is_a_message_and_a_code(error, code, said, capsys):
    assert run(raising(error)) == code
    assert capsys.readouterr().err == said


def test_a_setting_that_a_record_refuses_is_a_wrong_call(capsys):
    code = run(lambda: len(TrainConfig(steps=-1).model_dump()), expected=(ValueError,))
    assert code == 2
    assert capsys.readouterr().err.startswith("error: steps: ")


def test_an_unexpected_fault_keeps_its_traceback():
    with pytest.raises(OSError, match="disk"):
        run(raising(OSError("disk")), expected=())
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_a_closed_pipe_is_no_fault():
    code = (
        "from toolkit.core.command_line import run\n"
        "raise SystemExit(run(lambda: print('x' * 2**20)))"
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
