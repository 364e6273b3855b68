"""What a child does to itself before it imports anything of a stranger's: limits and filters.

``sandbox.json``, written by ``harness.sandbox.layers``, says what. Standard library only.
"""

from __future__ import annotations

import json
import platform
from typing import Any

from harness.sandbox import importing, landlock, rights, seccomp


def confine(settings_file: str) -> dict[str, Any]:
    """Apply rlimits, give up all rights, apply Landlock and seccomp; return the settings.

    Raises:
        OSError: A filter that the settings ask for cannot be installed. There is no weaker way on.
    """
    with open(settings_file, encoding="utf-8") as file:
        settings: dict[str, Any] = json.load(file)
    set_rlimits(settings["rlimits"])
    if settings["filters"]:
        rights.give_up()
        if settings["landlock"]:
            importing.find_in(settings["landlock"]["packages"])
            landlock.restrict(settings["landlock"]["read"], settings["landlock"]["write"])
        seccomp.install(unix_sockets=settings["unix_sockets"], cuda=settings["cuda"])
    return settings


def set_rlimits(wanted: dict[str, int]) -> None:
    """Lower this process's limits; what this system does not know is left out."""
    if platform.system() == "Windows":
        return
    import resource

    for name, value in wanted.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            continue
        _, hard = resource.getrlimit(number)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(number, (allowed, allowed))
        except (ValueError, OSError):
            if platform.system() == "Linux":
                raise
            # macOS knows some limits that it does not let anybody set; the parent watches anyway.
