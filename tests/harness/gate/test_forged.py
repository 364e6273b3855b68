"""The gate is judged by the hub: what a worker writes is taken in its turn, or not at all."""

from __future__ import annotations

import json
import math

import pytest

from harness.contributions import registry
from harness.gate.catalogue import choose
from harness.gate.judge import judged
from harness.gate.observations import ExperimentSeen, Observation, Turn, give_turn, turns
from harness.gate.worker import OUTCOMES_FILE
from harness.protocol.row import ErrorReport
from harness.protocol.track import load_track
from harness.runs.steps.gate_run import GateRun, read_seen
from harness.sandbox.outcome import Outcome
from harness.worker.jobs import Answer
from tests.hostile.stage import Silent

EXPERIMENTS = ("importing", "adapter", "leftovers")
CRASHED = ErrorReport(kind="WorkerCrash", what="it exited with code 0 without an answer.")


class ByHand:
    """A worker whose file the test writes."""

    def __init__(self, out):
        self.out, self.has_ended, self.outcome = out, False, Outcome(Answer(), None, "ok")
        out.mkdir()

    def poll(self, _progress):
        return self.has_ended

    def ended(self):
        return self.outcome

    def kill(self):
        self.has_ended = True

    def exits(self):
        self.has_ended, self.outcome = True, Outcome(None, CRASHED, "crashed")

    def says(self, *lines):
        with (self.out / OUTCOMES_FILE).open("a") as file:
            for line in lines:
                text = line if isinstance(line, str) else line.model_dump_json()
                file.write(text + "\n")


@pytest.fixture
def gate(tmp_path):
    workers = []

    def launch(_label, _job, out):
        workers.append(ByHand(out))
        return workers[-1]

    run = GateRun(
        contribution=registry.load("Example1"),
        reference=registry.load_reference(),
        track=load_track("robot"),
        folder=tmp_path,
        probes=(),
        experiments=EXPERIMENTS,
        launch=launch,
    )
    return run, workers


def begins(turn: Turn) -> ExperimentSeen:
    return ExperimentSeen(token=turn.token, experiment=turn.experiment, finished=False)


def answers(turn: Turn) -> ExperimentSeen:
    mine = [probe for probe in choose(()) if probe.experiment == turn.experiment]
    told = tuple(Observation(probe=probe.id) for probe in mine)
    return ExperimentSeen(
        token=turn.token, experiment=turn.experiment, finished=True, observations=told
    )


def told_to(worker: ByHand, number: int) -> Turn:
    return Turn.model_validate_json((worker.out / f"turn-{number}.json").read_bytes())


def errors(run: GateRun) -> list[str]:
    return [finding.observed for finding in run.report().errors]


def test_a_worker_that_answers_each_turn_passes(gate):
    run, (worker,) = gate
    for number in range(len(EXPERIMENTS)):
        turn = told_to(worker, number)
        worker.says(begins(turn), answers(turn))
        assert not run.poll(Silent())
    assert told_to(worker, len(EXPERIMENTS)).experiment == ""  # it may go
    worker.has_ended = True
    assert run.poll(Silent())
    assert errors(run) == []


READY_MADE = {
    "outcomes as the hub writes them": lambda turn: [
        json.dumps({"experiment": name, "outcomes": [{"probe": "HUB-C18", "state": "passed"}]})
        for name in EXPERIMENTS
    ],
    "answers to all turns with the token of the first": lambda turn: [
        answers(turn.model_copy(update={"experiment": name})) for name in EXPERIMENTS
    ],
    "an answer before it began": lambda turn: [answers(turn)],
    "an answer with another token": lambda turn: [
        begins(turn), answers(turn.model_copy(update={"token": "0" * 32}))
    ],
    "the same answer twice": lambda turn: [begins(turn), answers(turn), answers(turn)],
    "a line that is none": lambda turn: ["{"],
}  # fmt: skip


@pytest.mark.parametrize("kind", READY_MADE)
@pytest.mark.parametrize("leaves", [False, True])
def test_what_is_written_out_of_turn_is_an_error_and_nothing_of_it_counts(gate, kind, leaves):
    run, (worker,) = gate
    worker.says(*READY_MADE[kind](told_to(worker, 0)))
    if leaves:
        worker.exits()
    assert run.poll(Silent())
    assert worker.has_ended
    (error,) = errors(run)
    assert "what it was not asked for" in error
    assert run.report().summary().passed == 0


def test_an_early_exit_is_a_finding_and_the_rest_goes_on_in_another_worker(gate):
    run, workers = gate
    turn = told_to(workers[0], 0)
    workers[0].says(begins(turn), answers(turn))
    run.poll(Silent())
    second = told_to(workers[0], 1)
    workers[0].says(begins(second))
    workers[0].exits()
    assert not run.poll(Silent())
    assert len(workers) == 2
    assert told_to(workers[1], 0).experiment == EXPERIMENTS[2]
    assert any("'adapter'" in error for error in errors(run))


def test_an_exit_without_a_word_is_an_error(gate):
    run, (worker,) = gate
    worker.exits()
    assert run.poll(Silent())
    assert errors(run)
    assert run.report().summary().passed == 0


def test_an_exit_after_the_last_answer_is_an_error(gate):
    run, (worker,) = gate
    for number in range(len(EXPERIMENTS)):
        turn = told_to(worker, number)
        worker.says(begins(turn), answers(turn))
        run.poll(Silent())
    worker.exits()
    assert run.poll(Silent())
    assert any("'leaving'" in error for error in errors(run))


def test_a_probe_of_which_nothing_is_said_has_not_passed():
    one = registry.load("Example1")
    seen = ExperimentSeen(token="t", experiment="adapter", finished=True)
    outcomes = judged(seen, one, choose(()))
    assert "passed" not in {outcome.state for outcome in outcomes}
    assert any(outcome.state == "failed" for outcome in outcomes)


def test_numbers_without_end_travel_as_they_are():
    told = Observation(probe="training.noise", ours={"mean": math.inf, "deviation": math.nan})
    seen = ExperimentSeen(token="t", experiment="x", finished=True, observations=(told,))
    back = read_seen(seen.model_dump_json().encode())
    assert back.observations[0].ours["mean"] == math.inf
    assert math.isnan(back.observations[0].ours["deviation"])


def test_turns_come_one_by_one_until_there_are_no_more(tmp_path):
    for number, name in enumerate(("a", "b", "")):
        give_turn(tmp_path, number, Turn(token=str(number), experiment=name))
    assert [turn.experiment for turn in turns(tmp_path)] == ["a", "b"]
