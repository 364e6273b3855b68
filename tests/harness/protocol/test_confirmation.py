"""What a gain that was brought along looks like, and what an honest one does not look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol.confirmation import (
    MARGIN,
    MOST_KEPT,
    Confirmation,
    Exchange,
    Pair,
    SecondHeldout,
)

# Gains of the reference, as measured: docs/protocol.md has the table.
REFERENCE, ELSEWHERE, LEFT = 0.34, 0.30, 0.12


def exchange(own: float, carried: float, kept: float) -> Confirmation:
    """Return what was found of a contribution with these gains, beside the reference's."""
    pairs = {
        "scored": Pair(own=own, reference=REFERENCE),
        "carried": Pair(own=carried, reference=ELSEWHERE),
        "kept": Pair(own=kept, reference=LEFT),
    }
    return Confirmation(exchange=Exchange(seeds=(0,), **pairs))


def second(own: float, there: float) -> Confirmation:
    pairs = {
        "scored": Pair(own=own, reference=REFERENCE),
        "second": Pair(own=there, reference=REFERENCE),
    }
    return Confirmation(second_heldout=SecondHeldout(seeds=(0, 1, 2), **pairs))


def test_an_adapter_that_is_put_back_keeps_its_gain() -> None:
    (why, *_) = exchange(own=0.60, carried=0.05, kept=0.60).faults
    assert why == (
        "Trained on exchanged pictures, it keeps a gain of 60.0 % on the track's held-out ones, "
        "which it was not shown; the reference keeps 12.0 %."
    )


def test_so_does_one_that_gains_no_more_than_the_reference_and_trains_nothing() -> None:
    """Its place would be one of low cost."""
    assert len(exchange(own=0.33, carried=0.0, kept=0.33).faults) == 1


def test_an_adapter_for_known_pictures_is_seen_by_the_advantage_that_stays_behind() -> None:
    (why,) = exchange(own=0.60, carried=0.30, kept=0.12).faults
    assert why.startswith("It gains +26.0 points more than the reference on the track's pictures,")
    assert "+0.0 on exchanged ones" in why


def test_pictures_learnt_by_heart_are_seen_by_the_second_set() -> None:
    (why,) = second(own=0.60, there=0.36).faults
    assert "+26.0 points more than the reference on the held-out pictures, and +2.0 on a" in why


METHODS = st.floats(-0.30, 0.10)  # of a method's gain, from the reference's
CHANCE = st.floats(-MARGIN / 3, MARGIN / 3)


@given(METHODS, CHANCE, CHANCE)
def test_a_method_that_is_as_much_better_or_worse_elsewhere_is_left_alone(
    better: float, there: float, loses: float
) -> None:
    honest = exchange(
        own=REFERENCE + better,
        carried=ELSEWHERE + better + there,
        kept=LEFT + min(better, 0.0) + loses,
    )
    assert honest.faults == []
    assert second(REFERENCE + better, REFERENCE + better + there).faults == []


@given(st.floats(MARGIN + 0.01, 0.5), st.floats(0.0, 1.0))
def test_the_more_of_a_smuggled_advantage_stays_behind_the_surer_it_is_seen(
    ahead: float, carried: float
) -> None:
    found = exchange(REFERENCE + ahead, ELSEWHERE + carried * ahead, LEFT).faults
    assert (
        bool(found) == (ahead - carried * ahead > MARGIN)
        or abs(ahead - carried * ahead - MARGIN) < 1e-9
    )


@given(st.floats(0.0, 1.0))
def test_kept_is_measured_by_what_the_exchange_takes_from_the_reference(share: float) -> None:
    own = REFERENCE  # no advantage: the other rule has nothing to say
    found = exchange(own, ELSEWHERE, LEFT + share * (own - LEFT)).faults
    assert bool(found) == (share > MOST_KEPT) or abs(share - MOST_KEPT) < 1e-9


def test_where_the_exchange_takes_nothing_kept_says_nothing() -> None:
    assert exchange(own=LEFT + MARGIN - 0.001, carried=0.3, kept=LEFT + MARGIN).faults == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (exchange(0.35, 0.31, 0.12), "it gains 31.0 % on held-out pictures of their kind"),
        (second(0.35, 0.33), "second set of held-out pictures its gain is 33.0 %"),
        (Confirmation(), ""),
    ],
)
def test_what_was_found_is_said_of_the_sets_that_there_are(found: Confirmation, words: str) -> None:
    assert found.faults == []
    assert words in found.sentence


def test_a_weak_method_is_no_suspect_where_the_exchange_costs_more_than_all() -> None:
    """As on `portrait`: another figure takes the reference below the untouched base."""
    weak = Exchange(
        seeds=(0,),
        scored=Pair(own=0.10, reference=0.34),
        carried=Pair(own=0.10, reference=0.30),
        kept=Pair(own=-0.02, reference=-0.376),
    )
    assert Confirmation(of_the_board=False, exchange=weak).faults == []
    smuggled = weak.model_copy(
        update={
            "scored": Pair(own=0.6, reference=0.34),
            "kept": Pair(own=0.58, reference=-0.376),
        }
    )
    assert Confirmation(of_the_board=False, exchange=smuggled).faults
