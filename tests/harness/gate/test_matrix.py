"""The committed matrix: complete, good, and as the command writes it."""

from __future__ import annotations

import json

from tests.mutants.__main__ import JSON_FILE, PAGE_FILE, render
from tests.mutants.fixtures import all_fixtures
from tests.mutants.one_line_results import read


def test_the_written_matrix_knows_every_fixture_and_is_good():
    entries = json.loads(JSON_FILE.read_text(encoding="utf-8"))
    assert sorted(entries) == sorted(f.name for f in all_fixtures())
    assert [name for name, e in entries.items() if not e["good"]] == []
    assert PAGE_FILE.read_text(encoding="utf-8") == render(entries, read())
    assert sum(e["kind"] == "mutants" for e in entries.values()) >= 40
    assert sum(e["kind"] == "unusual" for e in entries.values()) >= 45
