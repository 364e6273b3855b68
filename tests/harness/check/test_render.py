"""Findings in the three output formats, also with hostile names."""

from __future__ import annotations

import json

from harness.check.render import render_github, render_json, render_summary, render_text
from harness.errors import Finding


def finding(**changes):
    values = {
        "rule": "HUB204",
        "severity": "error",
        "message": "It is wrong.",
        "path": "CONTRIBUTIONS/Foo/src/train.py",
        "line": 3,
        "fix": "Mend it.",
    }
    return Finding(**{**values, **changes})


HINT = {"rule": "HUB006", "severity": "hint", "line": None, "path": "CONTRIBUTIONS/Foo/README.md"}


def test_text_says_what_where_and_how():
    assert render_text([finding(), finding(line=9), finding(**HINT)]).splitlines() == [
        "CONTRIBUTIONS/Foo/src/train.py",
        "  error HUB204  It is wrong.",
        "    at   CONTRIBUTIONS/Foo/src/train.py:3",
        "    fix  Mend it.",
        "  error HUB204  It is wrong.",
        "    at   CONTRIBUTIONS/Foo/src/train.py:9",
        "    fix  Mend it.",
        "",
        "CONTRIBUTIONS/Foo/README.md",
        "  hint HUB006  It is wrong.",
        "    at   CONTRIBUTIONS/Foo/README.md",
        "    fix  Mend it.",
    ]
    assert render_text([]) == ""


def test_summary_counts():
    found = [finding(), finding(line=9), finding(**HINT)]
    assert render_summary("Foo", found) == "2 errors, 1 hint in Foo"
    assert render_summary("Foo", found[2:]) == "1 hint in Foo"
    assert render_summary("Foo", []) == "Foo: all checks passed"
    assert "\033[32m" in render_summary("Foo", [], colour=True)
    assert render_summary("Foo", [finding(fixable=True)]).endswith("(--fix mends some)")


def test_json_is_a_list_of_findings():
    (value,) = json.loads(render_json([finding()]))
    assert Finding(**value) == finding()


def test_github_escapes_what_the_runner_decodes():
    bad = finding(path="a,b:c%d\ne/f.py", message="50% is\r\nwrong: a,b", fix="::error::forged")
    assert render_github([bad]) == (
        "::error file=a%2Cb%3Ac%25d%0Ae/f.py,line=3,title=HUB204"
        "::50%25 is\\r%0Awrong: a,b%0AFix: ::error::forged"
    )
    assert "\n" not in render_github([bad])


def test_github_hints_are_notices_and_need_no_line():
    assert render_github([finding(**HINT)]).startswith(
        "::notice file=CONTRIBUTIONS/Foo/README.md,title=HUB006::"
    )


def test_escape_sequences_never_reach_a_terminal():
    bad = finding(
        path="a\x1b[2Jb\u202e.py", message="x\x1b]0;title\x07y\nforged line", fix="\x9b1m"
    )
    for text in (render_text([bad]), render_github([bad]), render_summary("a\x1bb", [bad])):
        assert not set(text) & set("\x1b\x07\x9b\u202e")
    assert "a\\x1b[2Jb\\u202e.py:3" in render_text([bad])
    assert "\nforged" not in render_text([bad])
