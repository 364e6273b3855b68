"""Where cores are shared by runs, the two sides of one run train in turn, not side by side."""

from types import SimpleNamespace

import pytest

from harness.runs.steps import train


@pytest.mark.parametrize(
    ("one_at_a_time", "expected"),
    [
        (True, ["pace starts", "1 runs", "own starts", "1 runs"]),
        (False, ["pace starts", "own starts", "2 run"]),
    ],
)
def test_sides_train_in_turn_or_side_by_side(monkeypatch, one_at_a_time, expected):
    seen = []

    def starts(name):
        def start():
            seen.append(f"{name} starts")
            return SimpleNamespace(outcome=None)

        return start

    def run(children, progress):
        seen.append("1 runs" if len(children) == 1 else f"{len(children)} run")

    monkeypatch.setattr(train, "run_children", run)
    attempt = SimpleNamespace(one_at_a_time=one_at_a_time, progress=None)
    children, failed = train.follow(attempt, [starts("pace"), starts("own")])
    assert seen == expected
    assert (len(children), failed) == (2, None)
