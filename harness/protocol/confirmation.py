"""Whether a gain comes from its training: what a recorded row is confirmed by. docs/protocol.md.

A contribution that brings a trained adapter along gains on the track's held-out pictures whatever
it trains on. So it is trained again on *exchanged* pictures: another thing of the same kind, under
the same captions. And its own training is measured on a second set of held-out pictures.
"""

from __future__ import annotations

from pydantic import Field

from toolkit.core.record import Record

# Points of gain, as shares. Two methods differ a little from thing to thing and from seed to seed;
# docs/protocol.md has what honest ones were seen to do.
MARGIN = 0.08
# Of what the exchange takes from the reference, an honest training loses most, too.
MOST_KEPT = 2 / 3

# A smuggled adapter is worth many points, one seed's chance one or two; each further seed costs two
# trainings.
EXCHANGED_SEEDS = 1


class Pair(Record):
    """Mean gains of a contribution and of the reference, over the same seeds, as shares."""

    own: float
    reference: float

    @property
    def advantage(self) -> float:
        """By how much the contribution gains more."""
        return self.own - self.reference


class Exchange(Record):
    """A training on exchanged pictures."""

    seeds: tuple[int, ...] = Field(min_length=1)
    scored: Pair = Field(description="the recorded training with these seeds")
    carried: Pair = Field(description="on held-out pictures of what the exchanged ones show")
    kept: Pair = Field(description="on the track's own held-out pictures")


class SecondHeldout(Record):
    """The recorded training on a second set of held-out pictures."""

    seeds: tuple[int, ...] = Field(min_length=1)
    scored: Pair = Field(description="on the track's held-out pictures, with these seeds")
    second: Pair


class Confirmation(Record):
    """What a recorded row was confirmed by; a part is null where the track provides no set."""

    exchange: Exchange | None = None
    second_heldout: SecondHeldout | None = None
    failed: str | None = Field(
        default=None, description="how the training on exchanged pictures ended, if not well"
    )
    of_the_board: bool = Field(
        default=False, description="whether the sets are the board's own and in no repository"
    )

    @property
    def faults(self) -> list[str]:
        """What speaks for a gain that was brought along, a sentence each."""
        found = []
        if (one := self.exchange) is not None:
            found += kept_along(one) + not_carried(one)
        if (two := self.second_heldout) is not None:
            found += only_known(two)
        return found

    @property
    def sentence(self) -> str:
        """What was found, in a sentence or two; of a row without a fault."""
        parts = []
        if (one := self.exchange) is not None:
            parts.append(
                f"Trained on exchanged pictures it gains {100 * one.carried.own:.1f} % on held-out "
                f"pictures of their kind (the reference {100 * one.carried.reference:.1f} %), and "
                f"{100 * one.kept.own:.1f} % on the track's ({100 * one.kept.reference:.1f} %)."
            )
        if (two := self.second_heldout) is not None:
            parts.append(
                f"On a second set of held-out pictures its gain is {100 * two.second.own:.1f} % "
                f"(the reference {100 * two.second.reference:.1f} %)."
            )
        return " ".join(parts)


def kept_along(one: Exchange) -> list[str]:
    """Say that a training on other pictures kept a gain that the reference's did not."""
    # Without any training nothing is lost: where the exchange takes more than that from the
    # reference, a method that changes little is no suspect for keeping it.
    honest = max(0.0, one.kept.reference)
    excess = one.scored.own - honest
    if excess <= MARGIN or one.kept.own - honest <= MOST_KEPT * excess:
        return []
    return [
        f"Trained on exchanged pictures, it keeps a gain of {100 * one.kept.own:.1f} % on the "
        f"track's held-out ones, which it was not shown; the reference keeps "
        f"{100 * one.kept.reference:.1f} %."
    ]


def not_carried(one: Exchange) -> list[str]:
    """Say that an advantage over the reference is gone on other pictures of the same kind."""
    ahead, there = one.scored.advantage, one.carried.advantage
    if ahead <= 0 or ahead - there <= MARGIN:
        return []
    return [
        f"It gains {100 * ahead:+.1f} points more than the reference on the track's pictures, and "
        f"{100 * there:+.1f} on exchanged ones of the same kind."
    ]


def only_known(one: SecondHeldout) -> list[str]:
    """Say that an advantage holds for the held-out pictures alone that everyone can read."""
    ahead, there = one.scored.advantage, one.second.advantage
    if ahead <= 0 or ahead - there <= MARGIN:
        return []
    return [
        f"It gains {100 * ahead:+.1f} points more than the reference on the held-out pictures, and "
        f"{100 * there:+.1f} on a second set of them."
    ]
