"""The kernel's books on real processes: what they did counts, however they try to leave it out."""

import subprocess
import sys
import time

import pytest

from harness.sandbox import books, task_limit
from harness.sandbox.meter import Meter
from harness.sandbox.watch import Watch

BURN = "import time\nwhile time.process_time() < {s}: pass\n"
SHORT_CHILDREN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits: the parent's account stays empty
for _ in range(20):
    if os.fork() == 0:
        until = time.process_time() + 0.05
        while time.process_time() < until: pass
        os._exit(0)
time.sleep({rest})
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@linux
@pytest.mark.skipif(books.available() is None, reason="no control group can be made here")
def test_children_that_nobody_waits_for_are_in_the_books():
    group = books.open_books()
    code = SHORT_CHILDREN.format(rest=2)
    command = task_limit.entering([group], [sys.executable, "-c", code])
    subprocess.run(command, check=True)
    counted = books.processor_seconds(group)
    task_limit.remove(group)
    assert not group.exists()
    assert 1.0 <= counted < 3.0


@linux
def test_without_books_the_kernels_word_at_the_end_counts(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", BURN.format(s=0.5)])
    seen = Watch(process.pid, tmp_path, 1 << 40)
    while (told := books.wait_for(process.pid)) is None:
        time.sleep(0.01)
    process.returncode, ended = told
    seen.close(ended)
    assert process.returncode == 0
    assert 0.5 <= seen.peak.cpu_s < 1.5


@linux
def test_without_books_processes_that_ended_stay_counted(tmp_path):
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN.format(s=0.5)!r}])"
    process = subprocess.Popen([sys.executable, "-c", f"{code}\nimport time\ntime.sleep(60)"])
    seen = Watch(process.pid, tmp_path, 1 << 40)
    try:
        until = time.monotonic() + 300
        while seen.usage(0).cpu_s < 0.5 and time.monotonic() < until:
            time.sleep(0.02)
        assert seen.peak.cpu_s >= 0.5
    finally:
        process.kill()
        process.wait()


def test_only_the_first_ready_and_the_end_count(tmp_path):
    meter = Meter(tmp_path)
    meter.start(2.0)
    assert (tmp_path / "go").is_file()
    meter.start(9.0)  # a contribution writes the event again
    meter.stop(12.0, 11.5, 10)
    assert meter.cost.cpu_s == 10.0
    assert meter.cost.beside_s == 0.5
    unstarted = Meter(tmp_path)
    unstarted.stop(12.0, 12.0, 10)
    assert unstarted.cost is None


def test_groups_that_count_are_looked_for_in_both_versions(tmp_path):
    told = "3:cpu,cpuacct:/user/one\n0::/user.slice/two\n1:name=systemd:/x\n"
    found = books.homes(told, tmp_path)
    assert found == [tmp_path / "cpuacct" / "user" / "one", tmp_path / "user.slice"]
    assert books.homes("0::/\n", tmp_path) == [tmp_path]


def test_both_versions_are_read(tmp_path):
    (tmp_path / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    assert books.processor_seconds(tmp_path) == 1.5
    (tmp_path / "cpuacct.usage").write_text("2500000000\n")
    assert books.processor_seconds(tmp_path) == 2.5
    assert books.processor_seconds(tmp_path / "none") is None
