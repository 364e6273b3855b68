"""``doctor``: examine the machine and the installation; say what is missing and how to get it."""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness import paths
from harness.protocol import base_model, machine
from harness.protocol.track import load_track, track_names
from harness.sandbox import layers
from harness.sandbox.choose import why_not
from toolkit.core.errors import BaseModelError

MEMORY_GIB, DISK_GIB = 4.0, 2.0

# Asking torch costs seconds and memory, so a separate process is asked, and only here.
DEVICE_QUESTION = (
    "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu only')"
)


@dataclass(frozen=True)
class Line:
    """One thing looked at."""

    ok: bool
    subject: str
    found: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Print one line per thing; return 1 when something is missing."""
    del args
    lines = [python(), *packages(), lock(), device(), memory(), disk(), *models(), *sandbox()]
    for line in lines:
        print(f"{'ok ' if line.ok else 'NO '} {line.subject:<12} {line.found}")
        if not line.ok:
            print(f"                 fix  {line.remedy}")
    return 0 if all(line.ok for line in lines) else 1


def python() -> Line:
    """The interpreter."""
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Line(ok, "Python", platform.python_version(), "Install Python 3.11, 3.12 or 3.13.")


def packages() -> list[Line]:
    """The packages that matter most."""
    versions = machine.installed_versions()
    return [
        Line(
            version != "missing", name, version, "nox -s doctor installs it; delete .nox/hub if not"
        )
        for name, version in versions.items()
    ]


def lock() -> Line:
    """Whether the installed packages are those of requirements.txt."""
    from harness import environment

    installed = machine.installed_versions(tuple(wanted := locked_versions()))
    wrong = [
        f"{name} {installed[name]} (lock: {version})"
        for name, version in wanted.items()
        if installed[name].partition("+")[0] != version
    ]
    inside = sys.executable == str(environment.environment_python())
    place = ".nox/hub" if inside else f"an environment of your own ({sys.prefix})"
    remedy = "delete .nox/hub, then nox -s doctor" if inside else "pip install -r requirements.txt"
    if wrong:
        return Line(False, "lock", f"{', '.join(wrong)}, in {place}", remedy)
    return Line(True, "lock", f"{len(wanted)} packages as locked, in {place}")


def locked_versions() -> dict[str, str]:
    """Return the packages that requirements.txt pins without conditions."""
    pins = {}
    for line in (paths.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line and ";" not in line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[name.strip()] = version.strip()
    return pins


def device() -> Line:
    """What torch can compute on."""
    answer = subprocess.run(  # noqa: S603  # our own interpreter and text
        [sys.executable, "-c", DEVICE_QUESTION], capture_output=True, text=True, check=False
    )
    name = f"{machine.processor_name()}, {machine.usable_cores()} cores"
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return Line(False, "device", f"torch does not start: {last}", "delete .nox/hub, try again")
    return Line(True, "device", f"{name}; {answer.stdout.strip()}")


def memory() -> Line:
    """Free memory."""
    free = psutil.virtual_memory().available / 2**30
    remedy = f"Close something: a run needs about {MEMORY_GIB:g} GiB."
    return Line(free >= MEMORY_GIB, "memory", f"{free:.1f} GiB free", remedy)


def disk() -> Line:
    """Free disk space."""
    free = shutil.disk_usage(paths.ROOT).free / 2**30
    remedy = f"Free some space: environment and runs want {DISK_GIB:g} GiB; runs/ may be deleted."
    return Line(free >= DISK_GIB, "disk", f"{free:.1f} GiB free", remedy)


def models() -> list[Line]:
    """The base models that the tracks name. Only the embedded one has to be there."""
    lines = []
    tracks: dict[Path, list[str]] = {}
    for name in track_names():
        tracks.setdefault(load_track(name).base_model, []).append(name)
    for folder, names in sorted(tracks.items()):
        if not folder.exists() and not base_model.is_embedded(folder):
            place = folder.relative_to(paths.ROOT).as_posix()
            found = f"{place} is not here; only the track {', '.join(names)} needs it"
            lines.append(Line(True, "base model", found))
            continue
        try:
            base_model.check_folder(folder)
        except BaseModelError as error:
            lines.append(Line(False, "base model", error.what, error.fix or ""))
            continue
        lines.append(Line(True, "base model", folder.relative_to(paths.ROOT).as_posix()))
    return lines


def sandbox() -> list[Line]:
    """The isolation that contributions run in, and why it is not a stronger one."""
    missing: list[Line] = []
    for layer in layers.LAYERS:
        reason = why_not(layer)
        if reason is None:
            promise = f"{layer}: {layers.PROMISES[layer]}"
            return [Line(True, "isolation", promise), *missing]
        missing.append(Line(True, "", f"not {layer}: {reason}"))
    return missing
