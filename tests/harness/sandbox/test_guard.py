"""The guard: nothing outlives it, whatever it does, and it is what a child sees as process 1."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from harness.sandbox import layers, trial
from harness.sandbox.choose import why_not

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard needs Linux")

PYTHON = [sys.executable, "-I", "-S", "-c"]

# Forks and leaves, again and again: no number is its own for a millisecond.
CHAIN = """
import os, time
end = time.monotonic() + 8
os.setsid()
while time.monotonic() < end:
    if os.fork(): os._exit(0)
"""
STARTS_IT = (
    "import os, sys, time\nif os.fork() == 0: os.execv(sys.argv[1], sys.argv[1:])\ntime.sleep(.2)"
)

# As on a machine with thousands of processes, where reading /proc takes that long.
ON_A_LARGE_MACHINE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import guard
quick = guard.descendants
def slow():
    found = list(quick())
    time.sleep(0.02)
    return found
guard.descendants = slow
raise SystemExit(guard.main(sys.argv[2:]))
"""

WRITES_ON = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        while True:
            with open("beat", "w") as file: file.write(str(time.time()))
time.sleep(0.2)
os._exit(0)
"""


def test_a_chain_of_forks_is_caught(tmp_path):
    settings = tmp_path / "sandbox.json"
    settings.write_text(json.dumps({"mounts": [], "folder": str(tmp_path)}))
    program = [*PYTHON, STARTS_IT, *PYTHON, CHAIN]
    guard = [*PYTHON, ON_A_LARGE_MACHINE, str(layers.GUARD.parent), str(settings), "--", *program]
    began = time.monotonic()
    with subprocess.Popen(guard, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()  # as long as anything that it started holds the other end
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("layer", ["bubblewrap", "namespaces", "landlock"])
def test_when_a_layer_says_that_it_has_ended_nothing_in_it_runs(layer, tmp_path):
    if why_not(layer) is not None:
        pytest.skip(f"{layer}: {why_not(layer)}")
    (tmp_path / "out" / "tmp").mkdir(parents=True)
    for _ in range(3):
        program = [*PYTHON, WRITES_ON]
        start = layers.prepare(layer, trial.NoJob(), tmp_path / "out", trial.LIMITS, program)
        trial.run(start.command, tmp_path / "out")
        ended = time.time()
        time.sleep(0.05)
        assert float((tmp_path / "out" / "tmp" / "beat").read_text() or 0) <= ended


def test_process_one_in_bubblewrap_is_the_guard(tmp_path):
    if why_not("bubblewrap") is not None:
        pytest.skip(f"bubblewrap: {why_not('bubblewrap')}")
    (tmp_path / "tmp").mkdir()
    program = [*PYTHON, "print(open('/proc/1/cmdline').read())"]
    start = layers.prepare("bubblewrap", trial.NoJob(), tmp_path, trial.LIMITS, program)
    assert start.holds_stdin
    with subprocess.Popen(
        start.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path / "tmp"
    ) as process:
        assert process.stdout is not None
        assert str(layers.GUARD).encode() in process.stdout.read()
