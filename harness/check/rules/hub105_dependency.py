"""HUB105: extra packages come from the allow-list, in the one shared version."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.check import packages
from harness.check.folder import TOML, Folder
from harness.check.problem import Problem, Severity
from toolkit.core.text import suggestion

ID = "HUB105"
TITLE = "A dependency is not on the allow-list"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare each declared dependency with the allow-list."""
    pins = {packages.normalised(pin.partition("==")[0]): pin for pin in packages.ALLOWED}
    for index, requirement in enumerate(folder.declared_texts("dependencies")):
        if requirement in packages.ALLOWED or not requirement:
            continue
        name = packages.normalised(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
        line = folder.toml_line("dependencies", index)
        if name in pins:
            message = f"{requirement!r} is not the version that all contributions share."
            yield Problem(message, f'Write "{pins[name]}".', TOML, line)
        elif packages.is_available(name.replace("-", "_")):
            message = f"{requirement!r} need not be declared: the hub always has it."
            yield Problem(message, "Remove it from dependencies.", TOML, line)
        else:
            message = f"{requirement!r} is not on the hub's allow-list of extra packages."
            fix = suggestion(name, tuple(pins.values()))
            yield Problem(message, f"{fix} Others: propose them in an issue.", TOML, line)
