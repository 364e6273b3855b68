"""The tasks of one run: what is needed, what is there already, where an interrupted one goes on.

Children only pretend: they leave the files that real ones leave. Whole runs are in test_main_job.
"""

import hashlib
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import paths
from harness.contributions import registry
from harness.protocol.figures import Figures, Loss, PictureFigures
from harness.protocol.track import load_track
from harness.runs import pipeline
from harness.runs.graph.pool import Pool
from harness.runs.steps import score as score_step
from harness.runs.steps import side as side_step
from harness.runs.tasks import RunTasks, is_known
from harness.sandbox.meter import Cost
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import Spent, read_spent, write
from harness.scoring.jobs import BENCH_FILE, EntryScore, ScoreAnswer
from harness.worker.jobs import ADAPTER_FILE, DELTA_FILE, Answer, SeedOutcome, seed_folder
from tests.hostile.stage import Silent

LOSS = Loss(mean=0.1, bands=(0.1, 0.1, 0.1), pictures=(0.1,))
SPENT = Spent(
    layer="process", wall_s=1, cpu_s=1, peak_memory_bytes=1, peak_processes=1, disk_bytes=1,
    output_bytes=1,
)  # fmt: skip
BENCH = b"the base's measurement"


def figures():
    return Figures(
        heldout=LOSS, gain=0.1, train_gain=0.1, overfit_gap=0, drift=0, class_drift=0,
        picture_drift=0,
        pictures=PictureFigures(
            similarity=None, prompt_adherence=None, memorisation=None, copies=0, hits=()
        ),
    )  # fmt: skip


class Pretending:
    """What stands for ``Child``: it has ended as soon as it is looked at."""

    def __init__(self, hub, label, job, leave):
        hub.start(label)
        self.label, self.out, self.killed = label, job.out, False
        self.meter = SimpleNamespace(cost=Cost(1.0, 1.0, 0.0, 1))
        self.out.mkdir(parents=True, exist_ok=True)
        self._outcome = Outcome(leave(job), None, "ok")
        if label in hub.failing:
            error = SimpleNamespace(what=f"{label} failed")
            self._outcome = Outcome(None, error, "failed")
        write(self.out, SPENT)

    def poll(self, progress):
        return True

    def kill(self):
        self.killed = True

    def ended(self):
        return self._outcome


class Hub:
    """Counts children; the ``stops_at``-th start is a Ctrl-C."""

    def __init__(self):
        self.started, self.stops_at, self.failing = [], None, set()

    def start(self, label):
        if self.stops_at is not None and len(self.started) >= self.stops_at:
            raise KeyboardInterrupt
        self.started.append(label)

    def work(self, label, module, job, out, timeout_s, read):
        return Pretending(self, label, job, self.trained)

    def trained(self, job):
        for seed in job.seeds:
            folder = seed_folder(job.out, seed)
            folder.mkdir(parents=True, exist_ok=True)
            for name in (ADAPTER_FILE, DELTA_FILE):
                (folder / name).write_text(str(seed), encoding="utf-8")
        if job.kind == "remake":
            return Answer()
        (seed,) = job.seeds
        outcome = SeedOutcome(
            seed=seed, losses=(0.1,), trainable_parameters=1, changed_modules=1, merge_error=0
        )
        return Answer(seeds=(outcome,))

    def scorer(self, label, track, entries, out, device, bench=None):
        return Pretending(self, label, SimpleNamespace(out=out, entries=entries), self.scored)

    def scored(self, job):
        digest = None
        if not job.entries:
            (job.out / BENCH_FILE).write_bytes(BENCH)
            digest = hashlib.sha256(BENCH).hexdigest()
        found = tuple(
            EntryScore(label=one.label, seed=one.seed, figures=figures()) for one in job.entries
        )
        pictures = {"base": ("0-0.png",)} | {one.label: ("1-0.png",) for one in job.entries}
        answer = ScoreAnswer(base=figures(), entries=found, pictures=pictures, bench_sha256=digest)
        (job.out / "answer.json").write_text(answer.model_dump_json(), encoding="utf-8")
        return answer


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    found = Hub()
    monkeypatch.setattr(side_step, "Child", found.work)
    monkeypatch.setattr(score_step, "scorer", found.scorer)
    monkeypatch.setattr("harness.runs.graph.pool.POLL_S", 0.0)
    return found


def attempt(name="Example1", seeds=(0, 1), **options):
    chosen = pipeline.Options(**options)
    track = load_track("robot")
    return pipeline.plan(registry.load_any(name), track, chosen, seeds, Silent())


def carried_out(one):
    run = RunTasks(one, ())
    carry_out(run)
    return run


def carry_out(run):
    return Pool(1).run_tasks(run.tasks(), run.attempt.progress)


EVERYTHING = {
    "reference, seed 0", "reference, seed 1", "reference from its file",
    "Example1, seed 0", "Example1, seed 1", "Example1 from its file", "the base of robot",
    "scoring reference, seed 0", "scoring reference, seed 1",
    "scoring Example1, seed 0", "scoring Example1, seed 1",
}  # fmt: skip


def test_a_first_run_does_everything_once_and_a_second_one_nothing(hub):
    run = carried_out(attempt())
    assert set(hub.started) == EVERYTHING
    assert len(hub.started) == len(EVERYTHING)
    assert run.costs().reference_repeats is None
    scored = run.scored()
    assert sorted(scored.own) == sorted(scored.reference) == [0, 1]
    assert read_spent(run.attempt.own_scoring).cpu_s == 2  # of two seeds, a second each
    assert is_known(attempt())
    assert RunTasks(attempt(), ()).tasks() == []


def test_seeds_of_both_sides_take_turns(hub):
    carried_out(attempt())
    trained = [label for label in hub.started if ", seed" in label and "scoring" not in label]
    assert trained == [
        "reference, seed 0",
        "Example1, seed 0",
        "reference, seed 1",
        "Example1, seed 1",
    ]


def test_a_known_reference_is_trained_once_more_for_its_cost_alone(hub):
    carried_out(attempt("reference"))
    hub.started.clear()
    run = carried_out(attempt())
    assert [label for label in hub.started if "reference" in label] == ["reference, seed 0"]
    assert "the base of robot" not in hub.started
    assert run.costs().reference_repeats is True
    assert not run.attempt.pace.exists()  # it was for this run only
    assert not run.attempt.pace.with_name("pace-pictures").exists()
    hub.started.clear()
    assert RunTasks(attempt(), ()).tasks() == []


def test_the_reference_as_a_contribution_is_its_own_yardstick(hub):
    run = carried_out(attempt("reference"))
    assert len(hub.started) == 6
    assert run.costs().cpu_seconds == run.costs().reference_cpu_seconds


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(st.integers(0, len(EVERYTHING)))
def test_wherever_it_is_interrupted_it_goes_on_at_the_first_missing_task(hub, stops_at):
    shutil.rmtree(paths.RUNS, ignore_errors=True)
    hub.started.clear()
    hub.stops_at = stops_at
    try:
        carried_out(attempt())
    except KeyboardInterrupt:
        assert stops_at < len(EVERYTHING)
    hub.stops_at = None
    run = carried_out(attempt())
    # Whether the reference was whole by then or not, nothing of either side is done twice; its
    # cost is measured again only if it was.
    twice = [label for label in hub.started if hub.started.count(label) > 1]
    assert set(twice) <= {"reference, seed 0"}
    assert set(hub.started) == EVERYTHING
    assert sorted(run.scored().own) == [0, 1]
    assert run.costs().cpu_seconds.keys() == {0, 1}


def test_fresh_trains_and_scores_its_own_again_and_shares_the_rest(hub):
    carried_out(attempt())
    hub.started.clear()
    carried_out(attempt(fresh=True))
    assert set(hub.started) == {label for label in EVERYTHING if "Example1" in label} | {
        "reference, seed 0"
    }


def test_a_file_that_went_missing_is_made_again_and_its_figures_with_it(hub):
    carried_out(attempt())
    one = attempt()
    (seed_folder(one.own_training, 1) / ADAPTER_FILE).unlink()
    hub.started.clear()
    carried_out(one)
    assert {label for label in hub.started if "Example1" in label} == {
        "Example1, seed 1",
        "Example1 from its file",
        "scoring Example1, seed 0",
        "scoring Example1, seed 1",
    }


def test_a_changed_measurement_of_the_base_is_made_again(hub):
    carried_out(attempt())
    one = attempt(seeds=(0,))
    (one.base_folder / BENCH_FILE).write_bytes(b"other")
    hub.started.clear()
    carried_out(one)
    assert "the base of robot" in hub.started


def test_a_failure_ends_the_run_and_is_told(hub):
    hub.failing = {"Example1, seed 1"}
    run = RunTasks(attempt(), ())
    assert not carry_out(run)
    assert run.failed_training.error.what == "Example1, seed 1 failed"
    assert "Example1 from its file" not in hub.started
    hub.failing = set()
    before = len(hub.started)
    carried_out(attempt())
    assert "Example1, seed 0" not in hub.started[before:]  # it was trained already


def test_the_reference_is_let_go_when_nothing_of_it_is_left_to_do(hub):
    told = []

    def shared():
        told.append(list(hub.started))

    carry_out(RunTasks(attempt(), (), shared))
    assert len(told) == 1
    assert {label for label in EVERYTHING if "reference" in label} <= set(told[0])


def test_kinds_of_tasks_and_what_they_need(hub):
    found = {one.id: one for one in RunTasks(attempt(), ()).tasks()}
    assert found["score Example1 1"].needs == ("remake Example1", "base")
    assert found["remake Example1"].needs == ("train Example1 0", "train Example1 1")
    assert found["train Example1 0"].needs == ()
    assert {one.kind for one in found.values()} == {"train", "remake", "base", "score"}
