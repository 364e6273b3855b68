"""What root gives up before a contribution is imported."""

import os
import subprocess
import sys

import pytest

from harness import paths

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")

PROGRAM = """
from harness.sandbox import rights
before = rights.in_effect()
rights.give_up()
import subprocess
print(bool(before), repr(rights.in_effect()))
command = ["grep", "CapEff", "/proc/self/status"]
print(subprocess.run(command, capture_output=True, text=True).stdout)
"""


def test_nothing_is_left_neither_here_nor_in_what_it_starts():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=paths.ROOT, capture_output=True, text=True, check=True
    )
    mine, started = done.stdout.splitlines()[:2]
    assert mine == f"{os.geteuid() == 0} ''"
    assert int(started.split()[1], 16) == 0


def test_a_right_that_stays_stops_the_child():
    program = (
        "from harness.sandbox import rights\n"
        "rights.in_effect = lambda: 'CapEff:0000000000000001'\n"
        "rights.give_up()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "capabilities are left: CapEff" in done.stderr
