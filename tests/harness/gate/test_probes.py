"""Each probe passes on the reference and catches a mutant. The full matrix is `nox -s mutants`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.contributions import registry
from harness.contributions.record import GateTable
from harness.gate.catalogue import all_probes, choose
from harness.gate.experiments import EXPERIMENTS
from harness.gate.render import render_report
from tests.mutants.fixtures import GROUP_OF, all_fixtures, fixture

FIXTURES = all_fixtures()
MUTANTS = [f for f in FIXTURES if f.kind == "mutants"]

# Probes whose mutants take long or need a process of their own have a test further down.
APART = {"HUB-C00"}
STATES = ("declared", "not applicable")


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


@pytest.mark.parametrize("name", ["accelerated", "without_optimizer", "prompts_first"])
def test_what_is_unusual_and_declared_raises_no_alarm(gate, name):
    one = fixture(name)
    report = gate(one, *(GROUP_OF[hook] for hook in one.hooks))
    assert not report.findings, render_report(report)
    by_state = {state: {o.probe for o in report.outcomes if o.state == state} for state in STATES}
    declared = one.contribution.file.differs.keys()
    assert by_state["declared"] == declared - by_state["not applicable"]


def test_a_declared_exemption_is_shown_and_lets_pass(gate):
    mutant = fixture("both_matrices_random")
    why = {"exempt": {"HUB-C20": "both matrices are random, and training makes up for it"}}
    file = mutant.contribution.file.model_copy(update={"gate": GateTable.model_validate(why)})
    contribution = mutant.contribution.model_copy(update={"file": file})
    declared = replace(mutant, contribution=contribution)
    report = gate(declared, "adapter")
    assert not report.errors, render_report(report)
    assert report.summary().exempt.keys() == {"HUB-C20"}
    assert "training makes up for it" in render_report(report)


def test_the_seed_sketch_gets_its_four_findings(gate):
    sketch = fixture("seed_sketch")
    report = gate(sketch, "adapter", "profile_adapter", "training", "profile_training")
    causes = {f.probe for f in report.errors if f.because_of is None}
    assert causes >= {*sketch.caught_by}, render_report(report)
    followers = {f.probe: f.because_of for f in report.findings if f.because_of}
    assert followers["HUB-C05"] == "HUB-C04"
    text = render_report(report)
    assert "because of HUB-C04: HUB-C05" in text
    assert "factor 1 (reference: 0.182)" in text
    assert "the text encoder is given words (reference: token ids)" in text


def test_a_process_that_ends_does_not_hide_the_other_experiments(gate):
    report = gate(fixture("exits_the_process"), "adapter", "training", "learning")
    states = {o.probe: o.state for o in report.outcomes}
    assert states["HUB-C00"] == "failed"
    assert states["HUB-C05"] == "not run"
    assert {f.probe for f in report.findings} == {"HUB-C00"}
    assert "exited with code 3" in report.findings[0].observed


def test_a_hang_is_ended_and_its_line_named(gate):
    report = gate(fixture("hangs"), "training", limit_s=12.0)
    (found,) = report.errors
    assert found.probe == "HUB-C00"
    assert "did not end within 12 s" in found.observed
    assert found.where.startswith("tests/fixtures/gate/mutants/hangs.py:")
