"""Old versions of the reference that train to the same bits, and how that is shown."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from harness.commands import verify_reference as command
from harness.commands.cli import main
from harness.contributions import registry
from harness.protocol import equal_references, row_files
from harness.protocol.equal_references import FILE_NAME, same_code
from harness.protocol.row_files import recorded_path
from harness.protocol.track import load_track
from harness.runs.pipeline import Run
from tests.harness.protocol.test_board import around, row
from toolkit.core.errors import ResultFileError, UsageError
from toolkit.deltas.file import write_delta

OLD = "sha256:old"


def old_row(gains=None, **changes):
    fields = {
        "content_hash": OLD,
        "reference_hash": OLD,
        "protocol_hash": load_track("robot").protocol_hash(),
    }
    return row("reference", gains or around(0.3), **fields | changes)


@pytest.fixture
def verify(runs, tmp_path, monkeypatch, capsys):
    """Verify the reference while training it gives a certain row."""

    def call(again, *, recorded=None, **options):
        recorded = recorded or old_row()
        row_files.write_row(recorded_path(recorded), recorded)
        seen = []

        def run_contribution(contribution, track, asked, progress):
            import torch

            seen.append(asked)
            for seed in asked.seeds:
                folder = tmp_path / "run" / "train" / f"seed-{seed}"
                folder.mkdir(parents=True, exist_ok=True)
                delta = {"unet": {"a.weight": torch.full((2, 2), float(seed))}}
                write_delta(folder / "delta.safetensors", delta, {})
            scores = tuple(score for score in again.scores if score.seed in asked.seeds)
            return Run(again.model_copy(update={"scores": scores}), tmp_path / "run", ())

        monkeypatch.setattr(command, "run_contribution", run_contribution)
        options = {"first_seed": False, "write": False} | options
        console = Console(highlight=False)
        code = command.verify_reference([], "cpu", progress=None, console=console, **options)
        assert all(asked.fresh for asked in seen)
        return code, " ".join(capsys.readouterr().out.split())

    return call


def test_the_same_numbers_let_old_rows_count_once_that_is_written(verify):
    now = registry.load_reference().content_hash
    code, said = verify(old_row())
    assert code == 0
    assert "3 losses of seed 0 and all figures (seeds: 0, 1, 2, 3, 4)." in said
    assert "--write" in said
    assert not same_code(OLD, now)

    code, said = verify(old_row(), write=True)
    assert code == 0
    assert "train to the same bits" in said
    assert same_code(OLD, now)
    assert same_code(now, OLD)
    assert not same_code("sha256:other", now)
    (one,) = equal_references.read_equalities().equal
    (shown,) = one.shown
    assert (shown.track, shown.seeds, shown.steps) == ("robot", (0, 1, 2, 3, 4), 3)
    assert len(set(shown.deltas.values())) == 5


def test_written_again_it_takes_the_place_of_the_older_statement(verify):
    verify(old_row(), write=True)
    verify(old_row(), write=True, first_seed=True)
    (one,) = equal_references.read_equalities().equal
    assert one.shown[0].seeds == (0,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"losses": (1.0, 0.9, 0.8000000000000002)}, "the losses of the first seed"),
        ({"gains": [around(0.3)[0] + 1e-9, *around(0.3)[1:]]}, "the figures of seed 0"),
        ({"gains": around(0.31)}, "Disagrees"),
    ],
)
def test_one_other_digit_and_nothing_is_written(verify, changes, said):
    code, out = verify(old_row(**changes), write=True)
    assert code == 1
    assert said in out
    assert equal_references.read_equalities().equal == ()


def test_on_another_machine_a_stated_equality_need_not_be_to_the_bit(verify):
    again = old_row(around(0.3 + 1e-4))
    machine = again.machine.model_copy(update={"processor": "another"})
    again = again.model_copy(update={"machine": machine})
    assert verify(again)[0] == 1
    assert verify(old_row(), write=True)[0] == 0
    code, said = verify(again)
    assert code == 0
    assert "Not equal to the last digit" in said


def test_a_row_of_another_track_or_without_figures_proves_nothing(verify):
    with pytest.raises(UsageError, match="changed since"):
        verify(old_row(), recorded=old_row(protocol_hash="sha256:other"))


def test_without_a_row_there_is_nothing_to_verify(runs):
    with pytest.raises(UsageError, match="no rows"):
        command.verify_reference(
            [], "cpu", first_seed=False, write=False, progress=None, console=Console()
        )


def test_options_of_the_reference_go_with_nothing_else(capsys):
    assert main(["verify", "Example1", "--write"]) == 2
    assert "go with the reference only" in capsys.readouterr().err


def test_a_damaged_statement_is_an_error_and_no_statement_none(runs, tmp_path):
    assert same_code("sha256:a", "sha256:a")
    assert not same_code("sha256:a", "sha256:b")
    (tmp_path / FILE_NAME).write_text(json.dumps({"equal": [{"old": 3}]}))
    with pytest.raises(ResultFileError, match="damaged"):
        same_code("sha256:a", "sha256:b")


def test_the_board_counts_rows_of_a_reference_that_was_shown_to_be_equal():
    """The committed statement covers every row on the board that an older reference measured."""
    now = registry.load_reference().content_hash
    for path in sorted(row_files.paths.RESULTS.glob("*/*.json")):
        found = row_files.read_row(path)
        assert same_code(found.reference_hash, now), path


def test_the_oldest_equal_reference_stands_for_all_that_follow(monkeypatch):
    chain = [{"old": "a", "new": "b"}, {"old": "b", "new": "c"}, {"old": "x", "new": "y"}]
    equal = [equal_references.Equality.model_construct(**one) for one in chain]
    stated = equal_references.Equalities.model_construct(equal=tuple(equal))
    monkeypatch.setattr(equal_references, "read_equalities", lambda: stated)
    assert [equal_references.first_equal(one) for one in "abcy"] == ["a", "a", "a", "x"]
    assert equal_references.first_equal("unknown") == "unknown"
