"""Each probe passes on the reference and catches a mutant. The full matrix is `nox -s mutants`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.contributions import registry
from harness.gate.catalogue import all_probes, choose
from harness.gate.experiments import EXPERIMENTS
from harness.gate.render import render_report
from tests.mutants.fixtures import all_fixtures, fixture

FIXTURES = all_fixtures()
MUTANTS = [f for f in FIXTURES if f.kind == "mutants"]

# Probes whose mutants take long or need a process of their own have a test further down.
APART = {"HUB-C00"}


def first_mutants():
    """Choose one mutant for each probe: the shortest file with that probe alone."""
    for probe in all_probes():
        mine = [f for f in MUTANTS if f.caught_by == (probe.id,)]
        if mine and probe.id not in APART:
            yield pytest.param(min(mine, key=lambda f: (len(f.summary), f.name)), id=probe.id)


@pytest.mark.parametrize("mutant", list(first_mutants()))
def test_a_probe_catches_its_mutant(gate, mutant):
    (probe,) = choose(mutant.caught_by)
    needed = (probe.experiment,) if probe.experiment != "leftovers" else ("training", "leftovers")
    report = gate(mutant, *needed)
    caught = [f for f in report.findings if f.probe == probe.id]
    assert caught, render_report(report)
    for found in caught:
        assert found.observed and found.meaning and found.fix
        assert found.where.startswith("tests/fixtures/gate/"), found.where


def test_the_reference_passes_every_probe(gate):
    reference = registry.load_reference()
    report = gate(replace(fixture("min_snr"), contribution=reference), *EXPERIMENTS)
    assert not report.findings, render_report(report)
    assert {o.state for o in report.outcomes} <= {"passed", "not applicable"}
    assert len(report.outcomes) == len(choose(()))


@pytest.mark.parametrize("name", ["accelerated", "without_optimizer", "calls_forward"])
def test_unusual_but_right_loops_raise_no_alarm(gate, name):
    report = gate(fixture(name), "training", "oracle")
    assert not report.errors, render_report(report)


def test_a_declared_exemption_is_shown_and_lets_pass(gate):
    report = gate(fixture("pissa"), "adapter", "generation")
    assert not report.errors, render_report(report)
    assert report.summary().exempt.keys() == {"HUB-C26"}
    assert "PiSSA keeps part of the base" in render_report(report)


def test_the_seed_sketch_gets_its_four_findings(gate):
    sketch = fixture("seed_sketch")
    report = gate(sketch, "adapter", "training")
    causes = {f.probe for f in report.errors if f.because_of is None}
    assert causes >= {"HUB-C04", "HUB-C41", "HUB-C10", "HUB-C07"}, render_report(report)
    followers = {f.probe: f.because_of for f in report.findings if f.because_of}
    assert followers["HUB-C05"] == "HUB-C04"
    text = render_report(report)
    assert "because of HUB-C04: HUB-C05" in text
    assert "they are not scaled at all" in text


def test_a_process_that_ends_does_not_hide_the_other_experiments(gate):
    report = gate(fixture("exits_the_process"), "dataset", "adapter", "training", "learning")
    states = {o.probe: o.state for o in report.outcomes}
    assert states["HUB-C00"] == "failed"
    assert states["HUB-C07"] == "not run"
    assert {f.probe for f in report.findings} == {"HUB-C00"}
    assert "exited with code 3" in report.findings[0].observed


def test_a_hang_is_ended_and_its_line_named(gate):
    report = gate(fixture("hangs"), "training", limit_s=12.0)
    (found,) = report.errors
    assert found.probe == "HUB-C00"
    assert "did not end within 12 s" in found.observed
    assert found.where.startswith("tests/fixtures/gate/mutants/hangs.py:")
