"""Give every nox session the same environment, then run a command in it.

    python harness/environment.py -m harness check --all
    python harness/environment.py --with=starlette==1.10.0 -m harness app

The environment lies in ``.nox/hub``. A stamp with the hash of ``requirements.txt`` says that it is
complete; only a changed lock brings it up to date, in place, so torch is never installed twice.
Interrupted half-way there is no stamp yet, and the next call goes on where pip stopped.

Runs before anything is installed: standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"
ENVIRONMENT = ROOT / ".nox" / "hub"
STAMP = ENVIRONMENT / "hub-stamp"

LOCK_FILE = ROOT / ".nox" / "hub.lock"
POLL_S = 0.5
WITH = "--with="
# Run by the environment's Python, which knows what it has: exits 1 when a version is not there.
HAS = """
import sys
from importlib.metadata import PackageNotFoundError, version
def has(wanted):
    name, _, number = wanted.partition("==")
    try:
        return version(name) == number
    except PackageNotFoundError:
        return False
sys.exit(not all(map(has, sys.argv[1:])))
"""

OLDEST, NEWEST = (3, 11), (3, 13)


def wanted_stamp() -> str:
    """Return what the stamp of a complete environment says: the lock's hash and the Python."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return f"{digest} {sys.version_info.major}.{sys.version_info.minor}"


def environment_python() -> Path:
    """Return the environment's interpreter."""
    if os.name == "nt":
        return ENVIRONMENT / "Scripts" / "python.exe"
    return ENVIRONMENT / "bin" / "python"


def is_ready() -> bool:
    """Tell whether the environment is complete and belongs to this lock and this Python."""
    return (
        environment_python().exists()
        and STAMP.is_file()
        and STAMP.read_text(encoding="utf-8") == wanted_stamp()
    )


def check_python() -> None:
    """Stop with a sentence when this Python is too old or too new for the locked packages."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SystemExit(
            f"error: this is Python {found}; the hub needs {OLDEST[0]}.{OLDEST[1]} to "
            f"{NEWEST[0]}.{NEWEST[1]}.\n"
            "  fix  Install nox with such a Python: python3.12 -m pip install nox, then call it as "
            "python3.12 -m nox"
        )


def has_pip() -> bool:
    """Tell whether the environment's Python starts and has pip.

    An interruption while the environment is made leaves a Python without pip.
    """
    if not environment_python().exists():
        return False
    question = [str(environment_python()), "-c", "import pip"]
    return subprocess.call(question, stderr=subprocess.DEVNULL) == 0  # noqa: S603


def remove_other_python() -> None:
    """Take an environment of another Python away: its packages do not fit this one."""
    if not STAMP.is_file():
        return
    if STAMP.read_text(encoding="utf-8").endswith(wanted_stamp().partition(" ")[2]):
        return
    STAMP.unlink()  # first: what is half deleted must not pass for complete
    shutil.rmtree(ENVIRONMENT)


def prepare() -> None:
    """Create or update the environment, showing pip's progress."""
    check_python()
    remove_other_python()
    print(
        "Setting up the hub's environment in .nox/hub: once, a few minutes. It takes 1.5 GB,\n"
        "or several with the CUDA build of torch, which is the usual one on Linux.\n"
        "It is safe to press Ctrl-C: the next call goes on from there.",
        flush=True,
    )
    STAMP.unlink(missing_ok=True)
    if not has_pip():
        # Links, as `python -m venv` makes them: a copied interpreter may not find its library.
        venv.create(ENVIRONMENT, with_pip=True, clear=True, symlinks=os.name != "nt")
    pip = [str(environment_python()), "-m", "pip", "--disable-pip-version-check"]
    code = subprocess.call([*pip, "install", "--requirement", str(LOCK)])  # noqa: S603
    if code != 0:
        raise SystemExit(
            f"error: pip ended with code {code}; its message is above.\n"
            "  fix  Check the network and the free disk space, then call again."
        )
    temporary = STAMP.with_suffix(".tmp")
    temporary.write_text(wanted_stamp(), encoding="utf-8")
    temporary.replace(STAMP)


def has(packages: Sequence[str]) -> bool:
    """Tell whether the environment has these packages, each NAME==VERSION.

    pip would need three seconds to find that there is nothing to do, at each start of the app.
    """
    return subprocess.call([str(environment_python()), "-c", HAS, *packages]) == 0  # noqa: S603


def add(packages: Sequence[str]) -> None:
    """Install further packages.

    Raises:
        SystemExit: pip cannot.
    """
    pip = [str(environment_python()), "-m", "pip", "--disable-pip-version-check"]
    if (code := subprocess.call([*pip, "install", "--quiet", *packages])) != 0:  # noqa: S603
        raise SystemExit(
            f"error: pip could not install {' '.join(packages)}; it ended with code {code}.\n"
            "  fix  Its message is above. Check the network, then call again."
        )


@contextmanager
def alone() -> Iterator[None]:
    """Let one call at a time set the environment up; the others wait.

    The kernel keeps the lock, on an open file: it ends with its process, so a crash leaves none
    behind, and no clock decides about it.
    """
    LOCK_FILE.parent.mkdir(parents=True, exist_ok=True)
    with LOCK_FILE.open("a+b") as file:
        told = False
        while not try_lock(file):
            if not told:
                print("Another call is setting the environment up; waiting for it.", flush=True)
                told = True
            time.sleep(POLL_S)
        yield


def try_lock(file: IO[bytes]) -> bool:
    """Take the lock if it is free; closing the file gives it back."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def run(arguments: Sequence[str]) -> int:
    """Run the environment's Python with these arguments and return its exit code."""
    command = [str(environment_python()), *arguments]
    if os.name != "nt":
        # Becoming the command leaves one process to interrupt, not two.
        os.execv(command[0], command)  # noqa: S606
    return subprocess.call(command)  # noqa: S603


def main(arguments: Sequence[str]) -> int:
    """Prepare the environment when needed, add what is asked for, then run the command."""
    asked = list(takewhile(lambda word: word.startswith(WITH), arguments))
    packages = [word.removeprefix(WITH) for word in asked]
    try:
        if not is_ready():
            with alone():
                if not is_ready():  # another call may have done it meanwhile
                    prepare()
        if packages and not has(packages):
            with alone():
                add(packages)
    except KeyboardInterrupt:
        print("\nStopped. The next call goes on from there.", file=sys.stderr)
        return 130
    return run(arguments[len(asked) :])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
