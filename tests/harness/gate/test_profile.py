"""The profile: its three answers, its catalogue, and faults that it names on the tiny models."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace

import pytest

from harness import paths
from harness.commands import profiles
from harness.contributions import registry
from harness.contributions.record import ContributionFile
from harness.gate.catalogue import choose
from harness.gate.experiments import EXPERIMENTS
from harness.gate.judge import folded
from harness.gate.observations import Observation
from harness.gate.profile import page, table
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.property import Measure, Property, judge_property
from harness.gate.profile.summary import (
    Difference,
    differences,
    parting,
    what_it_does_differently,
)
from harness.gate.records import GateReport, ProbeOutcome
from harness.gate.render import render_report
from tests.mutants.fixtures import fixture
from tests.mutants.one_line import one_line_faults
from tests.mutants.warm import warm_profiles
from toolkit.core.errors import HubError

PROFILES = ("profile_dataset", "profile_adapter", "profile_training", "profile_drawing")

NOISE = Property(
    "training.noise",
    "The noise",
    "What is measured.",
    "train",
    (Measure("mean", tolerance=0.1), Measure("it is")),
    fix="Use randn.",
)


def file(**differs):
    named = {name.replace("_", ".", 1): why for name, why in differs.items()}
    return ContributionFile(
        name="Mine",
        authors=("me",),
        summary="It adds an offset.",
        hooks=("train",),
        differs=named,
    )


def judged(ours, reference, prop=NOISE, **differs):
    seen = Observation(probe=prop.id, place="src/train.py:1", ours=ours, reference=reference)
    return judge_property(prop, seen, file(**differs))


WHY = "an offset for dark pictures"


@pytest.mark.parametrize(
    ("ours", "reference", "apart"),
    [
        (0.05, 0.0, False),
        (0.2, 0.0, True),
        (None, 0.0, False),
        ("a", "a", False),
        ("a", "b", True),
        (float("nan"), 0.0, True),
    ],
)
def test_a_measure_knows_its_tolerance(ours, reference, apart):
    assert Measure("mean", tolerance=0.1).differs(ours, reference) is apart
    assert Measure("scale", relative=0.05).differs(104.0, 100.0) is False
    assert Measure("scale", relative=0.05).differs(106.0, 100.0) is True


def test_as_the_reference():
    outcome = judged({"mean": 0.01, "it is": "x"}, {"mean": 0.0, "it is": "x"})
    assert (outcome.state, outcome.findings) == ("passed", ())


def test_different_as_declared():
    outcome = judged({"mean": 0.5}, {"mean": 0.0}, training_noise=WHY)
    assert (outcome.state, outcome.note, outcome.findings) == ("declared", WHY, ())
    assert outcome.difference == "mean 0.5 (reference: 0)"


def test_different_and_not_declared_shows_both_numbers_and_how_to_declare_it():
    outcome = judged({"mean": 0.5}, {"mean": 0.0})
    (found,) = outcome.findings
    assert (outcome.state, found.severity) == ("hint", "hint")
    assert "mean 0.5 (reference: 0)" in found.observed
    assert found.fix.endswith('add to [differs]: "training.noise" = "why".')
    assert found.where == "src/train.py:1"


def test_what_can_never_be_meant_is_an_error_whatever_is_declared():
    never = replace(NOISE, never="Nobody wants that.")
    outcome = judged({"mean": 0.5}, {"mean": 0.0}, never, training_noise=WHY)
    (found,) = outcome.findings
    assert (outcome.state, found.severity, found.meaning) == (
        "failed",
        "error",
        "Nobody wants that.",
    )


def test_a_declared_difference_that_is_not_there_is_a_finding():
    outcome = judged({"mean": 0.0}, {"mean": 0.0}, training_noise=WHY)
    (found,) = outcome.findings
    assert (outcome.state, found.severity) == ("hint", "hint")
    assert WHY in found.observed
    assert "take the line out" in found.fix


def test_what_could_not_be_measured_is_not_applicable():
    outcome = judge_property(NOISE, Observation(probe=NOISE.id), file())
    assert outcome.state == "not applicable"


def test_a_reason_has_some_words():
    with pytest.raises(ValueError, match="reason of at least 20"):
        file(training_noise="because")


def test_what_follows_from_a_declared_difference_is_declared_with_it():
    follower = replace(NOISE, id="training.loss", because=("training.noise",))
    cause = judged({"mean": 0.5}, {"mean": 0.0}, training_noise=WHY)
    after = judged({"mean": 0.5}, {"mean": 0.0}, follower)
    first, second = folded([cause, after], (NOISE, follower))
    assert (second.state, second.note) == ("declared", "follows from training.noise")
    undeclared = judged({"mean": 0.5}, {"mean": 0.0})
    first, second = folded([undeclared, after], (NOISE, follower))
    assert (first.findings[0].because_of, second.findings[0].because_of) == (
        None,
        "training.noise",
    )


def test_what_follows_from_a_follower_of_a_declared_difference_is_declared_with_it():
    """Sorted by name, the cause comes last here."""
    middle = replace(NOISE, id="training.loss", because=("training.noise",))
    last = replace(NOISE, id="training.a", because=("training.loss",))
    apart = {"mean": 0.5}, {"mean": 0.0}
    given = [judged(*apart, last), judged(*apart, middle), judged(*apart, training_noise=WHY)]
    after = folded(given, (NOISE, middle, last))
    assert [(o.state, len(o.findings)) for o in after] == [("declared", 0)] * 3


def test_what_follows_from_a_hint_is_no_error():
    never = replace(NOISE, id="training.losses", never="Never.", because=("training.noise",))
    apart = {"mean": 0.5}, {"mean": 0.0}
    _, follower = folded([judged(*apart), judged(*apart, never)], (NOISE, never))
    (found,) = follower.findings
    assert (follower.state, found.severity, found.because_of) == ("hint", "hint", "training.noise")
    (alone,) = folded([judged(*apart, never)], (NOISE, never))
    assert (alone.state, alone.findings[0].severity) == ("failed", "error")


def test_what_is_firm_stays_an_error_whatever_is_declared_or_found_elsewhere():
    measures = (Measure("mean", tolerance=0.1), Measure("it is", firm=True))
    firm = replace(
        NOISE, id="training.losses", never="Never.", because=("training.noise",), measures=measures
    )
    apart = {"mean": 0.5, "it is": "x"}, {"mean": 0.0, "it is": "x"}
    otherwise = {"mean": 0.5, "it is": "x"}, {"mean": 0.0, "it is": "y"}
    declared = judged(*apart, training_noise=WHY)
    for cause, state in ((declared, "declared"), (judged(*apart), "hint")):
        assert folded([cause, judged(*apart, firm)], (NOISE, firm))[1].state == state
        assert folded([cause, judged(*otherwise, firm)], (NOISE, firm))[1].state == "failed"


def test_a_grave_difference_is_an_error_unless_it_is_declared():
    grave = replace(NOISE, measures=(Measure("mean", tolerance=0.1, grave=2.0),))
    assert judged({"mean": 1.0}, {"mean": 0.0}, grave).state == "hint"
    assert judged({"mean": 3.0}, {"mean": 0.0}, grave).state == "failed"
    assert judged({"mean": float("nan")}, {"mean": 0.0}, grave).state == "failed"
    assert judged({"mean": 3.0}, {"mean": 0.0}, grave, training_noise=WHY).state == "declared"
    assert (grave.can_be_an_error, NOISE.can_be_an_error) == (True, False)


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        (Measure("mean", tolerance=0.1), 0.4567, "0.46"),
        (Measure("mean", tolerance=1e-4), 4.4e-6, "0"),
        (Measure("mean", tolerance=0.1), -0.0004, "0"),
        (Measure("scale", relative=0.05), 1.23456, "1.23"),
        (Measure("steps", "steps", tolerance=10.0), 997.8, "998 steps"),
        (Measure("steps"), 0.123456, "0.1235"),
        (Measure("it is"), "x", "x"),
        (Measure("it is"), None, "unknown"),
    ],
)
def test_a_value_is_told_to_one_digit_more_than_its_tolerance(measure, value, words):
    assert measure.shown(value) == words


def test_a_property_whose_measures_are_all_unknown_is_not_applicable_and_refutes_nothing():
    outcome = judged({"mean": None}, {"mean": 0.0}, training_noise=WHY)
    assert (outcome.state, outcome.findings) == ("not applicable", ())


def test_where_two_profiles_part():
    one = (Difference(property="a", measured="1"), Difference(property="b", measured="2"))
    other = (Difference(property="b", measured="2"), Difference(property="c", measured="3"))
    same = "as the reference"
    assert parting(one, other) == [("a", "1", same), ("c", same, "3")]


def test_the_table_knows_a_contribution_only_as_it_was_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(table, "JSON_FILE", tmp_path / "profiles.json")
    monkeypatch.setattr(table, "PAGE_FILE", tmp_path / "profiles.md")
    one = registry.load("EMA")
    assert table.known(one) is None
    found = (Difference(property="training.returned", measured="far | away", why=WHY),)
    table.write({one.name: table.entry(one, found)}, [one])
    assert table.known(one) == found
    page_text = (tmp_path / "profiles.md").read_text("utf-8")
    assert "| EMA | train |  | **training.returned**: far &#124; away | an offset" in page_text
    changed = one.model_copy(update={"content_hash": "sha256:other"})
    assert table.known(changed) is None
    silent = one.file.model_copy(update={"differs": {}})
    undeclared = one.model_copy(update={"file": silent})
    assert table.known(undeclared) is None


def test_the_catalogue_fits_together():
    ids = [prop.id for prop in PROPERTIES]
    assert len(ids) == len(set(ids)) > 60
    for prop in PROPERTIES:
        assert prop.experiment in EXPERIMENTS
        assert set(prop.because) < set(ids) - {prop.id}
        assert prop.fix.endswith(".")
        assert len({m.name for m in prop.measures}) == len(prop.measures) > 0
    assert [one.id for one in choose(("TRAINING.noise",))] == ["training.noise"]


def test_the_page_of_properties_is_as_the_code_says():
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def outcome(id, **others):
    return ProbeOutcome(probe=id, title="A title", state="declared", **others)


def test_half_a_profile_is_not_kept(monkeypatch, tmp_path):
    """On a busy machine an experiment may not end in time."""
    for name in ("JSON_FILE", "PAGE_FILE"):
        monkeypatch.setattr(table, name, tmp_path / name)
    whole = ProbeOutcome(probe="training.noise", title="A title", state="passed")
    half = ProbeOutcome(probe="training.loss", title="A title", state="not run")
    report = GateReport(contribution="Example1", outcomes=(whole, half))
    monkeypatch.setattr(profiles, "run_gates", lambda *_, **__: [report])
    monkeypatch.setattr(profiles, "settle", lambda *_: None)
    typed = argparse.Namespace(names=["Example1"], fresh=False, check=False)
    with pytest.raises(HubError, match="Example1's profile is incomplete"):
        profiles.run(typed)
    assert not list(tmp_path.iterdir())


def test_five_lines_say_what_is_different():
    many = [
        outcome(prop.id, difference="mean 1 (reference: 0)", note="it is meant so, believe me")
        for prop in PROPERTIES[:9]
    ]
    follower = outcome("training.noise", difference="x", note="follows from training.latents")
    report = GateReport(contribution="Mine", outcomes=(*many, follower))
    one = registry.load("Rank16")
    lines = what_it_does_differently(one, differences(report))
    assert len(lines) == 5
    assert "lora.rank = 16 (4)" in lines[0]
    assert lines[1].endswith("mean 1 (reference: 0). Why: it is meant so, believe me")
    assert lines[4].startswith("And 6 more: ")
    same = registry.load_reference()
    nothing = what_it_does_differently(same, ())
    assert nothing == ["Nothing that the gate measures: it behaves as the reference."]


def test_explain_tells_of_properties_and_contributions_without_waking_torch():
    code = (
        "import sys; from harness.commands.cli import main; main(['explain', 'training.noise']); "
        "main(['explain', 'Rank16']); assert 'torch' not in sys.modules"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.startswith("### training.noise")
    assert "lora.rank = 16 (4)" in shown


@pytest.fixture(scope="module")
def faults(gate):
    warm_profiles(("make_dataset", "make_lora", "train", "generate"))
    return {one.name: one for one in one_line_faults()}


@pytest.mark.parametrize(
    "name",
    [
        "dataset_caption_cut_at_comma",
        "lora_alpha_not_divided",
        "train_told_one_more",
        "train_lr_first_zero",
        "train_loss_by_timestep",
        "generate_seed_ignored",
    ],
)
def test_a_fault_of_one_line_is_named(gate, faults, name):
    fault = faults[name]
    experiments = [e for e in PROFILES if choose(fault.caught_by)[0].experiment == e]
    report = gate(fault, *experiments)
    causes = {f.probe for f in report.findings if f.because_of is None}
    assert set(fault.caught_by) <= causes, render_report(report)


def test_example1_has_no_finding_and_says_that_self_attention_is_left_alone(gate, faults):
    example = registry.load("Example1")
    report = gate(replace(fixture("min_snr"), contribution=example), *PROFILES)
    assert not report.findings, render_report(report)
    found = {d.property: d for d in differences(report)}
    assert found.keys() == example.file.differs.keys()
    line = found["adapter.self_attention"].line()
    assert line.startswith("adapter.self_attention: reached none (reference: all attn1.to_k")
    assert "self-attention is left alone" in line
