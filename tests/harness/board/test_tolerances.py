"""Tolerance beside the gain: on the table, the pages and LEADERBOARD.md, where a sweep is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from harness.board.blocks import board_text, wanted
from harness.board.collect import collect
from harness.board.site import build
from harness.board.tolerances import worth_a_column
from harness.contributions import registry
from harness.protocol.track import load_track
from harness.runs.page import write_page
from harness.runs.sweep_files import (
    FOLDS,
    Fold,
    Sweep,
    Tolerance,
    Trial,
    bench_hash,
    subject_hash,
    sweep_file,
)
from tests.harness.board import synthetic_hub
from toolkit.core import atomic

SENTENCE = "Learning rates from 0.0005 to 0.004 stay within a point of the best: 0.9 decades"


def keep_sweep(name: str, **changes: object) -> None:
    """Write a sweep of a contribution on the robot track where the board looks for it."""
    contribution, track = registry.load(name), load_track("robot")
    found = Sweep(
        contribution=name,
        track="robot",
        subject_hash=subject_hash(contribution),
        bench_hash=bench_hash(track),
        reference_hash="sha256:0",
        steps=75,
        batch_size=8,
        folds=[Fold(seed=n, held_back=(f"{n}.png",), base_loss=0.1) for n in range(FOLDS)],
        most_rates=8,
        trials=[Trial(learning_rate=rate, gains=(0.3,) * FOLDS) for rate in (1e-3, 3e-3)],
        chosen=1e-3,
        bound=None,
        tolerance=Tolerance(low=5e-4, high=4e-3, open_below=False, open_above=False),
        created_at=datetime.now(UTC),
    )
    text = found.model_copy(update=changes).model_dump_json()
    atomic.write_text(sweep_file(name, track), text)


def record_two() -> None:
    for name, gain in (("reference", 0.33), ("One", 0.4), ("Two", 0.35)):
        synthetic_hub.record(synthetic_hub.make_row("robot", name, gain))


def test_without_a_sweep_there_is_no_column_and_no_line(small):
    record_two()
    build(collect(), small / "site")
    assert "olerance" not in board_text(collect())
    for page in ("robot/index.html", "contributions/One.html"):
        assert "olerance" not in (small / "site" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(("swept", "rows", "shown"), [(0, 4, False), (1, 4, True), (1, 5, False)])
def test_a_column_needs_a_quarter_of_the_rows(swept, rows, shown):
    entries = [SimpleNamespace(tolerance_text="0.6" if n < swept else "") for n in range(rows)]
    assert worth_a_column(entries) is shown


def test_a_sweep_of_one_row_shows_it_there_and_a_dash_elsewhere(small):
    record_two()
    keep_sweep("One")
    build(collect(), small / "site")
    text = board_text(collect())
    lines = {
        line.split(" | ")[1]: line.split(" | ")[5] for line in text.splitlines() if " | " in line
    }
    assert (lines["contribution"], lines["One"], lines["Two"]) == ("tolerance", "0.9", "-")
    assert "*Tolerance*: the range of learning rates within one point of the best" in text
    table = (small / "site" / "robot" / "index.html").read_text(encoding="utf-8")
    assert f'title="{SENTENCE}.">0.9</td>' in table
    assert '<td class="n nowrap" data-order="-1">-</td>' in table
    page = (small / "site" / "contributions" / "One.html").read_text(encoding="utf-8")
    assert f"Tolerance on robot: {SENTENCE}" in page
    assert "olerance" not in (small / "site" / "contributions" / "Two.html").read_text("utf-8")
    csv = (small / "site" / "data" / "robot.csv").read_text(encoding="utf-8").splitlines()
    place = csv[0].split(",").index("tolerance_decades")
    assert {line.split(",")[2]: line.split(",")[place][:3] for line in csv[1:]}["One"] == "0.9"


def test_a_run_s_page_says_it_beside_the_gain(small):
    record_two()
    one, track = registry.load("One"), load_track("robot")
    row = synthetic_hub.make_row("robot", "One", 0.4)
    write_page(small / "page.html", row, (), (), track, None, one)
    assert "Tolerance" not in (small / "page.html").read_text(encoding="utf-8")
    keep_sweep("One")
    write_page(small / "page.html", row, (), (), track, None, one)
    assert SENTENCE in (small / "page.html").read_text(encoding="utf-8")


def test_the_page_about_rates_lists_the_sweeps_that_are_kept(small):
    record_two()
    page = small / "docs" / "learning_rates.md"
    assert "None is kept yet." in wanted(collect())[page]
    trials = (Trial(learning_rate=1e-3, gains=(0.31, 0.29)), Trial(learning_rate=3e-3, fault="x"))
    keep_sweep("One", trials=trials)
    line = "| One | robot | **0.001: 30.0**, 0.003: failed | 0.9 | 0.0005 | 0.004 |"
    assert line in wanted(collect())[page]


def test_a_sweep_of_other_code_is_left_out_and_a_damaged_one_is_named(small):
    record_two()
    keep_sweep("One", subject_hash="sha256:older")
    assert "olerance" not in board_text(collect())
    atomic.write_text(sweep_file("Two", load_track("robot")), "{}")
    try:
        collect()
    except Exception as error:
        assert "the sweep of Two on robot: This is no sweep" in str(error)
    else:
        raise AssertionError("a damaged sweep went unnoticed")
