"""HUB246: other processes escape the clock, the memory limit and the reviewer."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB246"
TITLE = "Another program is started"
# An error and no hint: time and memory are compared between contributions, and what a child
# process uses is not counted. DataLoader workers start their own processes and are not meant.
SEVERITY: Severity = "error"
FIXABLE = False

_EXACT = frozenset({"os.system", "os.popen", "os.fork", "os.forkpty", "os.startfile", "pty.spawn"})
_STARTS = ("subprocess.", "os.spawn", "os.exec", "os.posix_spawn", "asyncio.create_subprocess")
_HARMLESS = frozenset({"subprocess.list2cmdline", "subprocess.CalledProcessError"})


def check(folder: Folder) -> Iterator[Problem]:
    """Look for the calls that start programs."""
    for module in folder.modules.values():
        for name, call in module.calls:
            if name in _EXACT or (name.startswith(_STARTS) and name not in _HARMLESS):
                yield Problem(
                    f"{name}() starts another program; its time and memory escape the comparison.",
                    "Do the work in Python, in this process.",
                    module.path,
                    call.lineno,
                )
