"""Children that are forked with the libraries in memory have nothing else of their nursery's."""

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.sandbox import child as child_module
from harness.sandbox import warm
from harness.sandbox.child import run_children
from harness.sandbox.choose import why_not
from harness.sandbox.layers import LAYERS
from tests.harness.worker.test_worker import Silent, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the nursery is for Linux")
FORKED = [one for one in LAYERS if one != "bubblewrap" and why_not(one) is None]


def found_by(name, base, out, layer):
    """Run LooksAround; return what it found and its process."""
    child = start(name, base, out, isolation=layer)
    run_children([child], Silent())
    text = (out / "log.txt").read_text()
    (line,) = [one for one in text.splitlines() if one.startswith("FOUND ")]
    return json.loads(line.removeprefix("FOUND ")), child


# Under Landlock the package `tests`, in which the fixture lies, cannot be imported.
@pytest.mark.parametrize("layer", [one for one in FORKED if one != "landlock"])
def test_a_forked_child_finds_what_a_cold_one_does(layer, random_base, tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_HOSTILE_TOKEN", "a secret")
    first, child = found_by("LooksAround", random_base, tmp_path / "first", layer)
    assert isinstance(child._process, warm.Process)
    environment = Path(f"/proc/{warm._kept['']._process.pid}/environ")
    if os.geteuid() == 0:
        assert b"a secret" not in environment.read_bytes()
    else:
        with pytest.raises(PermissionError):  # no other process can look into it
            environment.read_bytes()
    second, _ = found_by("LooksAround", random_base, tmp_path / "second", layer)
    monkeypatch.setattr(child_module, "fork", lambda *_: None)
    cold, child = found_by("LooksAround", random_base, tmp_path / "cold", layer)
    assert not isinstance(child._process, warm.Process)
    for name in ("files", "open", "rights", "threads"):
        assert first[name] == cold[name], name
    assert "HUB_HOSTILE_TOKEN" not in first["environment"]
    assert set(first["environment"]) == set(cold["environment"]) - {"PWD"}  # the shell's
    assert first["temporary"] == str(tmp_path / "first" / "tmp")
    assert all(a != b for a, b in zip(first["drawn"], second["drawn"], strict=True))


def test_the_nursery_ends_with_the_hub_and_a_lost_one_is_replaced(random_base, tmp_path):
    layer = FORKED[0]
    nursery = warm._kept[""]
    nursery._process.kill()
    nursery._process.wait()
    _, child = found_by("LooksAround", random_base, tmp_path / "out", layer)
    assert warm._kept[""] is not nursery
    assert child.outcome.status == "failed"


def test_a_child_whose_nursery_dies_ends_and_says_so(random_base, tmp_path):
    child = start("Hangs", random_base, tmp_path / "out", isolation=FORKED[0])
    inside = psutil.Process(child._process.pid)
    while "child" not in (tmp_path / "out" / "log.txt").read_text():
        child.poll(Silent())
        time.sleep(0.1)
    below = inside.children(recursive=True)
    warm._kept[""]._process.kill()
    run_children([child], Silent())
    assert child.outcome.status == "crashed"
    _gone, left = psutil.wait_procs([inside, *below], timeout=300)
    assert not left


def test_jobs_that_a_fork_would_change_start_cold(monkeypatch):
    class Job:
        device, threads = "cpu", 1

    assert warm.can_fork("namespaces", Job())
    assert not warm.can_fork("bubblewrap", Job())
    for name, value in (("device", "cuda"), ("threads", 2), ("alone", True)):
        other = Job()
        setattr(other, name, value)
        assert not warm.can_fork("namespaces", other)
    monkeypatch.setattr(warm.platform, "machine", lambda: "riscv64")
    assert not warm.can_fork("namespaces", Job())
