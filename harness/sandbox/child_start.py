"""First code of a child: ``python <FLAGS> child_start.py <module> <job.json> <sandbox.json>``.

The flags (sandbox/child.py) and a built environment take the user's site-packages, variables and
current folder out of the search: what is imported is this repository and the hub's environment.
"""

import os
import signal
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = (
    "harness.worker.main",
    "harness.gate.worker",
    "harness.scoring.main",
    "harness.runs.studies.compatibility.child",
)


def die_with_parent() -> None:
    """End this process when the parent's end of the standard input closes, however it died."""

    def wait() -> None:
        while os.read(0, 1024):
            continue
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)  # with whatever the contribution started
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def start(module: str, job: str, settings_file: str) -> None:
    """Confine this process, then run one of the known child programs on a job file."""
    if module not in MODULES:
        raise SystemExit(f"unknown child program {module!r}")
    sys.path.insert(0, str(ROOT))
    import importlib

    from harness.sandbox.confine import confine

    if not confine(settings_file)["guarded"]:
        die_with_parent()

    importlib.import_module(module).main(Path(job))
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is on disk. Tearing torch down would take another two seconds.
    os._exit(0)


if __name__ == "__main__":
    start(*sys.argv[1:])
