"""What a watch counts, on real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from harness.sandbox import watch
from harness.sandbox.watch import Watch

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
MEGABYTE = 1 << 20


@contextmanager
def program(code: str):
    """Start Python on some code, wait for its word, and end it with all that it started."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def memory_of(process: subprocess.Popen[str], folder) -> float:
    """Return what the watch counts, in megabytes, as soon as the kernel has answered it."""
    seen = Watch(process.pid, folder, memory_bytes=1 << 40)
    seen.usage(0)
    seen._shared._thread.join()
    return seen.usage(0).memory_bytes / MEGABYTE


@LINUX
@pytest.mark.parametrize("kind", ["mmap.mmap(-1, SIZE)", "file(SIZE)"])
def test_shared_memory_counts_though_no_process_is_charged_for_it(tmp_path, kind):
    """Written by a child that has ended; the one that still maps it has never touched it."""
    code = (
        "import mmap, os, time\n"
        "SIZE = 100 << 20\n"
        "def file(size):\n"
        "    handle = os.memfd_create('x'); os.truncate(handle, size)\n"
        "    return mmap.mmap(handle, size)\n"
        f"pieces = [{kind} for _ in range(2)]\n"
        "if os.fork() == 0:\n"
        "    for piece in pieces: piece.write(b'x' * SIZE)\n"
        "    os._exit(0)\n"
        "os.wait(); print('ready', flush=True); time.sleep(60)\n"
    )
    with program(code) as process:
        assert 200 <= memory_of(process, tmp_path) < 260


@LINUX
def test_a_piece_that_several_processes_map_counts_once(tmp_path):
    code = (
        "import mmap, os, time\n"
        "piece = mmap.mmap(-1, 100 << 20); piece.write(b'x' * (100 << 20))\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0: piece[::4096]; time.sleep(60)\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    with program(code) as process:
        assert 100 <= memory_of(process, tmp_path) < 200


@LINUX
def test_shared_memory_that_was_never_written_does_not_count(tmp_path):
    code = (
        "import mmap, time\n"
        "piece = mmap.mmap(-1, 1 << 30)\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    if not os.access("/proc/self/map_files", os.X_OK) or os.geteuid():
        pytest.skip("only root may ask Linux how much of a piece was written")
    with program(code) as process:
        assert memory_of(process, tmp_path) < 60


@LINUX
def test_a_process_that_keeps_the_kernel_busy_does_not_keep_the_watch_waiting(
    tmp_path, monkeypatch
):
    """As one does that forks a thousand others: its memory map is locked for minutes."""
    answers = threading.Event()

    def late(processes):
        answers.wait(60)
        return 300 * MEGABYTE

    monkeypatch.setattr(watch, "shared_memory_bytes", late)
    with program("import time; print('ready', flush=True); time.sleep(60)") as process:
        seen = Watch(process.pid, tmp_path, memory_bytes=1 << 40)
        for _ in range(3):
            told = seen.usage(0)
            assert told.processes == 1
            assert told.memory_bytes < 200 * MEGABYTE
        answers.set()
        seen._shared._thread.join()
        assert seen.usage(0).memory_bytes >= 300 * MEGABYTE


STARTS_A_BUSIER_ONE = """
import os, time
def burn(s):
    until = time.process_time() + s
    while time.process_time() < until: pass
burn(0.3)
open("ready", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
if os.fork() == 0: burn(1.2)
time.sleep(60)
"""


@LINUX
def test_the_worker_is_noted_once_and_a_busier_process_that_it_starts_is_another(tmp_path):
    command = [sys.executable, "-c", STARTS_A_BUSIER_ONE]
    process = subprocess.Popen(command, cwd=tmp_path)
    seen = Watch(process.pid, tmp_path, 1 << 40)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "ready").exists() and time.monotonic() < until:
            time.sleep(0.02)
        seen.note_worker(0)
        (tmp_path / "go").touch()
        while seen.usage(0).cpu_s < 1.4 and time.monotonic() < until:
            time.sleep(0.02)
        seen.note_worker(0)  # a contribution says "ready" again
        assert 0.2 < seen.worker_s < 1.0
        assert seen.peak.cpu_s - seen.worker_s > 0.8
    finally:
        for one in seen.processes()[::-1]:
            one.kill()
        process.wait()


def test_a_machine_that_stood_still_is_not_held_against_the_child(tmp_path, monkeypatch):
    """A closed laptop or a paused virtual machine: the hub's clock jumps between two looks."""
    clock = iter([0.0, 1.0, 1.5, 301.5, 302.0, 303.0])
    monkeypatch.setattr(watch.time, "monotonic", lambda: next(clock))
    seen = Watch(os.getpid(), tmp_path, memory_bytes=1 << 40)
    monkeypatch.setattr(seen, "_shared", Unasked())
    walls = [seen.usage(0).wall_s for _ in range(4)]
    assert walls == [1.0, 1.5, 1.5 + watch.STANDSTILL_S, 2.0 + watch.STANDSTILL_S]
    seen.close(None)
    assert seen.peak.wall_s == 3.0 + watch.STANDSTILL_S


class Unasked:
    """Stands for the questions about shared memory, which take the clock's time."""

    def ask(self, processes, *, exactly):
        return 0, 0
