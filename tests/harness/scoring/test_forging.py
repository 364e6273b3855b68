"""Whatever a contribution patches, prints or writes, the figures are those of its weights."""

import dataclasses

import pytest

from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.figures import Figures, PictureFigures
from harness.protocol.row_files import recorded_rows
from harness.protocol.track import load_track, track_names
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.flags import brought_along_flags, flags_of
from harness.runs.steps.outcomes import Scored, TrainCosts
from harness.runs.steps.side import Side
from harness.sandbox.child import Child, run_children
from harness.sandbox.resource_use import Spent
from harness.scoring.jobs import Entry, EntryScore, ScoreAnswer
from harness.worker.counting import FAR
from harness.worker.jobs import DELTA_FILE, Answer, SeedOutcome, Watched, seed_folder
from tests.harness.scoring.support import score_job
from tests.harness.support import FIXTURES, figures
from tests.harness.worker.test_worker import Silent, start
from tests.hostile.forging import honest_report
from toolkit.images.alike import thumbnail
from toolkit.images.sheet import open_picture


@pytest.fixture(scope="module")
def pair(random_base, tmp_path_factory):
    """Both trained and scored: name -> (child of the training, figures)."""
    folder = tmp_path_factory.mktemp("pair")
    names = ("HonestTwin", "ForgesFigures")
    children = {name: start(name, random_base, folder / name) for name in names}
    run_children(list(children.values()), Silent())
    entries = []
    for name, child in children.items():
        assert child.ended().status == "ok", child.ended().error
        entries.append(Entry(label=name, seed=0, delta=seed_folder(child.out, 0) / DELTA_FILE))
    job = score_job(random_base, folder / "score", tuple(entries))
    scorer = Child(
        "scorer", "harness.scoring.main", job, job.out, 240, ScoreAnswer.model_validate_json
    )
    run_children([scorer], Silent())
    answer = scorer.ended().answer
    assert answer is not None, scorer.ended().error
    figures = {entry.label: entry.figures for entry in answer.entries}
    return {name: (child, figures[name]) for name, child in children.items()}


def test_forging_changes_no_figure(pair):
    (_, honest), (_, forged) = pair["HonestTwin"], pair["ForgesFigures"]
    assert forged == honest  # to the bit
    assert honest.gain != 0


def test_what_it_writes_and_prints_about_itself_is_not_read(pair):
    child, _ = pair["ForgesFigures"]
    assert child.meter.cost is None  # a job that is not scored waits for no meter
    assert child.ended().answer.seeds[0].losses[0] > 0
    assert "heldout" in (child.out / "log.txt").read_text()  # it printed, and nobody read it


def attempt(tmp_path, contribution: Contribution) -> Attempt:
    track = load_track("robot")
    return Attempt(
        contribution=contribution,
        reference=registry.load_reference(),
        track=track,
        seeds=(0,),
        device="cpu",
        folder=tmp_path / "own",
        reference_folder=tmp_path / "reference",
        fresh=False,
        repeat_first=False,
        base_folder=tmp_path / "base",
        parts={},
        progress=Silent(),
    )


def test_a_worker_is_handed_no_path_that_leads_to_held_out_pictures(tmp_path):
    one = attempt(tmp_path, registry.load_reference())
    side = Side(one, one.contribution, one.own_training, one.seeds)
    child = side.train(0)
    child.kill()
    job = (child.out / "job.json").read_text()
    assert "heldout" not in job
    assert "tracks" not in job
    pictures = one.folder / "train-pictures"
    assert str(pictures) in job
    names = {path.name for path in (pictures / "Images").iterdir()}
    assert names == {path.name for path in (one.track.train_dir / "Images").iterdir()}


def costs(**changes):
    spent = {
        "layer": "process", "wall_s": 20, "cpu_s": 18, "peak_memory_bytes": 10**9,
        "peak_processes": 1, "disk_bytes": 1, "output_bytes": 1,
    }  # fmt: skip
    told = {
        "train_seconds": {0: 10.0},
        "cpu_seconds": {0: 10.0},
        "beside_seconds": {0: 0.1},
        "memory_bytes": 10**9,
        "worker": Spent.model_validate(spent),
        "reference_seconds": 10.0,
        "reference_cpu_seconds": {0: 10.0},
        "reference_memory_bytes": 10**9,
        "reference_repeats": True,
    }
    return TrainCosts(**told | changes)


def scored(**changes):
    entry = EntryScore(label="Foo", seed=0, **changes)
    return Scored(base=None, own={0: entry}, reference={}, not_measured={})


COUNTS = {
    "steps": 75, "calls": 75, "trained_pictures": 600, "other_pictures": 0, "outside": 0,
    "rates": (1e-3, 1e-3), "attached": 0.0,
}  # fmt: skip
PASSED = honest_report("HonestTwin")


def answer(unmergeable=None, **counts):
    outcome = SeedOutcome(
        seed=0, losses=(1.0,), trainable_parameters=1, changed_modules=1, merge_error=0,
        unmergeable=unmergeable, watched=Watched(**COUNTS | counts),
    )  # fmt: skip
    return Answer(seeds=(outcome,))


def flags(one, own=None, spent=None, found=None, report=None):
    return flags_of(
        one, own or answer(), answer(), spent or costs(), found or scored(), report or PASSED
    )


def kinds(tmp_path, folder="HonestTwin", **seen):
    one = attempt(tmp_path, registry.load(str(FIXTURES / folder)))
    return [flag.kind for flag in flags(one, **seen)]


def test_a_plain_run_has_no_flag(tmp_path):
    assert kinds(tmp_path) == []


def test_each_oddity_has_its_flag(tmp_path):
    copied = PictureFigures(copies=0.9)
    assert kinds(tmp_path, own=answer("not affine")) == ["unmergeable"]
    assert kinds(tmp_path, found=scored(own_pictures=copied)) == ["copies training pictures"]
    changed = costs().model_copy(update={"reference_repeats": False})
    assert kinds(tmp_path, spent=changed) == ["the reference did not repeat itself"]
    assert kinds(tmp_path, found=scored(determinism=1e-3)) == ["not deterministic"]


OVER, OTHERWISE = "over budget", "otherwise than in the gate"


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        ({"steps": 76}, OVER),
        ({"outside": 1}, OVER),
        ({"trained_pictures": 700}, OVER),
        ({"steps": 60}, OTHERWISE),
        ({"steps": 0, "rates": None}, OTHERWISE),
        ({"trained_pictures": 500}, OTHERWISE),
        ({"rates": (1e-3, 2e-3)}, OTHERWISE),
        ({"rates": (1e-4, 1e-4)}, OTHERWISE),
        ({"attached": 0.02}, OTHERWISE),
        ({"attached": FAR}, OTHERWISE),
    ],
)
def test_what_a_training_was_seen_to_do_is_compared_with_budget_and_gate(tmp_path, counts, kind):
    assert kind in kinds(tmp_path, own=answer(**counts))


def test_what_the_gate_measured_is_allowed(tmp_path):
    twice = honest_report("HonestTwin", pictures=2.0, rate=4.0)
    own = answer(trained_pictures=1200, rates=(1e-4, 4e-3), attached=1e-3)
    assert kinds(tmp_path, own=own, report=twice) == []


def test_cost_that_nothing_counted_explains_is_a_flag(tmp_path):
    dear = costs(cpu_seconds={0: 27.0})
    assert kinds(tmp_path, spent=dear) == ["cost not explained"]
    explained = answer(other_pictures=600)  # as passes for a prior or a teacher are
    assert kinds(tmp_path, spent=dear, own=explained) == []
    assert kinds(tmp_path, spent=costs(beside_seconds={0: 9.0})) == ["processes of its own"]


def with_gains(own, gap, reference=(0.30, 0.304, 0.308)):
    def entries(gains, apart):
        return {
            seed: EntryScore(
                label="one", seed=seed, figures=Figures(**figures(0.8 * (1 - gain)) | {
                    "overfit_gap": apart, "train_gain": gain + apart,
                })
            )
            for seed, gain in enumerate(gains)
        }  # fmt: skip

    return Scored(None, entries(own, gap), entries(reference, 0.03), {})


@pytest.mark.parametrize(
    ("gains", "gap", "found"),
    [
        ((0.61, 0.612, 0.609), -0.01, True),
        ((0.61, 0.61001, 0.61002), 0.03, True),
        ((0.32, 0.323, 0.319), 0.02, False),
        ((0.0, 0.0, 0.0), 0.0, False),  # nothing learnt, nothing brought
        ((0.61, 0.61), -0.01, False),  # two seeds say little
    ],
)
def test_gains_that_were_there_before_are_a_flag(tmp_path, gains, gap, found):
    assert bool(brought_along_flags(with_gains(gains, gap))) is found


def test_no_recorded_row_looks_as_if_it_had_brought_its_gain_along():
    rows = [row for track in track_names() for row in recorded_rows(track) if row.scores]
    assert len(rows) > 100
    for row in rows:
        entries = [
            {
                s.seed: EntryScore(label="", seed=s.seed, figures=getattr(s, side))
                for s in row.scores
            }
            for side in ("own", "reference")
        ]
        assert brought_along_flags(Scored(None, *entries, {})) == [], row.contribution


def test_held_out_pictures_in_the_contributions_folder_are_flagged(tmp_path):
    one = attempt(tmp_path, registry.load("Example1"))
    clean = flags(one)
    assert clean == ()
    heldout = one.track.heldout_dir
    assert thumbnail(open_picture(heldout / "Images" / "example1.png")).shape == (32, 32, 3)
    track = dataclasses.replace(one.track, folder=tmp_path / "track")
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "heldout").symlink_to(one.track.train_dir)  # as if those were held out
    flagged = flags(dataclasses.replace(one, track=track))
    assert {flag.kind for flag in flagged} == {"near-duplicate of a held-out picture"}
    assert any("CONTRIBUTIONS/Example1/Dataset/Images" in flag.text for flag in flagged)
