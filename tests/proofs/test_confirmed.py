"""The proof that a smuggled adapter is seen: what was recorded, judged by today's rules."""

from __future__ import annotations

import json

import pytest

from harness.protocol.confirmation import Confirmation
from tests.proofs.confirmed.__main__ import BEGIN, END, HONEST, PAGE, RESULT, is_wrong, table
from tests.proofs.confirmed.smugglers import LESSON, SMUGGLERS

KNOWN = json.loads(RESULT.read_text(encoding="utf-8"))


def test_what_was_played_is_known_and_a_smuggler_is_among_it():
    assert {*KNOWN} & {*SMUGGLERS}
    assert {*KNOWN} <= {*HONEST, *SMUGGLERS}


@pytest.mark.parametrize("name", KNOWN)
def test_each_ended_as_it_has_to_and_would_today(name):
    found = KNOWN[name]
    assert not is_wrong(name, found)
    assert found["status"] == ("withheld" if name in SMUGGLERS else "ok")
    today = Confirmation.model_validate(found["confirmation"])
    assert bool(today.faults) == (name in SMUGGLERS)
    assert " ".join(today.faults) == found["flags"].get("brought along", "")


def test_the_page_says_what_was_recorded():
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == table(KNOWN)


@pytest.mark.parametrize("name", SMUGGLERS)
def test_a_smuggler_is_a_program(name):
    compile(LESSON + SMUGGLERS[name][1], name, "exec")
