"""The pages of ``docs/reference/``, written from the code: hooks, settings, checks.

They are kept in git so that they can be read where the code is; a test holds them to the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from harness import hookspecs, paths
from harness.check.rules import RULES
from harness.commands.documentation.docstrings import markdown
from harness.contributions.record import ContributionFile, GateTable, MixTable, NeedsTable
from harness.gate.catalogue import all_probes
from toolkit.core import atomic, reporting, settings
from toolkit.core.peft_methods import METHODS
from toolkit.core.record import Record

FOLDER = paths.ROOT / "docs" / "reference"
NOTE = "<!-- Written by `nox -s docs` from {source}; do not edit. -->"

# A table of contribution.toml, the record behind it, and the hook that is handed it.
TABLES: tuple[tuple[str, type[Record], str], ...] = (
    ("[settings.dataset]", settings.DatasetSettings, "make_dataset"),
    ("[settings.lora]", settings.LoraConfig, "make_lora"),
    ("[settings.train]", settings.TrainSettings, "train"),
    ("[settings.generate]", settings.GenerateSettings, "generate"),
)
# What a hook is handed besides: the record with the settings in it, and who decides about the rest.
GIVEN: tuple[tuple[type[Record], type[Record], str], ...] = (
    (settings.DatasetConfig, settings.DatasetSettings, "make_dataset"),
    (settings.TrainConfig, settings.TrainSettings, "train"),
    (settings.GenerateConfig, settings.GenerateSettings, "generate"),
)

# The other tables of contribution.toml, and what each is about.
OTHER_TABLES: dict[str, tuple[type[Record], str]] = {
    "mix": (MixTable, "hooks that come from other contributions, in a recipe"),
    "needs": (NeedsTable, "what its `train` cannot work without, in a recipe"),
    "gate": (GateTable, "for the [correctness gate](../gate/README.md)"),
}


def pages() -> dict[Path, str]:
    """Return the text of each generated page."""
    return {
        FOLDER / "hooks.md": hooks_page(),
        FOLDER / "settings.md": settings_page(),
        FOLDER / "checks.md": checks_page(),
    }


def outdated() -> list[Path]:
    """Return the generated pages that do not say what the code says."""
    return [
        path
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def write() -> None:
    """Write the generated pages, atomically."""
    for path, text in pages().items():
        atomic.write_text(path, text)


def hooks_page() -> str:
    """Return the page about the four hooks and what ``train`` reports to."""
    lines = ["# The four hooks", "", NOTE.format(source="harness/hookspecs.py"), ""]
    lines += [markdown(hookspecs), ""]
    for name in settings.HOOK_NAMES:
        function = getattr(hookspecs, name)
        lines += [f"## {name}", "", "```python", _signature(name, function), "```", ""]
        lines += [markdown(function), ""]
    lines += ["## What `train` reports to", ""]
    for protocol in (reporting.Reporter, reporting.ResumableReporter):
        lines += [f"### {protocol.__name__}", "", markdown(protocol), ""]
        for called, method in vars(protocol).items():
            if inspect.isfunction(method) and not called.startswith("_"):
                lines += ["```python", _signature(called, method), "```", "", markdown(method), ""]
    return "\n".join(lines).rstrip() + "\n"


def _signature(name: str, function: Any) -> str:
    """Return a ``def`` line that can be copied, types as they are written."""
    signature = inspect.signature(function)
    plain = signature.replace(
        parameters=[
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in signature.parameters.values()
        ],
        return_annotation=inspect.Signature.empty,
    )
    marks = "@hookimpl\n" if name in settings.HOOK_NAMES else ""
    return f"{marks}def {name}{plain}:"


def settings_page() -> str:
    """Return the page about contribution.toml: every field with type, range and default."""
    lines = [
        "# Every setting",
        "",
        NOTE.format(source="toolkit/core/settings.py and harness/contributions/record.py"),
        "",
        "What `contribution.toml` may say. A name that is not here is an error, never a silent "
        "default.",
        "",
        "## At the top",
        "",
        *_fields(ContributionFile, skip=("settings", *OTHER_TABLES)),
    ]
    for title, record, hook in TABLES:
        lines += ["", f"## {title.strip('[]')}", ""]
        lines += [f"`{title}`: what the hook [`{hook}`](hooks.md#{hook}) finds in its `config`."]
        lines += ["", *_fields(record)]
        if record is settings.LoraConfig:
            lines += ["", "Presets of `target_modules`:", ""]
            lines += [
                f"- `{name}`: {', '.join(f'`{ending}`' for ending in endings)}"
                for name, endings in settings.TARGET_PRESETS.items()
            ]
            known = ", ".join(f"`{name}`" for name in METHODS)
            lines += ["", f"PEFT's methods ([how to use them](../peft_methods.md)): {known}."]
    lines += ["", "## What only the track or the command decides", ""]
    lines += ["The same `config` also holds:"]
    for record, chosen, hook in GIVEN:
        lines += ["", f"For [`{hook}`](hooks.md#{hook}):", ""]
        lines += _fields(record, skip=tuple(chosen.model_fields))
    for title, (one, about) in OTHER_TABLES.items():
        lines += ["", f"## {title}", "", f"`[{title}]`: {about}.", "", *_fields(one)]
    return "\n".join(lines) + "\n"


def _fields(record: type[Record], skip: Sequence[str] = ()) -> list[str]:
    lines = ["| field | type | range | default | what it is |", "|---|---|---|---|---|"]
    for name, field in record.model_fields.items():
        if name not in skip:
            cells = (f"`{name}`", _type(field.annotation), _range(field), _default(field))
            lines.append(f"| {' | '.join(cells)} | {_cell(field.description or '')} |")
    return lines


def _type(annotation: Any) -> str:
    """Say a type in the words of TOML."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        may_be_none = ", or left out" if type(None) in inner else ""
        return ", ".join(_type(one) for one in inner if one is not type(None)) + may_be_none
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin is tuple:
        return f"list of: {_type(inner[0])}"
    if origin is dict:
        return f"table of: {_type(inner[1])}"
    names = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _range(field: FieldInfo) -> str:
    """Say the limits of a field."""
    words = {"ge": "≥ ", "gt": "&gt; ", "le": "≤ ", "lt": "&lt; ", "multiple_of": "multiple of "}
    limits = []
    for limit in field.metadata:
        for name, word in words.items():
            if getattr(limit, name, None) is not None:
                limits.append(f"{word}{getattr(limit, name)}")
        for name, word in {"min_length": "at least", "max_length": "at most"}.items():
            if getattr(limit, name, None) is not None:
                limits.append(f"{word} {getattr(limit, name)} long")
    return ", ".join(limits)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "has to be there"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(repr(one) for one in value)}]`".replace("'", '"')
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def checks_page() -> str:
    """Return the list of all rules of the folder and all probes of the gate."""
    lines = [
        "# Every check",
        "",
        NOTE.format(source="harness/check/rules/ and harness/gate/probes/"),
        "",
        "`nox -s explain -- HUB204` prints one of these pages.",
        "",
        "## Of the folder",
        "",
        "`nox -s check -- MyIdea` reads the folder and runs none of its code.",
        "",
        "| rule | what it finds | |",
        "|---|---|---|",
    ]
    for rule in RULES:
        marks = f"{rule.SEVERITY}{', `--fix` mends it' if rule.FIXABLE else ''}"
        lines.append(f"| [{rule.ID}](../checks/{rule.ID}.md) | {_cell(rule.TITLE)} | {marks} |")
    lines += [
        "",
        "## Of what the hooks do",
        "",
        "`nox -s contribution -- MyIdea --only-gate` runs the "
        "[correctness gate](../gate/README.md).",
        "",
        "| probe | what it finds | |",
        "|---|---|---|",
    ]
    for probe in all_probes():
        marks = f"{probe.severity}{', exemptible' if probe.exemptible else ''}"
        lines.append(f"| [{probe.id}](../gate/{probe.id}.md) | {_cell(probe.title)} | {marks} |")
    return "\n".join(lines) + "\n"
