"""A few contributions that cheat, one of each kind. All: nox -s hostile -- --forging."""

import json
import sys

import pytest

from harness.sandbox.choose import choose
from tests.hostile.forgeries import ANSWERS, BROUGHT, BUDGET, FORGERIES
from tests.hostile.forging import FIGURES, HONEST, PAGE, Stage, table

linux = pytest.mark.skipif(sys.platform != "linux", reason="the layers need Linux")

PLAYED = (
    "StopsTheClockFirst",
    "TrainsInAChildProcess",
    "AnotherDelta",
    "NegativeMergeError",
    "HiddenAsBase85",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return Stage(choose(None), tmp_path_factory.mktemp("stage"))


@linux
def test_an_honest_training_has_no_flag_and_costs_what_the_reference_costs(stage):
    seen = stage.play(HONEST)
    assert seen.named == (), seen
    assert 0.5 < seen.cost < 1.5


@linux
@pytest.mark.parametrize("name", PLAYED)
def test_a_forgery_is_named_by_what_is_seen_and_hurts_nobody(stage, name):
    seen = stage.play(name)
    assert seen.is_named(FORGERIES[name]), seen


def test_each_is_in_one_group_and_there_are_many():
    assert len(BUDGET) + len(ANSWERS) + len(BROUGHT) == len(FORGERIES) >= 30


def test_the_page_shows_what_was_recorded_and_each_is_named_or_its_reason_is_given():
    known = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert set(known) == {HONEST, *FORGERIES}
    assert table(known) in PAGE.read_text(encoding="utf-8")
    for name, forgery in FORGERIES.items():
        for entry in known[name].values():
            assert forgery.seen in entry["named"] or (forgery.open and not entry["named"]), name
