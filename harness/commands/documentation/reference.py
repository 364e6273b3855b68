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
from harness.gate.profile import page as properties
from toolkit.core import atomic, reporting, settings
from toolkit.core.peft_methods import METHODS
from toolkit.core.record import Record
from toolkit.core.templates import environment

FOLDER = paths.ROOT / "docs" / "reference"

# A table of contribution.toml, the record behind it, and the hook that is handed it.
TABLES: dict[str, tuple[type[Record], str]] = {
    "settings.dataset": (settings.DatasetSettings, "make_dataset"),
    "settings.lora": (settings.LoraConfig, "make_lora"),
    "settings.train": (settings.TrainSettings, "train"),
    "settings.generate": (settings.GenerateSettings, "generate"),
}
# What a hook is handed besides: the record with the settings in it, and who decides about the rest.
GIVEN: dict[str, tuple[type[Record], type[Record]]] = {
    "make_dataset": (settings.DatasetConfig, settings.DatasetSettings),
    "train": (settings.TrainConfig, settings.TrainSettings),
    "generate": (settings.GenerateConfig, settings.GenerateSettings),
}

# The other tables of contribution.toml, and what each is about.
OTHER_TABLES: dict[str, tuple[type[Record], str]] = {
    "mix": (MixTable, "hooks that come from other contributions, in a recipe"),
    "needs": (NeedsTable, "what its `train` cannot work without, in a recipe"),
    "gate": (GateTable, "for the [correctness gate](../gate/README.md)"),
}


def pages() -> dict[Path, str]:
    """Return the text of each generated page."""
    made = environment(Path(__file__).with_name("templates"))
    made.filters |= {"docstring": markdown, "signature": signature, "toml_type": toml_type}
    made.filters |= {"limits": limits, "default_of": default_of, "cell": cell}
    values = {
        "hookspecs": hookspecs,
        "hooks": {name: getattr(hookspecs, name) for name in settings.HOOK_NAMES},
        "protocols": {
            protocol: [
                method
                for called, method in vars(protocol).items()
                if inspect.isfunction(method) and not called.startswith("_")
            ]
            for protocol in (reporting.Reporter, reporting.ResumableReporter)
        },
        "top": fields(ContributionFile, skip=("settings", *OTHER_TABLES)),
        "tables": TABLES,
        "presets": settings.TARGET_PRESETS,
        "methods": METHODS,
        "given": {
            hook: fields(record, skip=tuple(chosen.model_fields))
            for hook, (record, chosen) in GIVEN.items()
        },
        "others": OTHER_TABLES,
        "rules": RULES,
        "probes": all_probes(),
    }
    return {
        properties.PAGE: properties.page(),
    } | {
        FOLDER / name: made.get_template(name).render(values).rstrip() + "\n"
        for name in ("hooks.md", "settings.md", "checks.md")
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


def signature(function: Any) -> str:
    """Return a ``def`` line that can be copied, without types."""
    known = inspect.signature(function)
    empty = inspect.Signature.empty
    plain = [one.replace(annotation=empty) for one in known.parameters.values()]
    return f"def {function.__name__}{known.replace(parameters=plain, return_annotation=empty)}:"


def fields(record: type[Record], skip: Sequence[str]) -> dict[str, FieldInfo]:
    """Return a record's fields but for those that are shown elsewhere."""
    return {name: field for name, field in record.model_fields.items() if name not in skip}


def toml_type(annotation: Any) -> str:
    """Say a type in the words of TOML."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        may_be_none = ", or left out" if type(None) in inner else ""
        return ", ".join(toml_type(one) for one in inner if one is not type(None)) + may_be_none
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin is tuple:
        return f"list of: {toml_type(inner[0])}"
    if origin is dict:
        return f"table of: {toml_type(inner[1])}"
    names = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def limits(field: FieldInfo) -> str:
    """Say the limits of a field."""
    words = {"ge": "≥ ", "gt": "&gt; ", "le": "≤ ", "lt": "&lt; ", "multiple_of": "multiple of "}
    told = []
    for limit in field.metadata:
        for name, word in words.items():
            if getattr(limit, name, None) is not None:
                told.append(f"{word}{getattr(limit, name)}")
        for name, word in {"min_length": "at least", "max_length": "at most"}.items():
            if getattr(limit, name, None) is not None:
                told.append(f"{word} {getattr(limit, name)} long")
    return ", ".join(told)


def default_of(field: FieldInfo) -> str:
    """Return the default of a field."""
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


def cell(text: str) -> str:
    """Escape a text for a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
