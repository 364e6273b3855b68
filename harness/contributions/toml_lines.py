"""Find the line on which each key and list entry of a TOML text stands.

tomllib forgets the lines. This scanner runs only on texts that tomllib accepted, so it recognises
just enough: headers, keys, and where a value ends. On anything odd it stops with what it has.
"""

from __future__ import annotations

import contextlib
import re

Key = tuple[str | int, ...]
Lines = dict[Key, int]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_QUOTES = frozenset("\"'")
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Stop(Exception):
    """The text is not what the scanner expects."""


def scan(text: str) -> Lines:
    """Return the 1-based line of each key path, such as ``("settings", "train", "seed")``."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Stop, RecursionError):
        scanner.document()
    return scanner.lines


def line_of(lines: Lines, loc: Key) -> int:
    """Return the line of ``loc``, or of the nearest thing around it."""
    for length in range(len(loc), 0, -1):
        if loc[:length] in lines:
            return lines[loc[:length]]
    return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: Lines = {}
        self.tables: dict[Key, int] = {}

    def document(self) -> None:
        """Read headers and assignments to the end of the text."""
        prefix: Key = ()
        self.skip(_SPACE)
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                key = self.header(2)
                index = self.tables.get(key, -1) + 1
                self.tables[key] = index
                prefix = (*key, index)
                self.note(prefix)
            elif self.text.startswith("[", self.at):
                prefix = self.header(1)
            else:
                self.assignment(prefix)
            self.skip(_SPACE)

    def header(self, brackets: int) -> Key:
        """Read ``[a.b]`` or ``[[a.b]]``."""
        self.at += brackets
        self.skip(_SPACE)
        key = self.key(())
        self.skip(_SPACE)
        self.at += brackets
        return key

    def assignment(self, prefix: Key) -> None:
        """Read ``key = value``."""
        key = self.key(prefix)
        self.skip(_SPACE)
        if self.peek() != "=":
            raise _Stop
        self.at += 1
        self.skip(_SPACE)
        self.value(key)

    def key(self, prefix: Key) -> Key:
        """Read a dotted key and note the line of each of its parts."""
        while True:
            part = self.take(_STRING)[1:-1] if self.peek() in _QUOTES else self.take(_BARE)
            prefix = (*prefix, part)
            self.note(prefix)
            if not self.skip(_DOT):
                return prefix

    def value(self, key: Key) -> None:
        """Step over one value; note the lines of what is inside it."""
        opening = self.peek()
        if opening == "[":
            self.at += 1
            self.items(key, "]")
        elif opening == "{":
            self.at += 1
            self.items(key, "}")
        elif opening in _QUOTES:
            self.take(_STRING)
        else:
            self.take(_SCALAR)

    def items(self, key: Key, closing: str) -> None:
        """Read the entries of a list or of an inline table."""
        index = 0
        self.skip(_SPACE)
        while self.peek() != closing:
            if closing == "]":
                self.note((*key, index))
                self.value((*key, index))
            else:
                self.assignment(key)
            index += 1
            self.skip(_SPACE)
            if self.peek() == ",":
                self.at += 1
                self.skip(_SPACE)
        self.at += 1

    def note(self, key: Key) -> None:
        """Remember the current line for ``key``; the first mention counts."""
        self.lines.setdefault(key, self.line)

    def peek(self) -> str:
        """Return the next character."""
        if self.at >= len(self.text):
            raise _Stop
        return self.text[self.at]

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Step over ``pattern`` if it is here; tell whether it was."""
        found = pattern.match(self.text, self.at)
        if not found:
            return False
        self.line += found[0].count("\n")
        self.at = found.end()
        return True

    def take(self, pattern: re.Pattern[str]) -> str:
        """Step over ``pattern``, which has to be here, and return it."""
        start = self.at
        if not self.skip(pattern) or self.at == start:
            raise _Stop
        return self.text[start : self.at]
