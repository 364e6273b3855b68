"""Describe the machine and the installation, for rows and for ``doctor``."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import psutil

from harness.protocol.row import Machine

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "numpy", "pluggy")


def processor_name() -> str:
    """Return the processor's marketing name, as well as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed_versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the installed versions without importing anything."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    return versions


def describe_machine(threads: int, sandbox: str) -> Machine:
    """Collect what a row records about where it was measured."""
    return Machine(
        python=platform.python_version(),
        packages=installed_versions(),
        system=f"{platform.system()} {platform.release()}",
        processor=processor_name(),
        cores=usable_cores(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        threads=threads,
        sandbox=sandbox,
    )
