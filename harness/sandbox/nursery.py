"""A process that has imported the libraries, and forks the children that would else import them.

    python <FLAGS> harness/sandbox/nursery.py <number of its socket> <process of the hub>

It runs no code of a contribution, has the environment of a child and one thread, and has read none
of the hub's files. Each request forks twice. The outer process enters new namespaces, where the
layer has some, and then becomes the guard (``guard.py --follow``), so that it keeps neither the
libraries nor the socket. The inner one is the child: it has no file but its output, waits until the
guard watches, and goes on as a child that was started does: it confines itself, then imports.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import random
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
FAILED = 125
KIBIBYTE = 1024
REQUEST_BYTES = 1 << 16
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
SYS_CLONE = {"x86_64": 56, "aarch64": 220}

# It keeps the interpreter's lock: a child that is cloned must find it in its own thread's hand.
libc = ctypes.PyDLL(None, use_errno=True)


def sibling(name: str) -> ModuleType:
    """Import a module of this folder by its path; the repository is not on the path here."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(number: int, hub: int) -> None:
    """Import, and serve until the hub closes its end or dies."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != hub:
        return  # it was quicker
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no other process can look into this one
    import peft  # noqa: F401
    import torch  # noqa: F401
    from diffusers import StableDiffusionPipeline  # noqa: F401  # what is lazy comes with it
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401

    modules = {name: sibling(name) for name in ("enter", "rights", "child_start", "inside")}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the hub decides what Ctrl-C means
    with socket.socket(fileno=number) as line:
        while True:
            text, files, _, _ = socket.recv_fds(line, REQUEST_BYTES, 2)
            if not text:
                return
            try:
                answer = serve(json.loads(text), files, modules)
            finally:
                for file in files:
                    os.close(file)
            line.send(json.dumps(answer).encode())


def serve(
    request: dict[str, Any], files: list[int], modules: dict[str, ModuleType]
) -> dict[str, Any]:
    """Fork a child, or tell how one has ended."""
    if "poll" in request:
        return poll(request["poll"])
    if len(os.listdir("/proc/self/task")) != 1:
        return {"fault": "the nursery has several threads"}
    with open(request["settings"], encoding="utf-8") as file:
        settings = json.load(file)
    ready, go = os.pipe()
    try:
        pid = clone(request["flags"])
    except OSError as error:
        os.close(ready)
        os.close(go)
        return {"fault": str(error)}
    if pid == 0:
        try:
            os.close(go)
            if os.read(ready, 1):
                be_outer(request, settings, files, modules)
        except BaseException:  # into the child's log
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(FAILED)
    os.close(ready)
    try:
        for group in request["groups"]:
            with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(pid))
        os.write(go, b"x")
    except OSError as error:
        os.close(go)  # it leaves: nobody has told it to go on
        os.waitpid(pid, 0)
        return {"fault": str(error)}
    os.close(go)
    return {"pid": pid}


def poll(child: int) -> dict[str, Any]:
    """Tell how a child has ended and what the kernel counted for it and all below it."""
    pid, status, usage = os.wait4(child, os.WNOHANG)
    if pid == 0:
        return {"code": None}
    return {
        "code": os.waitstatus_to_exitcode(status),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "memory_bytes": usage.ru_maxrss * KIBIBYTE,
    }


def clone(flags: int) -> int:
    """Fork, into new namespaces where there are flags; return 0 in the child.

    Raises:
        OSError: The kernel refuses.
    """
    if not flags:
        return os.fork()
    pid: int = libc.syscall(SYS_CLONE[os.uname().machine], flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


def be_outer(
    request: dict[str, Any],
    settings: dict[str, Any],
    files: list[int],
    modules: dict[str, ModuleType],
) -> None:
    """Enter the sandbox, fork the child, become its guard; does not return."""
    os.setsid()
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number, file in enumerate((files[0], files[1], files[1])):
        os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the nursery's socket, too: nobody in there asks
    if request["own_user"]:
        # The namespace has an owner and no names: root in there is the user out here.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {request['user']} 1"),
            ("gid_map", f"0 {request['group_id']} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    if settings["mounts"]:
        modules["enter"].enter(settings["mounts"], settings["folder"])
        modules["rights"].forbid()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        be_child(request, reading, modules)
    os.close(reading)
    if not request["flags"]:
        # Killed at once, it could not end what is below it, as the end of a namespace does. The
        # hub closes its input instead.
        libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
    os.set_inheritable(writing, True)
    guard = [sys.executable, "-I", "-S", str(HERE / "guard.py"), "--follow"]
    os.execv(guard[0], [*guard, str(child), str(writing)])  # noqa: S606 - the hub's own


def be_child(request: dict[str, Any], reading: int, modules: dict[str, ModuleType]) -> None:
    """Give up what the nursery had, wait for the guard, then go the way of every child."""
    code = FAILED
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        start_anew()
        if os.read(reading, 1):
            os.close(reading)
            program = modules[request["program"]]
            sys.argv = [program.__file__ or "", *request["arguments"]]
            (program.main if request["program"] == "inside" else program.start)(*sys.argv[1:])
            code = 0
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def start_anew() -> None:
    """Forget what must not be the same in all children, or was right for the nursery only."""
    import numpy as np

    random.seed()
    np.random.seed()  # the global one: contributions may draw from it
    tempfile.tempdir = None
    sys.path_importer_cache.clear()  # it lists folders that the child may not see


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
