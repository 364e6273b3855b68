"""Every rule has a page with wrong and right code, and the pages tell the truth."""

from __future__ import annotations

import re
import tomllib

import pytest

from harness import paths
from harness.check.python_source import Module
from harness.check.rules import RULES

PAGES = sorted(paths.CHECK_DOCS.glob("HUB*.md"))


def test_every_rule_has_a_page_and_every_page_a_rule():
    assert [page.stem for page in PAGES] == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_page_agrees_with_its_rule(rule):
    text = (paths.CHECK_DOCS / f"{rule.id}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {rule.id}: {rule.title}\n")
    assert ("An error:" in text, "A hint:" in text) == (
        rule.severity == "error",
        rule.severity == "hint",
    )
    for heading in ("Why it matters", "Wrong", "Right", "Mending"):
        assert f"\n## {heading}\n" in text
    assert ("does not mend this" in text) != (rule.mend is not None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_right_examples_are_valid(page):
    right = page.read_text(encoding="utf-8").split("\n## Right\n")[1]
    kind, code = re.search(r"```(\w*)\n(.*?)```", right, re.DOTALL).groups()
    if kind == "python":
        assert Module("example.py", code).fault is None
    elif kind == "toml":
        tomllib.loads(code)
