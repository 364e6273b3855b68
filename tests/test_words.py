"""One word for one thing: docs/glossary.md lists the words, and no retired one is left.

Identifiers, texts (messages, helps, descriptions) and docstrings of the hub's own code are
searched, and all documentation. Folders whose hash is stored keep the words that they have.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness import paths

CODE = ("harness", "toolkit", "src", "benchmarks", "recipes", "noxfile.py")
PAGES = ("*.md", "*.html", ".github/*.yml")
# Stored under a hash, or a contributor's own text; the glossary lists the retired words.
STORED = (":!CONTRIBUTIONS", ":!leaderboard", ":!models", ":!tests/fixtures", ":!docs/glossary.md")

# What a name in code may not contain -> the word of today.
NAMES = {
    r"(?i)artefact": "delta",
    r"(?i)contract": "gate (the four hooks' specification is the contract)",
    r"(?i)structure_?check|StructureError": "check",
    r"(?i)leaderboard": "board",
    r"(?i)(nobody|somebody|everybody|anybody|whoever)": "the actor: user, contributor, caller",
}
# The field of stored rows; the session and the command whose name is published.
ALLOWED_NAMES = {"contract", "leaderboard"}

# What a text or a page may not contain -> the word of today.
PHRASES = {
    r"(?i)\b(nobody|somebody|everybody|anybody|whoever)\b": "the actor: user, contributor, caller",
    r"(?i)\bartefacts?\b": "delta",
    r"(?i)\bstructure checks?\b": "check",
    r"--only-contract": "--only-gate",
    r"(?i)\bcontract (job|report|finding|table|probe)": "gate",
    r"(?i)\b(share|shares|shared) (a|one|its) rank\b|\btie rank": "group",
    r"(?i)\bwak(e|es|ing|en) (no |neither )?torch": "import",
    # Addresses, commands and marks keep the published name.
    r"(?i)(?<![\w/`.-])(?<!nox -s )(?<!<!-- )leaderboard\b(?![/`\w-]|\.\w|  )": "board",
}
ALLOWED_TEXTS = {
    "leaderboard",  # a folder of paths.py, a command of the harness
    "### Leaderboard",
}


@cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """The files of the hub that git knows under these patterns."""
    if not (paths.ROOT / ".git").exists():
        pytest.skip("this copy of the hub is not a git repository, so its files cannot be listed")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],
        cwd=paths.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = (paths.ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(file for file in files if file.is_file())


def names(source: str) -> Iterator[tuple[int, str]]:
    """Every identifier, with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Every string, docstrings and the constant parts of f-strings among them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def retired(text: str, words: dict[str, str]) -> Iterator[str]:
    for pattern, today in words.items():
        for found in re.finditer(pattern, text):
            yield f"{found[0]!r} is today: {today}"


def wrong_in(found: Iterator[tuple[int, str]], words: dict[str, str], allowed: set[str]):
    return [
        f"{line}: {fault}"
        for line, text in found
        if text.strip() not in allowed
        for fault in retired(text, words)
    ]


def search(kind, words: dict[str, str], allowed: set[str]) -> Iterator[str]:
    """Yield where a word is; only files that hold one somewhere are parsed."""
    for file in tracked(*CODE):
        shown = file.relative_to(paths.ROOT).as_posix()
        if file.suffix == ".py":
            source = file.read_text(encoding="utf-8")
            if any(retired(source, words)):
                yield from (f"{shown}:{one}" for one in wrong_in(kind(source), words, allowed))


def test_no_retired_word_in_the_names_of_code():
    assert list(search(names, NAMES, ALLOWED_NAMES)) == []


def test_no_retired_word_in_the_names_of_modules():
    shown = [file.relative_to(paths.ROOT) for file in tracked(*CODE) if file.suffix == ".py"]
    faults = [(file, list(retired(file.as_posix(), NAMES))) for file in shown]
    assert [one for one in faults if one[1] and one[0].stem not in ALLOWED_NAMES] == []


def test_no_retired_phrase_in_messages_and_docstrings():
    assert list(search(texts, PHRASES, ALLOWED_TEXTS)) == []


def test_no_retired_phrase_in_the_documentation():
    faults = []
    for file in tracked(*PAGES, *STORED):
        lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        shown = file.relative_to(paths.ROOT).as_posix()
        faults += [f"{shown}:{one}" for one in wrong_in(iter(lines), PHRASES, ALLOWED_TEXTS)]
    assert faults == []


def test_the_glossary_names_each_word_of_today():
    page = (paths.ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = ("check", "gate", "contract", "row", "board", "delta", "group", "recipe", "maker",
             "probe", "trial", "compatibility", "toolkit", "track", "run")  # fmt: skip
    for word in words:
        assert f"\n| {word} |" in page, word


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ContractReport", NAMES),
        ("artefact_file", NAMES),
        ("require_everybody", NAMES),
        ("nobody has run it yet", PHRASES),
        ("Open the leaderboard.", PHRASES),
        ("The structure check is for folders", PHRASES),
        ("it wakes no torch", PHRASES),
        ("lines of one group share a rank", PHRASES),
    ],
)
def test_a_retired_word_is_found(text, words):
    assert list(retired(text, words))


@pytest.mark.parametrize(
    "text",
    ["`nox -s leaderboard` builds the site", "leaderboard/results/robot", "docs/leaderboard.md",
     "LEADERBOARD.md", "LoRA of rank 4", "the hooks' contract"],
)  # fmt: skip
def test_a_published_address_is_none(text):
    assert not list(retired(text, PHRASES))
