"""Ctrl-C and sudden death: no orphan, no half-written file."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.worker.test_worker import is_alive

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

# A parent that follows one worker which never ends by itself.
PROGRAM = """
import sys
from pathlib import Path
from tests.harness.worker.test_worker import Silent, start
from harness.sandbox.child import run_children
child = start("Hangs", Path(sys.argv[1]), Path(sys.argv[2]), timeout_s=600)
print(child._process.pid, flush=True)
try:
    run_children([child], Silent())
except KeyboardInterrupt:
    sys.exit(130)
"""


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_survives_its_parent(how, random_base, tmp_path):
    out = tmp_path / "out"
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(random_base), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    # Wait until the contribution's own code runs.
    wait_for(lambda: (out / "log.txt").exists() and "child" in (out / "log.txt").read_text())
    parent.send_signal(how)
    code = parent.wait(timeout=300)
    parent.stdout.close()
    assert code == (130 if how == signal.SIGINT else -signal.SIGKILL)
    wait_for(lambda: not is_alive(worker), 10)
    assert not list(out.rglob("*.tmp"))
    json.loads((out / "job.json").read_text())  # whole
