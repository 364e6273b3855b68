"""Read a contribution.toml: every fault at once, each with its line, in plain words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from harness import paths
from harness.contributions import toml_lines
from harness.contributions.record import OLD_TABLES, ContributionFile
from harness.errors import Finding
from toolkit.core.settings import HOOK_NAMES
from toolkit.core.text import suggestion

MAX_BYTES = 64 * 1024  # A real file has 1 to 2 KiB; the cap keeps a hostile one cheap.
MAX_DEPTH = 8  # [settings.train] is two deep.
BOM = b"\xef\xbb\xbf"

SYNTAX, UNKNOWN_KEY, MISSING_KEY, WRONG_VALUE = "HUB101", "HUB102", "HUB103", "HUB104"


class Fault(NamedTuple):
    """One fault before it gets its address."""

    rule: str
    line: int | None
    message: str
    fix: str


class Document(NamedTuple):
    """What could be read of a contribution.toml."""

    file: ContributionFile | None
    values: dict[str, Any]
    lines: toml_lines.Lines
    faults: tuple[Fault, ...]


def read_contribution_file(
    path: Path, *, root: Path = paths.ROOT
) -> tuple[ContributionFile | None, list[Finding]]:
    """Read and validate one contribution.toml.

    Args:
        path: The file.
        root: The repository, to which the paths of the findings are relative.

    Returns:
        The record, or None when there is any fault; and the faults, sorted by line.
    """
    shown = _shown(path, root)
    if not path.is_file():
        missing = Finding(
            rule="HUB004",
            severity="error",
            message=f"{shown} is missing.",
            path=shown,
            fix="Add it; `nox -s explain -- HUB004` shows a small one.",
        )
        return None, [missing]
    try:
        with path.open("rb") as file:
            document = parse(file.read(MAX_BYTES + 1))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fault = Fault(SYNTAX, None, f"The file cannot be read: {reason}.", "Check its permissions.")
        document = Document(None, {}, {}, (fault,))
    return document.file, [
        Finding(
            rule=fault.rule,
            severity="error",
            message=fault.message,
            path=shown,
            line=fault.line,
            fix=fault.fix,
        )
        for fault in document.faults
    ]


def parse(data: bytes) -> Document:
    """Parse and validate the bytes of a contribution.toml; never raises."""
    try:
        values, text = _load(data)
    except _Unreadable as error:
        return Document(None, {}, {}, (error.fault,))
    lines = toml_lines.scan(text)
    values, lines = _with_new_names(values, lines)
    try:
        # Strict, so that rank = "4" is a fault and not a silent 4. Strict pydantic wants tuples.
        file = ContributionFile.model_validate(_tuples(values), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        faults = [fault for detail in details for fault in _faults(detail, values, lines)]
        faults = _without_echoes(faults)
        return Document(None, values, lines, tuple(sorted(faults, key=lambda f: f.line or 0)))
    return Document(file, values, lines, ())


def _with_new_names(
    values: dict[str, Any], lines: toml_lines.Lines
) -> tuple[dict[str, Any], toml_lines.Lines]:
    """Give a table its new name. A file with both names keeps both, so the old one is refused."""
    old = {
        before: after
        for before, after in OLD_TABLES.items()
        if before in values and after not in values
    }
    renamed = {old.get(key, key): value for key, value in values.items()}
    return renamed, {(old.get(str(key[0]), key[0]), *key[1:]): at for key, at in lines.items()}


class _Unreadable(Exception):
    def __init__(self, message: str, fix: str, line: int | None = None) -> None:
        super().__init__(message)
        self.fault = Fault(SYNTAX, line, message, fix)


def _load(data: bytes) -> tuple[dict[str, Any], str]:
    if len(data) > MAX_BYTES:
        raise _Unreadable(
            f"The file is larger than {MAX_BYTES // 1024} KiB.", "Keep only the documented fields."
        )
    try:
        # A byte-order mark is HUB409's affair (a hint); it must not hide everything else.
        text = data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Unreadable("The file is not UTF-8 text.", "Save it as UTF-8.", line) from error
    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits.
        raise _syntax_fault(str(error), text) from error
    if _depth_exceeds(values, MAX_DEPTH):
        raise _too_deep()
    return values, text


def _too_deep() -> _Unreadable:
    return _Unreadable(
        f"Its tables and lists are nested more than {MAX_DEPTH} deep.",
        "Keep only the documented fields.",
    )


def _syntax_fault(message: str, text: str) -> _Unreadable:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
    reason = re.sub(r"\s*\(at .*?\)$", "", message)
    if "digits" in reason:  # int() speaks of Python's settings here.
        reason = "A number has thousands of digits"
    fix = 'Texts need quotes, lists need [ ], tables start with [settings.train]: name = "MyIdea".'
    if "overwrite" in reason or "declare" in reason:
        fix = "Each field and each table stands in the file once."
    return _Unreadable(f"This is not valid TOML: {reason}.", fix, line)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value


def _faults(detail: Any, values: Mapping[str, Any], lines: toml_lines.Lines) -> Iterator[Fault]:
    loc, kind = tuple(detail["loc"]), detail["type"]
    line = toml_lines.line_of(lines, loc)
    field = ".".join(str(part) for part in loc if isinstance(part, str))
    if kind == "extra_forbidden":
        yield _unknown_key(loc, line)
    elif kind == "missing":
        description = _description(loc)
        yield Fault(
            MISSING_KEY, line, f"The field {field!r} is missing.", f"Add it: {description}."
        )
    elif loc == ("links",) and kind == "value_error":
        # pydantic stops at the first bad link; the contributor should see all of them.
        for index, link in enumerate(values["links"]):
            if not link.startswith("https://"):
                where = toml_lines.line_of(lines, ("links", index))
                yield Fault(
                    WRONG_VALUE,
                    where,
                    f"The link {link!r} does not start with https://.",
                    "Give the https:// address, or leave the link out.",
                )
    elif kind == "literal_error" and loc[0] == "hooks":
        yield Fault(
            WRONG_VALUE,
            line,
            f"{detail['input']!r} is not a hook.",
            suggestion(str(detail["input"]), HOOK_NAMES),
        )
    else:
        yield Fault(
            WRONG_VALUE, line, _sentence(field, detail), f"{field} is: {_description(loc)}."
        )


def _without_echoes(faults: list[Fault]) -> list[Fault]:
    # `autors = ...` is one slip; that `authors` is missing then says nothing new.
    meant = {fault.fix for fault in faults if fault.rule == UNKNOWN_KEY}
    return [
        fault
        for fault in faults
        if fault.rule != MISSING_KEY or f"Did you mean {fault.message.split()[2]}?" not in meant
    ]


def _unknown_key(loc: tuple[str | int, ...], line: int | None) -> Fault:
    model = _model_at(loc[:-1])
    known = tuple(model.model_fields) if model else ()
    table = ".".join(map(str, loc[:-1]))
    place = f"[{table}]" if table else "contribution.toml"
    key = str(loc[-1])
    elsewhere = _tables_with(key)
    fix = suggestion(key, known)
    if elsewhere and elsewhere != table:
        fix = f"It belongs into the table [{elsewhere}]." if elsewhere else "Move it to the top."
    return Fault(UNKNOWN_KEY, line, f"{key!r} is not a field of {place}.", fix)


def _sentence(field: str, detail: Any) -> str:
    context = detail.get("ctx", {})
    given = detail["input"]
    shown = repr(given) if len(repr(given)) <= 60 else f"{repr(given)[:57]}..."
    known = {
        "string_type": "must be a text in quotes",
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "bool_type": "must be true or false",
        "tuple_type": "must be a list in [ ]",
        "model_type": "must be a table",
        "model_attributes_type": "must be a table",
        "finite_number": "must be a finite number",
        "greater_than": "must be more than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be less than {lt}",
        "less_than_equal": "must be at most {le}",
        "string_too_short": "must have at least {min_length} characters",
        "string_too_long": "must have at most {max_length} characters",
        "too_short": "must have at least {min_length} entry",
        "string_pattern_mismatch": "must be a letter and then 1 to 38 letters, digits or _",
    }.get(detail["type"])
    if known is None:
        reason = re.sub(r"^(Value error|Assertion failed), ", "", detail["msg"])
        return f"{field}: {reason[:1].lower()}{reason[1:]}."
    return f"{field} {known.format(**context)}, not {shown}."


def _model_at(loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    model: type[BaseModel] = ContributionFile
    for part in loc:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        model = inner
    return model


def _tables_with(key: str) -> str | None:
    """Return the table that does know ``key``: the commonest slip is the wrong table."""
    for table in ((), ("settings", "lora"), ("settings", "train"), ("settings", "generate")):
        model = _model_at(table)
        if model and key in model.model_fields:
            return ".".join(table)
    return None


def _description(loc: tuple[str | int, ...]) -> str:
    names = tuple(part for part in loc if isinstance(part, str))
    model = _model_at(names[:-1])
    field = model.model_fields.get(names[-1]) if model and names else None
    return (field.description if field else None) or "see docs/checks/HUB104.md"


def _shown(path: Path, root: Path) -> str:
    absolute = path.absolute()
    if absolute.is_relative_to(root):
        return absolute.relative_to(root).as_posix()
    return f"{path.parent.name}/{path.name}"
