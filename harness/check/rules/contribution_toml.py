"""What contribution.toml says. HUB101 to HUB108."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.check import packages
from harness.check.folder import TOML, Folder
from harness.check.problem import Check, Problem, rule
from harness.contributions.recipes.faults import mix_refusals
from toolkit.core.text import suggestion


def _faults(id: str) -> Check:
    """Return a check that passes on what the reader of contribution.toml found under an id."""

    def check(folder: Folder) -> Iterator[Problem]:
        for fault in folder.document.faults:
            if fault.rule == id:
                yield Problem(fault.message, fault.fix, TOML, fault.line)

    return check


TOML_SYNTAX = rule("HUB101", "contribution.toml cannot be read")(_faults("HUB101"))
# A misspelt setting is a fault, never a silent default.
UNKNOWN_FIELD = rule("HUB102", "contribution.toml has an unknown field")(_faults("HUB102"))
MISSING_FIELD = rule("HUB103", "contribution.toml lacks a field")(_faults("HUB103"))
WRONG_VALUE = rule("HUB104", "contribution.toml has a wrong value")(_faults("HUB104"))


@rule("HUB105", "A dependency is not on the allow-list")
def dependency(folder: Folder) -> Iterator[Problem]:
    """Extra packages come from the allow-list, in the one shared version."""
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


@rule("HUB106", "based_on names a contribution that does not exist")
def based_on(folder: Folder) -> Iterator[Problem]:
    """A contribution can only be based on one that exists."""
    known = tuple(sorted({"reference", *folder.neighbours} - {folder.name}))
    for index, name in enumerate(folder.declared_texts("based_on")):
        line = folder.toml_line("based_on", index)
        if name == folder.name:
            message = "based_on names the contribution itself."
            yield Problem(message, "Remove it, or name what it grew from.", TOML, line)
        elif name and name not in known:
            yield Problem(
                f"There is no contribution {name!r}.", suggestion(name, known), TOML, line
            )


@rule("HUB107", "An exemption names a probe that has none")
def exemption(folder: Folder) -> Iterator[Problem]:
    """An exemption names a probe of the correctness gate that has exemptions."""
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


@rule("HUB109", "A declared difference names no property")
def declared_differences(folder: Folder) -> Iterator[Problem]:
    """What [differs] names is a property that the gate measures, and that can be meant."""
    differs = folder.document.values.get("differs", {})
    if not isinstance(differs, dict) or not differs:
        return
    from harness.gate.profile.catalogue import PROPERTIES

    properties = {prop.id: prop for prop in PROPERTIES}
    free = tuple(prop.id for prop in PROPERTIES if not prop.never)
    hooks = folder.document.values.get("hooks", ())
    for name in differs:
        line = folder.toml_line("differs", name)
        if name not in properties:
            yield Problem(f"There is no property {name!r}.", suggestion(name, free), TOML, line)
        elif properties[name].never:
            yield Problem(
                f"{name} cannot be declared: {properties[name].never}",
                f"Mend what differs; `nox -s explain -- {name}` shows how.",
                TOML,
                line,
            )
        elif properties[name].hook not in hooks:
            yield Problem(
                f"{name} is measured of {properties[name].hook}, which is the reference's here.",
                "Take the line out: settings need no declaration.",
                TOML,
                line,
            )


@rule("HUB108", "A recipe cannot be put together")
def mix(folder: Folder) -> Iterator[Problem]:
    """A recipe takes hooks from contributions that have them."""
    if folder.description is not None:
        for hook, refused in mix_refusals(folder.description, folder.root):
            line = folder.toml_line("mix", hook)
            yield Problem(refused.message, refused.fix, TOML, line)
