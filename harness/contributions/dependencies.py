"""Extra packages that a contribution declares: present in the right version, or a clear word."""

from __future__ import annotations

from harness.contributions.record import Contribution
from harness.protocol.machine import installed_versions
from toolkit.core.errors import EnvironmentFault


def require_installed(contribution: Contribution) -> None:
    """Make sure that the packages of contribution.toml are installed, before anything runs.

    Raises:
        EnvironmentFault: Some are missing or of another version; all of them are named.
    """
    wanted = dict(line.split("==", 1) for line in contribution.file.dependencies)
    found = installed_versions(tuple(wanted))
    missing = [f"{name}=={version}" for name, version in wanted.items() if found[name] != version]
    if missing:
        raise EnvironmentFault(
            f"{contribution.name} needs packages that are not installed: {', '.join(missing)}.",
            where=f"{contribution.path}/contribution.toml",
            fix=f"python harness/environment.py -m pip install {' '.join(missing)}",
        )
