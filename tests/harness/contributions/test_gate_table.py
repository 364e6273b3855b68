"""The table of exemptions: its name, and the one it had before."""

from __future__ import annotations

from harness.contributions.file import parse
from harness.contributions.record import OLD_TABLES

HEAD = 'name = "MyIdea"\nauthors = ["A"]\nsummary = "One sentence about it."\n'
TABLE = '[{name}]\nexempt = {{ "HUB-C20" = "{reason}" }}\n'
REASON = "it changes the base and restores it on export"


def test_both_names_are_read():
    for name in ("gate", *OLD_TABLES):
        document = parse((HEAD + TABLE.format(name=name, reason=REASON)).encode())
        assert document.faults == ()
        assert document.file is not None
        assert document.file.gate.exempt == {"HUB-C20": REASON}


def test_a_fault_under_the_old_name_has_its_line():
    document = parse((HEAD + TABLE.format(name="contract", reason="short")).encode())
    assert [(fault.rule, fault.line) for fault in document.faults] == [("HUB104", 5)]


def test_the_old_name_beside_the_new_one_is_refused():
    both = TABLE.format(name="gate", reason=REASON) + TABLE.format(name="contract", reason=REASON)
    (fault,) = parse((HEAD + both).encode()).faults
    assert (fault.rule, fault.line) == ("HUB102", 6)
    assert "'contract' is not a field" in fault.message
