"""Forms out of what the hub knows: options of its commands, ranges of its records.

Nothing is written twice: a new option of a command, or another range of a setting, is on the page
at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from harness.commands.cli import build_parser, chosen
from toolkit.core import settings
from toolkit.core.record import Record
from toolkit.training_runs.plan import RunPlan

# What the page itself fills in, or what makes no sense on it.
TRAIN_LEFT_OUT = ("help", "name", "data", "base", "out", "config", "cache", "fresh", "resume",
                  "dry_run", "estimate", "taken", "tensorboard")  # fmt: skip
DRAW_LEFT_OUT = ("help", "name", "prompt", "run", "track", "out", "config", "taken",
                 "scale", "seed", "negative")  # fmt: skip
# What people change first; the rest is folded away.
FIRST = ("preset", "steps", "rank", "learning_rate", "trigger_word", "sample_every")
# Options that are called otherwise than the setting they set.
OTHER_NAMES = {
    ("generate", "steps"): "num_inference_steps",
    ("generate", "guidance"): "guidance_scale",
}
CONFIGS = (settings.DatasetConfig, settings.LoraConfig, settings.TrainConfig,
           settings.GenerateConfig)  # fmt: skip
# Where a setting's type and range are looked up, in this order.
RECORDS: dict[str, tuple[type[Record], ...]] = {
    "train": (*CONFIGS, RunPlan),
    "generate": CONFIGS[-1:],
}


class Choice(NamedTuple):
    """One line of a form."""

    name: str  # of the option, as the form sends it
    label: str
    help: str
    range: str
    kind: str  # "number", "text", "lines", "select"
    options: tuple[str, ...]  # of a select; "" is "not typed"
    attributes: dict[str, str]  # of a number: min, max, step
    first: bool


def train_form() -> list[Choice]:
    """Return the form of a training."""
    return form_of("train", TRAIN_LEFT_OUT)


def draw_form() -> list[Choice]:
    """Return the form of a drawing."""
    return form_of("generate", DRAW_LEFT_OUT)


def form_of(command: str, left_out: tuple[str, ...]) -> list[Choice]:
    """Return the options of a command as lines of a form, those that are changed most first."""
    found = [choice_of(command, a) for a in actions(command) if a.dest not in left_out]
    return sorted(found, key=lambda c: FIRST.index(c.name) if c.first else len(FIRST))


@cache
def actions(command: str) -> tuple[argparse.Action, ...]:
    """Return the options of a command."""
    return tuple(chosen(build_parser(command), command)._actions)


def choice_of(command: str, action: argparse.Action) -> Choice:
    """Return the line of one option: its own words, the range of the setting behind it."""
    name = OTHER_NAMES.get((command, action.dest), action.dest)
    schema = schema_of(command, name)
    text = (action.help or schema.get("description", "")) % {"default": action.default}
    options: tuple[str, ...] = ()
    numeric = schema.get("type") in ("integer", "number") or action.type in (int, float)
    kind = "number" if numeric else "text"
    if action.choices:
        kind, options = "select", ("", *map(str, action.choices))
    elif isinstance(action, argparse.BooleanOptionalAction):
        kind, options = "select", ("", "yes", "no")
    elif action.nargs == 0:
        kind, options = "select", ("", "yes")
    elif isinstance(action, argparse._AppendAction):
        kind = "lines"
    whole = schema.get("type") == "integer" or action.type is int
    attributes = {"step": "1" if whole else "any"} if kind == "number" else {}
    attributes |= {
        attribute: f"{schema[key]:g}"
        for attribute, key in (("min", "minimum"), ("max", "maximum"))
        if kind == "number" and key in schema
    }
    first = action.dest in FIRST
    label = action.dest.replace("_", " ").capitalize()
    return Choice(action.dest, label, text, range_of(schema), kind, options, attributes, first)


def schema_of(command: str, name: str) -> dict[str, Any]:
    """Return what a command's records say of a setting; {} if nothing.

    Keys are those of JSON Schema: type, description, default, minimum, exclusiveMinimum, ...
    """
    for record in RECORDS[command]:
        found = properties(record).get(name)
        if found is not None:
            inner = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
            return {**(inner[0] if inner else {}), **found}
    return {}


@cache
def properties(record: type[Record]) -> dict[str, Any]:
    """Return the JSON schema of a record's settings, made once: that takes 10 ms."""
    found: dict[str, Any] = record.model_json_schema()["properties"]
    return found


def range_of(schema: Mapping[str, Any]) -> str:
    """Return a setting's range in words, "" where it has none."""
    words = {
        "minimum": "from {:g}",
        "exclusiveMinimum": "above {:g}",
        "maximum": "to {:g}",
        "exclusiveMaximum": "below {:g}",
    }
    return " ".join(text.format(schema[key]) for key, text in words.items() if key in schema)


def words_of(command: str, left_out: tuple[str, ...], form: Mapping[str, str]) -> list[str]:
    """Return a form as words of the command line; what is empty was not typed."""
    words: list[str] = []
    for action in actions(command):
        value = form.get(action.dest, "").strip()
        if action.dest in left_out or not value:
            continue
        yes_no = action.nargs == 0
        if isinstance(action, argparse._AppendAction):
            lines = (line.strip() for line in value.splitlines())
            words += [f"{action.option_strings[0]}={line}" for line in lines if line]
        elif yes_no:
            words += action.option_strings[slice(1, 2) if value == "no" else slice(1)]
        else:
            words.append(f"{action.option_strings[0]}={value}")
    return words
