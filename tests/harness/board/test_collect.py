"""Everybody is on the board, whatever became of them."""

from __future__ import annotations

import shutil

import pytest

from harness import paths
from harness.board import evidence
from harness.board.blocks import board_text, readme_block
from harness.board.collect import Board, collect, require_all
from harness.board.entries import points
from harness.contributions import registry
from harness.protocol import row_files
from harness.protocol.confirmation import Confirmation
from harness.protocol.row import Row
from harness.runs.many.choose import choose_tracks
from tests.harness.board.conftest import REAL_TRACKS
from tests.harness.board.synthetic_hub import add_track, make_row, make_sheet, record
from toolkit.core.errors import HubError, ResultFileError

CONTROLS = paths.CONTROLS
ERROR = {"kind": "HookError", "what": "make_lora raised", "where": "a.py:1", "fix": "Mend it."}


def entry(board, name, track="robot"):
    return next(e for e in board.entries if (e.name, e.track) == (name, track))


def test_whoever_has_no_row_is_pending_and_the_reference_is_there(small):
    board = collect()
    assert [e.name for e in board.entries] == ["One", "reference", "Two"]
    assert {e.state for e in board.entries} == {"pending"}
    assert "not yet run" in entry(board, "One").reasons[0]


def test_a_row_of_today_is_measured_and_every_figure_arrives(small):
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.36))
    one = entry(collect(), "One")
    assert (one.state, one.outcome) == ("measured", "better")
    unknown = [k for k, v in one.public().items() if v is None]
    # This row's cost is of one seed, and no sweep of it is kept.
    assert unknown == ["cost_interval", "tolerance", "tolerance_decades"]
    assert len(one.bands) == 3
    assert one.time_ratio > 0
    assert one.curve[-1][0] == len(row_files.read_row(paths.RESULTS / "robot/One.json").losses)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"content_hash": "sha256:x"}, "code"),
        ({"protocol_hash": "sha256:x"}, "track"),
        ({"reference_hash": "sha256:x"}, "reference"),
    ],
)
def test_a_row_about_other_files_is_stale_says_why_and_does_not_rank(small, changes, reason):
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.36, **changes))
    one = entry(collect(), "One")
    assert one.state == "stale"
    assert one.reasons == (f"{'its' if reason == 'code' else 'the'} {reason} has changed since",)
    assert (one.group, one.tier, one.evidence) == (None, None, ())


def test_a_failed_row_keeps_its_place_its_fault_and_its_log(small):
    changes = {"status": "failed", "verdict": None, "scores": ()}
    record(make_row("robot", "One", 0.3, error=ERROR | {"log_tail": ["last"]}, **changes))
    one = entry(collect(), "One")
    assert (one.state, one.error, one.log_tail) == ("failed", "make_lora raised", ("last",))


def test_a_row_whose_folder_is_gone_stays_as_stale(small):
    row = make_row("robot", "One", 0.36)
    record(Row.model_validate(row.model_dump() | {"contribution": "Gone"}))
    gone = entry(collect(), "Gone")
    assert (gone.state, gone.reasons) == ("stale", ("the folder is gone",))


def test_a_folder_with_faults_is_on_the_board_with_that_reason(small):
    (small / "CONTRIBUTIONS/One/contribution.toml").write_text("no toml", encoding="utf-8")
    assert entry(collect(), "One").reasons == ("its contribution.toml has faults",)


def test_a_row_of_an_older_schema_makes_its_contribution_pending_again(small):
    record(make_row("robot", "One", 0.36))
    file = paths.RESULTS / "robot" / "One.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"schema_version": 3', '"schema_version": 1'), encoding="utf-8")
    one = entry(collect(), "One")
    assert (one.state, one.reasons) == ("pending", ("its row has the schema of an older hub",))


def test_every_damaged_file_is_named_at_once(small):
    record(make_row("robot", "Two", 0.36))
    folder = paths.RESULTS / "robot"
    (folder / "Two.json").rename(folder / "One.json")
    (folder / "Two.json").write_text("{", encoding="utf-8")
    (paths.RESULTS / "nowhere").mkdir()
    with pytest.raises(ResultFileError) as caught:
        collect()
    text = str(caught.value)
    assert "it is about Two on robot" in text
    assert "robot/Two.json" in text
    assert "nowhere: no such track" in text


def test_a_board_that_lost_somebody_is_refused(small):
    board = collect()
    less = Board(board.tracks, board.entries[1:], board.contributions)
    with pytest.raises(HubError, match="lacks One on robot"):
        require_all(less, ["One", "Two"])


def test_the_order_is_that_of_the_gains_and_groups_part_it(small):
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.40))
    record(make_row("robot", "Two", 0.25))
    board = collect()
    assert [(e.name, e.group) for e in board.entries] == [("One", 1), ("reference", 2), ("Two", 3)]


def test_rows_over_other_seeds_get_no_group(small):
    record(make_row("robot", "reference", 0.33))
    row = make_row("robot", "One", 0.40)
    record(row.model_copy(update={"scores": row.scores[:3]}))
    one = entry(collect(), "One")
    assert (one.group, one.state) == (None, "measured")
    assert one.tier is not None


def test_evidence_is_given_by_rules(small):
    record(make_row("robot", "reference", 0.33), make_sheet("robot"))
    record(make_row("robot", "One", 0.36))
    row = make_row("robot", "Two", 0.36)
    record(row.model_copy(update={"scores": row.scores[:4]}))
    board = collect()
    assert entry(board, "One").evidence == ("checked", "five seeds")
    assert entry(board, "Two").evidence == ("checked",)  # four seeds
    assert entry(board, "reference").evidence == ()


def test_of_a_folder_with_a_fault_nothing_is_shown(small):
    record(make_row("robot", "reference", 0.33))
    (small / "CONTRIBUTIONS/One/weights.pkl").write_bytes(b"x")
    record(make_row("robot", "One", 0.36))
    assert entry(collect(), "One").evidence == ()


def test_verified_needs_another_contributor_who_measured_the_same(small, monkeypatch):
    record(make_row("robot", "reference", 0.33))
    row = make_row("robot", "One", 0.36)
    record(row)
    verified = small / "leaderboard" / "verified" / "robot" / "One"

    def shown():
        return entry(collect(), "One").evidence

    row_files.write_row(verified / "someone.json", row)
    assert shown() == ("checked", "five seeds", "verified")
    # The embedded base is not the real model; here it passes for one.
    monkeypatch.setattr(evidence, "is_real_model", lambda track: True)
    assert shown() == tuple(name for name in evidence.EVIDENCE if name != "confirmed")
    gains = {"own": 0.36, "reference": 0.33}
    exchange = {"seeds": (0,), "scored": gains, "carried": gains, "kept": gains}
    confirmed = Confirmation.model_validate({"exchange": exchange})
    record(row.model_copy(update={"confirmation": confirmed}))
    assert shown() == tuple(evidence.EVIDENCE)
    row_files.write_row(verified / "someone.json", make_row("robot", "One", 0.25, seed=1))
    assert "verified" not in shown()  # they measured something else
    (verified / "someone.json").unlink()
    row_files.write_row(verified / f"{row.authors[0]}.json", row)
    assert "verified" not in shown()  # the author is not another


def test_verdicts_of_a_table_hold_for_all_its_rows_at_once(small):
    """What one comparison calls better may be chance among fifty: then the table does not."""
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.40))
    record(make_row("robot", "Two", 0.25))
    board = collect()
    assert [entry(board, name).outcome for name in ("One", "Two")] == ["better", "worse"]
    for one in board.of_track("robot"):
        if not one.is_reference and one.interval:
            assert (one.outcome == "no clear difference") == (
                one.interval[0] <= 0 <= one.interval[1]
            )


def test_who_trains_to_the_same_figures_is_called_so(small):
    record(make_row("robot", "reference", 0.33))
    twin = make_row("robot", "One", 0.33)
    verdict = twin.verdict.model_copy(update={"exactly_equal": True})
    record(twin.model_copy(update={"verdict": verdict}))
    one = entry(collect(), "One")
    assert (one.outcome, one.interval) == ("exactly the reference", (0.0, 0.0))


def test_a_bound_that_rounds_to_zero_gets_a_digit_more():
    assert [points(x) for x in (0.0004, -0.0004, 0.0, 0.012)] == ["+0.04", "-0.04", "+0.0", "+1.2"]


def test_the_embedded_base_is_not_the_real_model(small):
    from harness.board.evidence import is_real_model
    from harness.protocol.track import load_track

    assert not is_real_model(load_track("robot"))


def test_a_control_is_on_the_board_with_a_rank_and_without_tier_or_evidence(small):
    control = small / "tracks" / "controls" / "Untouched"
    shutil.copytree(CONTROLS / "Untouched", control)
    record(make_row("robot", "reference", 0.33))
    record(make_row("robot", "One", 0.36))
    assert entry(collect(), "Untouched").state == "pending"
    row = make_row("robot", "One", 0.36)
    now = registry.load_control("Untouched")
    changes = {"contribution": "Untouched", "control": True, "content_hash": now.content_hash}
    record(Row.model_validate(row.model_dump() | changes))
    board = collect()
    untouched = entry(board, "Untouched")
    assert (untouched.state, untouched.group) == ("measured", 1)
    assert (untouched.tier, untouched.evidence) == (None, ())
    assert "Untouched" not in readme_block(board)
    assert "*Untouched*" in board_text(board)


def test_a_withheld_row_is_marked_and_has_no_verdict_and_no_place(small):
    record(make_row("robot", "reference", 0.33))
    row = make_row("robot", "One", 0.61).model_dump()
    flag = {"kind": "over budget", "text": "Seed 0 made 225 optimiser steps; the budget is 75."}
    changes = {"status": "withheld", "verdict": None, "flags": (flag,), "error": ERROR}
    with pytest.raises(ValueError, match="withheld"):
        Row.model_validate(row | changes | {"verdict": row["verdict"]})
    record(Row.model_validate(row | changes))
    board = collect()
    one = entry(board, "One")
    assert (one.state, one.status, one.evidence) == ("withheld", "withheld", ())
    assert (one.group, one.tier, one.gain, one.outcome) == (None, None, None, "")
    assert one.flags == (flag["text"],)
    assert entry(board, "reference").group == 1


def test_a_row_without_processor_time_says_that_its_cost_is_the_clocks(small):
    record(make_row("robot", "reference", 0.33))
    row = make_row("robot", "One", 0.36)
    record(row)
    older = entry(collect(), "One")
    assert (older.cost_by, older.time_ratio) == ("clock", row.costs.time_ratio)
    costs = {"cpu_seconds": 30.0, "reference_cpu_seconds": 20.0}
    record(row.model_copy(update={"costs": row.costs.model_copy(update=costs)}))
    newer = entry(collect(), "One")
    assert (newer.cost_by, newer.time_ratio) == ("processor time", 1.5)


def test_an_unmergeable_row_shows_what_its_pictures_are_worth_and_does_not_rank(small):
    record(make_row("robot", "reference", 0.33))
    row = make_row("robot", "One", 0.36).model_dump()
    pictures = row["scores"][0]["own"]["pictures"] | {"similarity": 0.625}
    own = {"seed": 0, "own": pictures, "reference": pictures, "train_seconds": 15.0}
    changes = {"status": "unmergeable", "scores": (), "verdict": None, "own_pictures": (own,)}
    record(Row.model_validate(row | changes | {"error": ERROR}))
    one = entry(collect(), "One")
    assert (one.state, one.similarity, one.seeds) == ("unmergeable", 0.625, (0,))
    assert (one.group, one.tier, one.gain, one.drift) == (None, None, None, None)


# --- tracks in preparation ----------------------------------------------------------------------


def prepare(name="later"):
    """Add a track whose rows are not all recorded yet."""
    add_track(REAL_TRACKS, name, "One day", shown=False)


def test_the_board_does_not_show_a_track_in_preparation(small):
    prepare()
    board = collect()
    assert [track.file.name for track in board.tracks] == ["robot"]
    assert {entry.track for entry in board.entries} == {"robot"}
    assert "later" not in board_text(board)


def test_rows_of_a_track_in_preparation_may_be_recorded_and_have_to_be_whole(small):
    prepare()
    record(make_row("later", "reference", 0.33))
    assert {entry.track for entry in collect().entries} == {"robot"}
    (paths.RESULTS / "later" / "reference.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultFileError, match=r"later/reference\.json"):
        collect()


def test_rows_of_a_track_that_does_not_exist_stop_the_board(small):
    (paths.RESULTS / "gone").mkdir(parents=True)
    with pytest.raises(ResultFileError, match="gone: no such track"):
        collect()


def test_without_a_name_nothing_runs_on_a_track_in_preparation_and_with_it_it_does(small):
    prepare()
    assert [track.file.name for track in choose_tracks("all")[0]] == ["robot"]
    assert [track.file.name for track in choose_tracks("later")[0]] == ["later"]
