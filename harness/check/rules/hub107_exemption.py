"""HUB107: an exemption names a probe of the correctness gate that has exemptions."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder
from harness.check.problem import Problem, Severity
from toolkit.core.text import suggestion

ID = "HUB107"
TITLE = "An exemption names a probe that has none"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look each exempted probe up among the probes."""
    table = folder.document.values.get("gate", {})
    exempt = table.get("exempt", {}) if isinstance(table, dict) else {}
    if not isinstance(exempt, dict) or not exempt:
        return
    from harness.gate.catalogue import all_probes

    probes = {probe.id: probe for probe in all_probes()}
    exemptible = tuple(probe.id for probe in probes.values() if probe.exemptible)
    for name in exempt:
        line = folder.toml_line("gate", "exempt", name)
        if name not in probes:
            yield Problem(f"There is no probe {name!r}.", suggestion(name, exemptible), TOML, line)
        elif name not in exemptible:
            yield Problem(
                f"{name} ({probes[name].title.lower()}) has no exemption: it holds for "
                "every method.",
                f"Mend what it finds; `nox -s explain -- {name}` shows how.",
                TOML,
                line,
            )
