"""The board: order, controls and pairs on rows whose answer is known."""

import re

import pytest

from harness.board.board_check import control_faults
from harness.protocol import row_files
from harness.protocol.order import places
from harness.protocol.pair import compare_pair
from harness.protocol.track import load_track, track_names
from harness.runs.compare_page import Side, write_compare_page
from tests.harness.runs.test_page import EVIL, columns
from tests.harness.support import BASE_LOSS, example_row, figures

SEEDS = range(5)


def row(name, gains, reference=0.3, **changes):
    """A row with these gains, one per seed, and the reference around its own gain."""
    from harness.protocol.figures import SeedScores
    from harness.protocol.verdict import compare

    scores = tuple(
        SeedScores.model_validate(
            {
                "seed": seed,
                "own": figures(BASE_LOSS * (1 - gain)),
                "reference": figures(BASE_LOSS * (1 - reference)),
                "merge_error": 0,
                "train_seconds": 1,
            }
        )
        for seed, gain in enumerate(gains)
    )
    verdict = compare(name, scores, is_reference=name == "reference")
    return example_row(contribution=name, scores=scores, verdict=verdict, **changes)


def around(gain, spread=0.001):
    return [gain + spread * (seed - 2) * (-1) ** seed for seed in SEEDS]


COPIES = [{"kind": "copies training pictures", "text": "all of them"}]


def board(**changes):
    rows = {
        "reference": row("reference", around(0.3)),
        "Memoriser": row("Memoriser", around(0.1), control=True, flags=COPIES),
        "RandomAdapter": row("RandomAdapter", around(-0.5), control=True),
        "Untouched": row(
            "Untouched", [0.0] * 5, control=True
        ),
    }  # fmt: skip
    untouched = rows["Untouched"]
    still = tuple(
        score.model_copy(update={"own": score.own.model_copy(update={"drift": 0.0})})
        for score in untouched.scores
    )
    rows["Untouched"] = untouched.model_copy(update={"scores": still})
    return list((rows | changes).values())


def test_a_good_board_has_no_fault():
    assert control_faults(board()) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"Memoriser": row("Memoriser", around(0.4), control=True, flags=COPIES)}, "does not lose"),
        ({"Memoriser": row("Memoriser", around(0.1), control=True)}, "not marked"),
        ({"RandomAdapter": row("RandomAdapter", around(0.2), control=True)}, "Memoriser gains no"),
        ({"Untouched": row("Untouched", around(0.01), control=True)}, "base moved with seed 0"),
    ],
)
def test_a_board_with_a_control_out_of_place_fails(change, complaint):
    assert any(complaint in fault for fault in control_faults(board(**change)))


def test_a_board_without_controls_or_with_a_failed_one_proves_nothing():
    assert "No row of Memoriser" in control_faults([row("reference", around(0.3))])[0]
    error = {"kind": "HookError", "what": "it raised"}
    failed = example_row(contribution="Memoriser", status="failed", error=error, verdict=None)
    assert control_faults(board(Memoriser=failed)) == [
        "The row of Memoriser has no verdict: failed."
    ]


def test_the_order_is_tie_group_then_tier_then_name():
    rows = [
        row("Weak", around(0.1)),
        row("Good", around(0.3), adapter_bytes=9000),
        row("AsGood", [g + 0.0001 * (-1) ** s for s, g in enumerate(around(0.3))]),
    ]
    found = [(p.row.contribution, p.group, p.tier) for p in places(rows)]
    assert found[0][:2] == ("AsGood", 1)
    assert found[1][:2] == ("Good", 1)
    assert found[1][2] > found[0][2]  # the same, for more bytes
    assert found[2][:2] == ("Weak", 2)
    assert (
        places([example_row(verdict=None, status="failed", error={"kind": "E", "what": "e"})]) == []
    )


def test_rows_with_more_seeds_are_compared_on_those_they_share():
    assert [p.group for p in places([row("A", around(0.3)), row("B", around(0.1)[:3])])] == [1, 2]


def test_a_pair_in_words_and_numbers():
    clear = compare_pair(row("A", around(0.30)), row("B", around(0.25)))
    assert clear.difference == pytest.approx(0.05)
    assert "The gain of A is 5.00 points above that of B" in clear.sentence
    assert clear.sentence.endswith("clearly better.")
    same = compare_pair(row("A", around(0.3)), row("B", around(0.3)))
    assert same.sentence == "A and B have exactly the same gains."
    doubt = compare_pair(row("A", [0.3, 0.1, 0.2]), row("B", [0.2, 0.2, 0.2]))
    assert "no clear difference" in doubt.sentence
    one = compare_pair(row("A", [0.3]), row("B", [0.2]))
    assert "One seed cannot tell" in one.sentence
    with pytest.raises(ValueError, match="different seeds"):
        compare_pair(row("A", [0.3]), row("B", [0.2, 0.1]))


def test_the_comparison_page_shows_pictures_differences_curves_and_costs(tmp_path):
    (_, files), _ = columns(tmp_path / "pictures")
    other = row("B", around(0.25)).model_copy(update={"summary": EVIL, "contribution": EVIL})
    sides = Side(row("A", around(0.3)), files, files), Side(other, files[::-1], files)
    write_compare_page(tmp_path / "page.html", *sides, load_track("robot"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "clearly better" in text
    assert text.count("data:image/png;base64,") == 4 * len(files)
    assert text.count("<polyline") == 2
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)


@pytest.mark.parametrize("track", track_names())
def test_recorded_controls_are_in_their_places(track):
    current = load_track(track).protocol_hash()
    rows = [row for row in row_files.recorded_rows(track) if row.protocol_hash == current]
    if any(row.control for row in rows):  # recorded all together: nox -s controls -- --record
        assert control_faults(rows) == []
