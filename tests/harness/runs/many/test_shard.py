"""Shards: the same cut on every machine, nothing lost, nothing twice, and about the same load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.many.queue import Planned
from harness.runs.many.shard import cut, parse_shard
from harness.runs.many.tasks import Task


def planned(name, seconds=None, track="robot"):
    return Planned(Task(contribution=name, track=track), seeds=5, seconds=seconds)


plans = st.lists(
    st.builds(
        planned,
        st.sampled_from(["reference", *(f"Idea{n}" for n in range(12))]),
        st.none() | st.floats(0, 1e5),
        st.sampled_from(["robot", "binding", "streamline"]),
    ),
    unique_by=lambda one: one.task.label,
)


@given(plans, st.integers(1, 9), st.randoms())
def test_shards_cover_the_plan_once_whatever_the_order(plan, count, chance):
    shards = [cut(plan, number, count) for number in range(1, count + 1)]
    others = [one for shard in shards for one in shard if not one.task.is_reference]
    assert sorted(one.task.label for one in others) == sorted(
        one.task.label for one in plan if not one.task.is_reference
    )
    shuffled = list(plan)
    chance.shuffle(shuffled)
    assert [cut(shuffled, number, count) for number in range(1, count + 1)] == shards


@given(plans, st.integers(1, 9))
def test_a_shard_has_the_references_of_its_tracks_and_no_others(plan, count):
    with_reference = {one.task.track for one in plan if one.task.is_reference}
    alone = with_reference - {one.task.track for one in plan if not one.task.is_reference}
    held = []
    for number in range(1, count + 1):
        shard = cut(plan, number, count)
        references = [one.task.track for one in shard if one.task.is_reference]
        others = {one.task.track for one in shard if not one.task.is_reference}
        assert len(references) == len(set(references))
        assert set(references) - alone == others & with_reference
        held += [track for track in references if track in alone]
    assert sorted(held) == sorted(alone)  # the reference by itself is run once


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=60), st.integers(1, 8))
def test_no_shard_has_more_than_its_share_and_one_run(seconds, count):
    plan = [planned(f"Idea{n}", one) for n, one in enumerate(seconds)]
    loads = [sum(one.seconds for one in cut(plan, n, count)) for n in range(1, count + 1)]
    assert max(loads) <= sum(seconds) / count + max(seconds) + 1e-6


def test_a_run_goes_where_its_reference_is_already_when_that_ends_sooner():
    elsewhere = planned("Long", 120, track="binding")
    plan = [elsewhere, planned("reference", 100), planned("A", 50), planned("B", 40)]
    shards = [{one.task.label for one in cut(plan, number, 2)} for number in (1, 2)]
    assert shards == [{"Long on binding"}, {"reference on robot", "A on robot", "B on robot"}]


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "a/b", "1/0", "1/4/2", "-1/4", "1/1000000"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match="is no shard"):
        parse_shard(text)


def test_a_shard_is_read():
    assert parse_shard("2/8") == (2, 8)
