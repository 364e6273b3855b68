"""The verdict: sentences that say what they mean."""

import pytest

from harness.protocol.figures import Figures, SeedScores
from harness.protocol.verdict import compare, picture_differences
from tests.harness.support import BASE_LOSS, figures


def model(gain):
    return Figures.model_validate(figures(BASE_LOSS * (1 - gain)))


def scores(pairs):
    return [
        SeedScores(
            seed=seed,
            own=model(own),
            reference=model(reference),
            merge_error=0.0,
            train_seconds=1.0,
        )
        for seed, (own, reference) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("pairs", "outcome"),
    [
        ([(0.30, 0.20), (0.31, 0.205), (0.29, 0.195)], "better"),
        ([(0.10, 0.20), (0.11, 0.205), (0.09, 0.195)], "worse"),
        ([(0.30, 0.20), (0.10, 0.20), (0.21, 0.20)], "no clear difference"),
        ([(0.90, 0.20)], "no clear difference"),
        ([(0.2, 0.2)] * 3, "no clear difference"),
    ],
)
def test_a_difference_is_clear_only_when_its_interval_leaves_zero_out(pairs, outcome):
    verdict = compare("Foo", scores(pairs))
    assert verdict.outcome == outcome
    assert "Foo" in verdict.sentence


def test_pairing_by_seed_takes_out_what_seeds_have_in_common():
    # The seeds differ by far more than the two methods do; paired, the difference is clear.
    pairs = [(0.1 * k + 0.02, 0.1 * k + offset) for k, offset in ((1, 0), (3, 0.001), (5, -0.001))]
    assert compare("Foo", scores(pairs)).outcome == "better"


def test_one_seed_cannot_tell_and_says_so():
    assert "One seed cannot tell" in compare("Foo", scores([(0.9, 0.1)])).sentence


def test_a_contribution_that_makes_it_worse_is_told_so():
    sentence = compare("Foo", scores([(-0.1, 0.2)] * 2 + [(-0.11, 0.2)])).sentence
    assert "Foo raises the held-out loss by 10.3% of the base's" in sentence
    assert "the reference lowers it by 20.0%" in sentence


def test_the_reference_is_not_compared_with_itself():
    verdict = compare("reference", scores([(0.2, 0.2)]), is_reference=True)
    assert verdict.outcome == "is the reference"
    assert verdict.interval is None


def test_equal_figures_are_called_equal():
    verdict = compare("Foo", scores([(0.2, 0.2), (0.3, 0.3)]))
    assert verdict.exactly_equal
    assert verdict.sentence.endswith("exactly the reference's figures.")
    assert not compare("Foo", scores([(0.2, 0.2), (0.3, 0.31)])).exactly_equal


def test_doubt_is_followed_by_advice():
    sentence = compare("Foo", scores([(0.30, 0.20), (0.10, 0.20), (0.21, 0.20)])).sentence
    assert "No clear difference yet." in sentence
    assert "seeds" in sentence.rpartition("yet.")[2]


def test_differences_by_picture_average_to_the_difference_of_gains():
    pairs = [(0.30, 0.20), (0.10, 0.25)]
    table = picture_differences(scores(pairs))
    assert table.shape == (2, 4)
    assert table.mean(axis=1) == pytest.approx([a - b for a, b in pairs])
