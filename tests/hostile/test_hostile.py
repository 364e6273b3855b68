"""The cheap attacks on the strongest layer of this machine. All of them: nox -s hostile."""

import sys
from pathlib import Path

import pytest

from harness import paths
from harness.sandbox.choose import choose, why_not
from harness.sandbox.layers import LAYERS
from tests.hostile.__main__ import anywhere, attack_once
from tests.hostile.attacks import ATTACKS, ENDINGS, HOOKS, REACHES, READS, RESOURCES, WRITES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers need Linux")

CHEAP = [name for name, attack in ATTACKS.items() if not attack.slow]


@pytest.mark.parametrize("name", CHEAP)
def test_a_hostile_contribution_is_contained_and_diagnosed(name):
    layer = choose()
    report = attack_once(name, layer)
    assert ATTACKS[name].ended_well(report.ending), report
    if layer != "process":
        assert not report.possible
    assert "\x1b" not in report.said
    assert not any(line.startswith("::") for line in (*report.said.splitlines(), *report.log))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ["ReadsPrivateFiles", "OpensUdp", "StartsADaemon"])
def test_every_layer_that_works_runs_a_contribution_and_keeps_its_promise(name, layer):
    if why_not(layer) is not None:
        pytest.skip(f"{layer}: {why_not(layer)}")
    report = attack_once(name, layer)
    assert ATTACKS[name].ended_well(report.ending), report
    promised = layer != "process" or name == "StartsADaemon"
    assert bool(report.possible) != promised


def test_each_attack_is_in_one_group_and_there_are_many():
    groups = (RESOURCES, ENDINGS, READS, WRITES, REACHES, HOOKS)
    assert sum(map(len, groups)) == len(ATTACKS) >= 50


def test_what_is_recorded_names_no_place_of_this_machine(tmp_path):
    said = f"left a file in {paths.ROOT}/src, {Path.home()}, {tmp_path}/hub-hostile-x1_y/run"
    assert anywhere(said) == "left a file in the hub/src, the home, its folder/run"
    assert anywhere(f"{paths.ROOT}/runs/hostile/p403/Foo") == "the hub/runs/hostile/its folder/Foo"
