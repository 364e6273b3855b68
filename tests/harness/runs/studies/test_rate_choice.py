"""Which rate is tried next, which is the best, how wide its range is: on made-up curves."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.studies.rate_choice import (
    BUDGET,
    HIGHEST,
    LOWEST,
    TOLERATED,
    bound,
    choose,
    next_rates,
    place_of,
    rate_at,
    tolerance,
)
from harness.runs.sweep_files import Tolerance, Trial
from toolkit.core.errors import UsageError

Curve = Callable[[float], float]  # log10 of a rate -> gain

PEAKS = st.floats(-5.5, -0.5)
STEEPNESS = st.floats(0.02, 0.3)  # points of gain per decade squared, or per decade, as shares
DIVERGES = "the loss is not finite at step 3"


def trial(rate: float, *gains: float) -> Trial:
    return Trial(learning_rate=rate, gains=gains, fault=None if gains else DIVERGES)


def swept(curve: Curve, fails_from: float = math.inf) -> list[Trial]:
    """Try rates as a sweep does; those from ``fails_from`` on do not stay finite."""
    trials: list[Trial] = []
    while rates := next_rates(trials):
        assert not {one.learning_rate for one in trials} & set(rates)
        for rate in rates:
            gain = curve(math.log10(rate))
            trials.append(trial(rate) if rate >= fails_from else trial(rate, gain, gain))
    return sorted(trials, key=lambda one: one.learning_rate)


def bump(peak: float, steepness: float) -> Curve:
    return lambda log: 0.3 - steepness * (log - peak) ** 2


def tent(peak: float, slope: float) -> Curve:
    return lambda log: 0.3 - slope * abs(log - peak)


def test_the_ladder_is_half_decades() -> None:
    assert [rate_at(place) for place in range(-8, -2)] == [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
    assert (rate_at(LOWEST), rate_at(HIGHEST)) == (1e-6, 1.0)
    assert all(place_of(rate_at(place)) == place for place in range(LOWEST, HIGHEST + 1))


@given(PEAKS, STEEPNESS)
def test_a_sweep_stays_within_its_budget_and_leaves_no_rate_out(
    peak: float, steepness: float
) -> None:
    trials = swept(bump(peak, steepness))
    assert len(BUDGET.start) <= len(trials) <= BUDGET.most
    places = [place_of(one.learning_rate) for one in trials]
    assert places == list(range(places[0], places[-1] + 1))


@given(st.floats(-4.9, -0.8), STEEPNESS)
def test_a_peak_that_the_budget_reaches_lies_inside_and_is_found(
    peak: float, steepness: float
) -> None:
    trials = swept(bump(peak, steepness))
    best = choose(trials)
    tried = [one.learning_rate for one in trials]
    if bound(trials) is None:
        assert tried[0] < best < tried[-1]
        near = min(tried, key=lambda rate: abs(math.log10(rate) - peak))
        # 3e-3 lies a little off the middle of its neighbours, so a tie may fall to either.
        assert abs(math.log10(best) - peak) <= abs(math.log10(near) - peak) + 1e-9
    else:
        assert len(trials) == BUDGET.most


@given(st.sampled_from([1.0, -1.0]))
def test_a_curve_without_a_peak_ends_at_the_bound_and_says_so(sign: float) -> None:
    trials = swept(lambda log: 0.3 + 0.05 * sign * log)
    assert len(trials) == BUDGET.most
    why = bound(trials)
    assert why is not None
    assert ("highest" if sign > 0 else "lowest") in why
    assert ("a sweep ends at 1" if sign > 0 else "the budget of trials is spent") in why


def test_a_sweep_ends_at_the_end_of_the_ladder() -> None:
    top = [trial(rate_at(place), 0.3 + 0.05 * place) for place in range(-4, 1)]
    start = [trial(rate, 0.0) for rate in BUDGET.start[:3]]
    assert next_rates([*start, *top]) == ()
    assert "a sweep ends at 1" in str(bound(top))


@given(st.integers(-8, -4), st.floats(0.021, 0.3))
def test_tolerance_of_a_tent_is_exact_between_tried_rates(place: int, slope: float) -> None:
    """On straight sides the interpolation is no approximation."""
    peak = math.log10(rate_at(place))
    found = tolerance(swept(tent(peak, slope)))
    assert not found.is_open
    assert found.decades == pytest.approx(2 * TOLERATED / slope)
    assert math.log10(found.low) == pytest.approx(peak - TOLERATED / slope)


@given(PEAKS, STEEPNESS)
def test_the_range_holds_the_best_and_tried_rates_outside_it_do_worse(
    peak: float, steepness: float
) -> None:
    trials = swept(bump(peak, steepness))
    best, found = choose(trials), tolerance(trials)
    top = max(one.gain for one in trials)
    assert found.low <= best <= found.high
    for one in trials:  # of one bump all that does nearly as well is one range
        inside = found.low <= one.learning_rate <= found.high
        assert inside == (one.gain >= top - TOLERATED)
    assert found.open_below == (trials[0].gain >= top - TOLERATED)
    assert found.open_above == (trials[-1].gain >= top - TOLERATED)


@given(PEAKS, STEEPNESS, st.floats(0.001, 0.05), st.floats(0.001, 0.05))
def test_who_tolerates_more_has_the_wider_range(
    peak: float, steepness: float, one: float, other: float
) -> None:
    trials = swept(bump(peak, steepness))
    narrow, wide = (tolerance(trials, bound) for bound in sorted((one, other)))
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@given(PEAKS, STEEPNESS, st.integers(-1, 1))
def test_a_curve_that_is_moved_has_its_range_moved(
    peak: float, steepness: float, decades: int
) -> None:
    places = range(-10, -2)
    curve = bump(peak, steepness)
    here = tolerance([trial(rate_at(p), curve(p / 2)) for p in places])
    there = tolerance([trial(rate_at(p + 2 * decades), curve(p / 2)) for p in places])
    assert there.decades == pytest.approx(here.decades)
    assert there.low == pytest.approx(here.low * 10**decades)


def test_a_second_hill_is_no_part_of_the_range() -> None:
    gains = (0.30, 0.25, 0.31, 0.20)
    trials = [trial(rate, gain) for rate, gain in zip(BUDGET.start, gains, strict=True)]
    found = tolerance(trials)
    assert found.low > BUDGET.start[1]


@given(st.integers(-5, -3))
def test_a_rate_that_failed_ends_the_range_at_the_last_that_trained(place: int) -> None:
    failing = rate_at(place)
    trials = swept(lambda log: 0.3 + 0.02 * log, fails_from=failing)
    found = tolerance(trials)
    assert choose(trials) == rate_at(place - 1)
    assert bound(trials) is None  # a failure beyond it is an answer
    assert (found.high, found.open_above) == (rate_at(place - 1), False)


def test_when_all_rates_fail_lower_ones_are_tried_until_one_trains_or_the_budget_ends() -> None:
    trials = swept(bump(-4.5, 0.1), fails_from=3e-4)
    assert choose(trials) == 3e-5
    hopeless = swept(bump(-4.5, 0.1), fails_from=0.0)
    assert len(hopeless) == BUDGET.most
    with pytest.raises(UsageError, match="not finite at step 3"):
        choose(hopeless)


def test_a_training_that_reads_no_learning_rate_is_told_so_before_more_is_tried() -> None:
    same = [trial(rate, 0.2, 0.2) for rate in BUDGET.start]
    for ask in (choose, next_rates):
        with pytest.raises(UsageError, match=r"does not read config\.learning_rate"):
            ask(same)


def test_of_equal_gains_the_lowest_rate_is_chosen() -> None:
    assert choose([trial(1e-3, 0.3), trial(3e-3, 0.3), trial(1e-2, 0.1)]) == 1e-3


def test_a_width_is_said_with_its_openness() -> None:
    closed = Tolerance(low=1e-3, high=1e-2, open_below=False, open_above=False)
    assert (closed.text, closed.model_copy(update={"open_above": True}).text) == ("1.0", ">= 1.0")
