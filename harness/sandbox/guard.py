"""Start one program, and leave none of its processes behind, however it or the hub ends.

    python -I -S harness/sandbox/guard.py <sandbox.json> -- <program> ...
    python -I -S harness/sandbox/guard.py --follow <its process> <pipe>     (forked: nursery.py)

It adopts what the program's own processes leave behind (as process 1 of a namespace, or as a
"subreaper"), and ends all of it when the program has ended or when its standard input closes,
which happens when the hub lets go of it or dies. Linux; standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Iterable, Iterator

PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 4, 1, 36
TICK_S = 0.05
PASSES = 200
QUICK_LOOKS = 20
FAILED = 125


def main(arguments: list[str]) -> int:
    """Enter the sandbox if there is one to enter, run the program, tidy up, pass its code on."""
    if arguments[0] == "--follow":
        return follow_forked(int(arguments[1]), int(arguments[2]))
    settings_file, _, *program = arguments
    with open(settings_file, encoding="utf-8") as file:
        settings = json.load(file)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the hub decides what Ctrl-C means
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if settings["mounts"]:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        import enter  # type: ignore[import-not-found, unused-ignore]
        import rights  # type: ignore[import-not-found, unused-ignore]

        enter.enter(settings["mounts"], settings["folder"])
        rights.forbid()
    child = os.fork()
    if child == 0:
        start(program, libc)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no process inside can read or stop this one
    code = follow(child)
    end_all()
    return code


def follow_forked(child: int, pipe: int) -> int:
    """Guard a child that is there already; it begins when the pipe says that it is guarded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.write(pipe, b"x")
    os.close(pipe)
    code = follow(child)
    end_all()
    return code


def start(program: list[str], libc: ctypes.CDLL) -> None:
    """Become the program; it dies when the guard does."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        os.execv(program[0], program)  # noqa: S606 - the hub's own interpreter
    finally:
        os._exit(FAILED)


def follow(child: int) -> int:
    """Wait until the child has ended or the standard input closes; reap orphans meanwhile."""
    watched = [0]
    with contextlib.suppress(OSError, AttributeError):  # an old kernel or Python: at the next tick
        watched.append(os.pidfd_open(child))
    while True:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return FAILED
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if pid == 0:
                break
        if 0 in select.select(watched, [], [], TICK_S)[0] and not os.read(0, 1024):
            return 128 + signal.SIGKILL


def end_all() -> None:
    """Stop every descendant first, so that none starts another; then kill and reap them all.

    One that forks and leaves, again and again, has another number by the time all of /proc is read.
    But whatever it leaves becomes this process's child, and those are listed in no time.
    """
    for _ in range(PASSES):
        found = list(descendants())
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            send(sign, found)
        for _ in range(QUICK_LOOKS):
            send(signal.SIGKILL, children())
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return  # none left
        select.select([], [], [], 0.01)


def send(sign: signal.Signals, pids: Iterable[int]) -> None:
    """Send a signal to processes; some may have ended by themselves."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, sign)


def children() -> list[int]:
    """Return this process's own children, as far as the kernel keeps a list of them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def descendants() -> Iterator[int]:
    """Yield the numbers of all processes below this one."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(name))
    waiting = [os.getpid()]
    while waiting:
        for pid in parents.get(waiting.pop(), []):
            yield pid
            waiting.append(pid)


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
