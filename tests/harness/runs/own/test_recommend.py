"""The recommendation: who, how certain, who else."""

from __future__ import annotations

import numpy as np
import pytest

from harness.protocol.statistics.share import share_interval
from harness.runs.own.recommend import chances_of, recommend, two_way_interval
from tests.harness.support import example_row, figures

PICTURES = 6


def row(name, losses, drift=0.05, ratio=1.0, **changes):
    """A row with a held-out loss for each (seed, picture)."""
    base = figures(0.8)
    base["heldout"] = {"mean": 0.8, "bands": (0.8,) * 3, "pictures": (0.8,) * PICTURES}
    scores = []
    for seed, line in enumerate(losses):
        own = figures(float(np.mean(line)), drift=drift)
        own["heldout"] = {**own["heldout"], "pictures": tuple(map(float, line))}
        scores.append(
            {
                "seed": seed,
                "own": own,
                "reference": own,
                "merge_error": 0.0,
                "train_seconds": 1.0,
            }
        )
    costs = example_row().costs.model_copy(update={"train_seconds": ratio})
    fields = {"contribution": name, "base": base, "scores": scores, "costs": costs.model_dump()}
    return example_row(**(fields | changes))


def losses(mean, seeds=3, noise=0.0, number=0):
    random = np.random.default_rng(number)
    return mean + noise * random.standard_normal((seeds, PICTURES))


def test_a_clear_winner_is_recommended_without_reserve():
    rows = [row("Best", losses(0.4, noise=0.01)), row("Other", losses(0.6, noise=0.01, number=1))]
    found = recommend(rows)
    assert found.first.name == "Best"
    assert found.learnt
    assert found.first.chance > 0.99
    assert found.tied == ()
    assert "Take Best: its gain is 50" in found.sentences[0]
    assert "All others are clearly behind it." in found.sentences


def test_those_that_cannot_be_told_apart_are_named_with_what_speaks_for_them():
    rows = [
        row("Best", losses(0.400, noise=0.05), drift=0.2, ratio=2.0),
        row("Gentle", losses(0.405, noise=0.05, number=1), drift=0.01, ratio=1.5),
        row("Quick", losses(0.405, noise=0.05, number=2), drift=0.1, ratio=0.5),
        row("Bad", losses(0.7, noise=0.05, number=3)),
    ]
    found = recommend(rows)
    others = {"Best", "Gentle", "Quick"} - {found.first.name}
    assert {one.name for one in found.tied} == others
    assert found.first.chance < 0.9
    assert sum(one.chance for one in found.standings) == pytest.approx(1)
    text = " ".join(found.sentences)
    assert "Not to be told apart from it" in text
    assert found.first.name == "Gentle" or "Gentle changes other prompts least" in text
    assert found.first.name == "Quick" or "Quick trains fastest" in text
    assert "Bad" not in text


def test_nothing_is_recommended_where_nothing_was_surely_learnt():
    found = recommend([row("One", losses(0.79, noise=0.2)), row("Two", losses(0.85))])
    assert not found.learnt
    assert found.sentences[0].startswith("Take none of them yet")


def test_rows_without_figures_and_controls_are_left_out():
    failed = example_row(
        contribution="Failed",
        status="failed",
        scores=(),
        verdict=None,
        base=None,
        error={"kind": "HookError", "what": "it raised"},
    )
    control = row("Untouched", losses(0.1), control=True)
    found = recommend([failed, control, row("One", losses(0.5))])
    assert [one.name for one in found.standings] == ["One"]
    assert recommend([failed]) is None


def test_the_only_one_with_figures_is_not_recommended_as_the_best():
    found = recommend([row("One", losses(0.5, noise=0.01))])
    assert found.learnt
    assert not found.chosen
    assert "Only One has figures" in found.sentences[0]
    assert "Take" not in " ".join(found.sentences)


def test_only_seeds_that_all_have_count():
    short = row("Short", losses(0.5, seeds=2))
    found = recommend([short, row("Long", losses(0.4, seeds=3))])
    assert found.seeds == 2


def test_one_seed_promises_nothing_about_the_others():
    found = recommend([row("One", losses(0.5, seeds=1)), row("Two", losses(0.6, seeds=1))])
    assert found.first.name == "One"
    assert found.first.gain_interval is None
    assert found.first.chance is None
    assert [one.name for one in found.tied] == ["Two"]
    assert "One seed" in " ".join(found.sentences)


def test_chances_are_those_of_the_truth():
    """Two equal contributions: each is first about half the time, over many experiments."""
    random = np.random.default_rng(7)
    mean = np.mean([chances_of(random.standard_normal((2, 3, 6)))[0] for _ in range(200)])
    assert mean == pytest.approx(0.5, abs=0.05)


def experiments(count, seeds, pictures, of_seeds, of_pictures):
    """Means of zero, with effects of seeds, of pictures and of both: (seeds, pictures) each."""
    random = np.random.default_rng(3)
    for _ in range(count):
        yield (
            of_seeds * random.standard_normal((seeds, 1))
            + of_pictures * random.standard_normal((1, pictures))
            + 0.3 * random.standard_normal((seeds, pictures))
        )


@pytest.mark.parametrize(
    ("seeds", "pictures", "of_seeds", "of_pictures"),
    [(2, 4, 0.1, 1.0), (3, 5, 0.3, 1.0), (3, 12, 1.0, 0.3), (5, 8, 0.0, 0.0)],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds, pictures, of_seeds, of_pictures):
    found = [
        two_way_interval(values)
        for values in experiments(600, seeds, pictures, of_seeds, of_pictures)
    ]
    held = np.mean([low <= 0 <= high for low, high in found])
    assert held >= 0.92  # 600 experiments: give or take 0.02


def test_where_pictures_differ_much_two_seeds_are_enough():
    """With the two seeds' own degree of freedom for all of it, it would be twice as wide."""
    (values,) = experiments(1, 2, 6, 0.01, 1.0)
    low, high = two_way_interval(values)
    spread = values.mean(axis=0).std(ddof=1) / 6**0.5
    assert (high - low) / 2 < 6 * spread


def with_hits(given, *by_seed):
    """The row with these hits, one tuple for each seed."""
    scores = [
        score.model_copy(
            update={
                "own": score.own.model_copy(
                    update={"pictures": score.own.pictures.model_copy(update={"hits": hits})}
                )
            }
        )
        for score, hits in zip(given.scores, by_seed, strict=True)
    ]
    return given.model_copy(update={"scores": tuple(scores)})


def test_how_many_pictures_show_what_was_taught_is_said_with_its_interval():
    best = row("Best", losses(0.4, seeds=2, noise=0.01))
    other = row("Other", losses(0.6, seeds=2, noise=0.01, number=1))
    found = recommend([with_hits(best, (True, True, False), (True, True, True)), other])
    assert found.first.hit_rate == pytest.approx(5 / 6)
    assert found.first.hit_interval == pytest.approx(share_interval(5, 6))
    said = found.sentences
    assert any("83% of its pictures show what was taught (95 %" in one for one in said)


def test_only_seeds_that_all_have_count_for_hits_too():
    two = with_hits(row("Two", losses(0.4, seeds=2, noise=0.01)), (True,), (False,))
    one = with_hits(row("One", losses(0.5, seeds=1, noise=0.01)), (True,))
    standings = {standing.name: standing for standing in recommend([two, one]).standings}
    assert standings["Two"].hit_rate == 1


def test_rows_from_before_hits_were_measured_say_nothing_of_them():
    found = recommend([row("Old", losses(0.4, noise=0.01)), row("Other", losses(0.6))])
    assert found.first.hit_rate is None
    assert found.first.hit_interval is None
    assert not any("show what was taught" in one for one in found.sentences)
