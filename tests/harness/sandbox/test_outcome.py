"""How a child ended: its answer is a stranger's text, and is read as such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox import outcome
from harness.sandbox.events import LONGEST_TEXT, LineReader, clean_json, without_control
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.limits import Usage, default_limits
from harness.sandbox.outcome import Ending, Outcome
from harness.worker.jobs import Answer

EVIL = "\x1b[2Jgone\n::error::boo"
SEED = {"seed": 0, "losses": [0.1], "trainable_parameters": 1, "changed_modules": 1}
GOOD = {**SEED, "merge_error": 0.0}


def ended(out: Path, answer: Any) -> Outcome[Answer]:
    """Return how a child with this answer has ended."""
    (out / ANSWER_FILE).write_text(json.dumps(answer), encoding="utf-8")
    ending = Ending("One", out, default_limits(1.0), Answer.model_validate_json)
    return ending.outcome(0, None, Usage())


def test_unknown_fields_are_told_without_what_a_terminal_obeys_and_in_short(tmp_path):
    crash = ended(tmp_path, {f"{EVIL}{n}": 1 for n in range(5000)})
    assert crash.status == "crashed"
    assert crash.error is not None
    said = crash.error.what
    assert "left an answer that is not one" in said
    assert "\x1b" not in said
    assert not any(line.startswith("::") for line in said.splitlines())
    assert len(said) <= 2000


def test_the_texts_of_a_good_answer_are_harmless_too(tmp_path):
    told = {"notes": [EVIL], "stopped": EVIL, "seeds": [{**GOOD, "unmergeable": EVIL * 1000}]}
    answer = ended(tmp_path, told).answer
    assert answer is not None
    texts = [*answer.notes, answer.stopped or "", answer.seeds[0].unmergeable or ""]
    assert not any("\x1b" in text or "\n::" in text for text in texts)
    assert max(map(len, texts)) <= LONGEST_TEXT


@pytest.mark.parametrize("number", [-1, 10**4000])
def test_numbers_that_no_training_has_are_refused(tmp_path, number):
    seeds = [{**GOOD, "trainable_parameters": number}]
    assert ended(tmp_path, {"seeds": seeds}).status == "crashed"


def test_json_that_is_nested_without_end_is_a_fault_with_a_sentence():
    with pytest.raises(ValueError, match="nested too deep"):
        clean_json(b"[" * 100_000 + b"]" * 100_000)


def test_a_full_disk_is_told_to_be_the_machines_only_when_it_is(tmp_path, monkeypatch):
    told = {
        "error": {"kind": "WorkerDisk", "what": "train raised OSError: No space left on device"}
    }
    own = ended(tmp_path, told)
    assert (own.status, own.error.kind) == ("limit", "WorkerDisk")
    monkeypatch.setattr(outcome, "LEAST_FREE_BYTES", 1 << 62)
    machine = ended(tmp_path, told)
    assert machine.error.kind == "EnvironmentFault"
    assert "no fault of the contribution" in machine.error.fix
    (tmp_path / ANSWER_FILE).unlink()
    ending = Ending("One", tmp_path, default_limits(1.0), Answer.model_validate_json)
    silent = ending.outcome(1, None, Usage())
    assert silent.error.kind == "EnvironmentFault"


def test_lines_are_read_from_a_file_and_never_through_a_link(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("private\n", encoding="utf-8")
    link = tmp_path / "lines"
    link.symlink_to(secret)
    assert LineReader(link).lines() == []
    link.unlink()
    link.write_bytes(b"one\ntwo\nhal")
    reader = LineReader(link)
    assert reader.lines() == [b"one", b"two"]
    with link.open("ab") as file:
        file.write(b"f\n")
    assert reader.lines() == [b"half"]


def test_a_text_cannot_turn_the_order_of_what_follows_round():
    assert without_control("safe\u202egnp.exe\u2066\u200f") == "safegnp.exe"
