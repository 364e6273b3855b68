"""Start a contribution from another: its files under a new name, its name under based_on."""

from __future__ import annotations

import json
import re
import shutil
import string
import tomllib
from collections.abc import Mapping
from pathlib import Path

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from toolkit.core.errors import UsageError
from toolkit.core.hashing import files_of, without_declarations
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME

README = Path(__file__).parent / "scaffolds" / "copy" / "README.md"
CONFIG = "contribution.toml"
# Where a folder's text names itself: its module, its path, the argument of a command.
_ITSELF = r"(?P<before>CONTRIBUTIONS[./]|nox -s [a-z-]+ -- ){name}\b"


def source_of(name: str) -> Contribution:
    """Return the contribution that a new one starts from.

    Raises:
        UsageError: There is none of that name.
        CheckError: It has faults itself.
    """
    if name == REFERENCE_NAME:
        raise UsageError(
            "The reference is spread over the hub's libraries, so a copy of it is no folder.",
            where="--from",
            fix="--from Example1 has all four hooks; without --from you get its make_lora alone.",
        )
    source = registry.load(name)
    if source.path != f"{paths.CONTRIBUTIONS.name}/{source.name}":
        raise UsageError(f"{source.path} is not a contribution.", where="--from", fix="nox -s list")
    return source


def write_copy(folder: Path, name: str, source: Contribution, author: str) -> None:
    """Copy a contribution into a new folder, with its own name, author and README.

    The licence stays: the code is still its author's until it is changed.

    Args:
        folder: Does not exist yet.
        name: Of the new contribution.
        source: What it starts from.
        author: Who it belongs to.
    """
    parent = source.name
    itself = re.compile(_ITSELF.format(name=re.escape(parent)))
    origin = paths.CONTRIBUTIONS / parent
    for file in files_of(origin):
        target = folder / file.relative_to(origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".py" and not file.is_symlink():
            text = file.read_text(encoding="utf-8")
            target.write_text(itself.sub(rf"\g<before>{name}", text), "utf-8", newline="\n")
        elif not file.is_symlink():
            shutil.copyfile(file, target)
    # What the parent declares to do differently was measured of the parent.
    toml = without_declarations((origin / CONFIG).read_bytes()).decode()
    values: dict[str, str | list[str]] = {
        "name": name,
        "authors": [author],
        "summary": f"{parent}, to be changed into my own idea.",
        "based_on": [parent],
    }
    (folder / CONFIG).write_text(with_values(toml, values), encoding="utf-8", newline="\n")
    readme = string.Template(README.read_text(encoding="utf-8"))
    text = readme.substitute(name=name, parent=parent)
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")


def with_values(toml: str, values: Mapping[str, str | list[str]]) -> str:
    """Set keys at the top level of a TOML text; everything else stays, comments included."""
    lines = toml.splitlines()
    for key, value in values.items():
        new = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        start, end = _place(lines, key)
        lines[start:end] = [new]
    return "\n".join(lines) + "\n"


def _place(lines: list[str], key: str) -> tuple[int, int]:
    """Return the lines from, and up to, where a top-level key's value stands or may be put."""
    for start, line in enumerate(lines):
        if re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            for end in range(start + 1, len(lines) + 1):
                if _is_whole("\n".join(lines[start:end])):
                    return start, end
        if line.lstrip().startswith("[") and _is_whole("\n".join(lines[:start])):
            # The first table; what it holds is not at the top level. A blank line stays before it.
            place = start
            while place and not lines[place - 1].strip():
                place -= 1
            return place, place
    return len(lines), len(lines)  # no table: all of it is the top level


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def first_file(source: Contribution) -> str:
    """Return the file of a contribution that a reader opens first: where its first hook is."""
    folder = paths.CONTRIBUTIONS / source.name
    for hook in HOOK_NAMES:
        if hook in source.file.hooks:
            for file in sorted((folder / "src").rglob("*.py")):
                text = file.read_text(encoding="utf-8")
                if re.search(rf"^def {hook}\(", text, re.MULTILINE):
                    return file.relative_to(folder).as_posix()
    return CONFIG
