"""verify, why-stale, preview, calibration: what they conclude from rows and gains."""

import json

import pytest

from harness.commands.cli import main
from harness.commands.verify import require_comparable
from harness.contributions import registry
from harness.protocol import row_files
from harness.protocol.repeated import judge
from harness.protocol.track import load_track
from harness.runs.folders import PARTS_FILE, ROW_FILE
from harness.runs.key import run_parts
from harness.runs.steps.rows import stopped_early
from harness.runs.studies.calibration import LONGER, VARIANTS, summarise
from tests.harness.protocol.test_board import around, row
from tests.harness.support import example_row
from toolkit.core.errors import UsageError


def other_machine(one):
    return one.model_copy(
        update={"machine": one.machine.model_copy(update={"processor": "another"})}
    )


def test_the_same_machine_has_to_repeat_itself():
    one = row("A", around(0.3))
    agrees, sentence = judge(one, one)
    assert agrees
    assert "Agrees" in sentence
    moved, sentence = judge(one, row("A", around(0.3001)))
    assert not moved
    assert "Disagrees" in sentence


def test_another_machine_may_differ_by_what_seeds_differ_by():
    one = row("A", around(0.3))
    assert judge(one, other_machine(row("A", around(0.3005))))[0]
    assert not judge(one, other_machine(row("A", around(0.35))))[0]


def test_a_run_that_fails_disagrees():
    failed = example_row(status="failed", error={"kind": "E", "what": "it raised"}, verdict=None)
    agrees, sentence = judge(row("A", around(0.3)), failed)
    assert not agrees
    assert "it raised" in sentence


def test_a_row_of_other_code_is_not_verified():
    track, contribution = load_track("robot"), registry.load("Example1")
    with pytest.raises(UsageError, match="the code of Foo, the reference, the protocol changed"):
        require_comparable(example_row(), contribution, track)


def test_why_stale_names_what_changed(runs, capsys):
    assert main(["why-stale", "Example1"]) == 1
    assert "has not run here" in capsys.readouterr().out
    track, reference = load_track("robot"), registry.load_reference()
    folder = runs / "robot" / "Example1" / "abc"
    row_files.write_row(folder / ROW_FILE, example_row(contribution="Example1"))
    parts = run_parts(registry.load("Example1"), reference, track, "cpu")
    (folder / PARTS_FILE).write_text(json.dumps(parts))
    assert main(["why-stale", "Example1"]) == 0
    assert "nothing has changed" in capsys.readouterr().out
    parts |= {"requirements.txt": "other", "CONTRIBUTIONS/Example1": "other"}
    (folder / PARTS_FILE).write_text(json.dumps(parts))
    assert main(["why-stale", "Example1"]) == 1
    told = capsys.readouterr().out
    assert "requirements.txt changed" in told
    assert "CONTRIBUTIONS/Example1 changed" in told
    assert "torch" not in told


def test_old_rows_are_named_and_left_out(runs):
    path = row_files.recorded_path(example_row())
    row_files.write_row(path, example_row())
    assert row_files.outdated_rows("robot", "sha256:cc") == {}
    assert "another protocol" in row_files.outdated_rows("robot", "sha256:new")["Foo"]
    path.write_text(path.read_text().replace('"schema_version": 3', '"schema_version": 1'))
    assert row_files.recorded_rows("robot") == []
    assert "schema version 1" in row_files.outdated_rows("robot", "sha256:cc")["Foo"]


def test_preview_puts_the_newest_run_into_the_board(runs, capsys):
    assert main(["preview", "Example1"]) == 2
    row_files.write_row(
        runs / "robot" / "Example1" / "abc" / ROW_FILE, row("Example1", around(0.3))
    )
    other = row("Worse", around(0.1))
    row_files.write_row(row_files.recorded_path(other), other)
    capsys.readouterr()
    assert main(["preview", "Example1"]) == 0
    told = capsys.readouterr().out
    assert told.index("Example1") < told.index("Worse")


def test_a_row_that_was_stopped_early_says_after_how_many_seeds():
    (flag,) = stopped_early(row("A", around(0.3)[:3]), 5).flags
    assert "3 of 5 seeds" in flag.text


def test_a_calibration_says_what_can_be_shown():
    gains = {
        "reference": around(0.3),
        LONGER: around(0.31, spread=0.002),
        "rank 1": around(0.2),
        "learning rate x 10": [g + 0.05 * (-1) ** s for s, g in enumerate(around(0.29))],
    }
    found = summarise(load_track("robot"), gains, "process")
    assert found.gain_per_10_percent_steps == pytest.approx(0.01)
    assert found.detectable[3] > found.detectable[5] > found.detectable[10]
    # A twin moves with the reference; the other two variants say what a method of its own does.
    assert found.paired_sigma_of_a_twin < found.paired_sigma
    assert found.detectable_between_twins[5] < found.detectable[5]
    told = {(order.better, order.worse): order.found for order in found.orders}
    assert told == {("reference", "rank 1"): True, ("reference", "learning rate x 10"): False}


def test_every_variant_is_the_reference_with_its_change():
    names = {variant.contribution().name for variant in VARIANTS}
    assert len(names) == len(VARIANTS)
    by_label = {variant.label: variant for variant in VARIANTS}
    assert by_label["rank 16"].contribution().file.settings.lora.rank == 16
    assert by_label["half the steps"].budget(150) == 75
    rates = [
        by_label[f"learning rate {k}"].contribution().file.settings.train.learning_rate
        for k in ("x 10", "/ 10")
    ]
    assert rates[0] == pytest.approx(100 * rates[1])
