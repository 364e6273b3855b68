"""Try a layer: start a tiny child in it, which tests from inside whether the layer holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from harness import paths
from harness.sandbox import layers
from harness.sandbox.limits import Limits
from toolkit.core import atomic

PROGRAM = paths.ROOT / "harness" / "sandbox" / "inside.py"
PATIENCE_S = 20
LIMITS = Limits(wall_s=PATIENCE_S, cpu_s=PATIENCE_S, memory_bytes=1 << 30)


class NoJob(BaseModel):
    """A child that needs nothing but Python and the harness."""


@cache
def remembered(layer: layers.LayerName) -> str | None:
    """Return why a layer does not hold, or None; a success is remembered until the next boot."""
    file = paths.RUNS / ".sandbox-trials.json"
    mark = fingerprint(layer)
    if known_marks(file).get(layer) == mark:
        return None
    reason = trial(layer)
    if reason is None:
        remember(file, layer, mark)
    return reason


def known_marks(file: Path) -> dict[str, str]:
    """Return what earlier trials left; an empty dict if there is nothing readable."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def remember(file: Path, layer: str, mark: str) -> None:
    """Record that a layer holds. If the folder is not writable, the next start tries again."""
    try:
        atomic.write_text(file, json.dumps({**known_marks(file), layer: mark}))
    except OSError:
        return


def fingerprint(layer: str) -> str:
    """Name this boot of this machine, this user, this interpreter and this version of the code."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    code = max(path.stat().st_mtime_ns for path in PROGRAM.parent.glob("*.py"))
    tool = shutil.which("bwrap") if layer == "bubblewrap" else None
    return f"{boot} {os.getuid()} {sys.executable} {tool} {code}"


def trial(layer: layers.LayerName) -> str | None:
    """Try a layer. Return None when it holds, or what went wrong."""
    with stage() as out:
        program = [sys.executable, "-I", str(PROGRAM)]
        start = layers.prepare(layer, NoJob(), out, LIMITS, program)
        try:
            code, complaint = run(start.command, out)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"it could not be tried: {error}"
    if code == 0:
        return None
    lines = complaint.strip().splitlines()
    return lines[-1][:200] if lines else f"its trial ended with code {code}"


@contextmanager
def stage() -> Iterator[Path]:
    """Yield the folder of a child that is to be tried; beside it lies what it must not read."""
    with tempfile.TemporaryDirectory(prefix="hub-trial-") as name:
        out = Path(name).resolve() / "out"
        (out / "tmp").mkdir(parents=True)
        (out.parent / "secret").write_text("x", encoding="ascii")
        yield out


def run(command: list[str], out: Path) -> tuple[int, str]:
    """Run a command whose standard input stays open; return its code and what it complained."""
    reading, writing = os.pipe()
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
            env={"PATH": os.environ.get("PATH", "")},
            cwd=out / "tmp",
        )
    finally:
        os.close(reading)
        os.close(writing)
    return done.returncode, done.stderr.decode(errors="replace")
