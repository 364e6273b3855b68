"""Google's form of docstrings as markdown."""

from __future__ import annotations

import inspect
import re

_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes):$")
_ITEM = re.compile(r"^    (\w+): (.*)$")


def markdown(documented: object) -> str:
    """Return a docstring as markdown: sections as bold words, arguments as a list."""
    lines = [_plain(line) for line in (inspect.getdoc(documented) or "").splitlines()]
    out: list[str] = []
    section = ""
    for line in lines:
        if found := _SECTION.match(line):
            section = found[1]
            out += ["", f"**{section}**", ""]
        elif section and (item := _ITEM.match(line)) and section != "Returns":
            out.append(f"- `{item[1]}`: {item[2]}")
        elif section and line.startswith("    "):
            listed = section != "Returns"
            out.append(f"  {line.strip()}" if listed else line.strip())
        else:
            if line and section:
                section = ""
                out.append("")
            out.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _plain(line: str) -> str:
    return line.replace("``", "`")
