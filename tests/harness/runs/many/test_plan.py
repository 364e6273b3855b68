"""The plan: every run by its key, with its state, in a moment and without torch."""

import json
import subprocess
import sys

import pytest

from harness import paths
from harness.commands.cli import main
from harness.contributions import registry
from harness.protocol.row_files import write_row
from harness.protocol.track import load_track
from harness.runs.folders import PAGE_FILE, ROW_FILE, run_folder
from harness.runs.graph.durations import seconds_file
from harness.runs.key import run_key
from harness.runs.many.plan import ground_of, key_of
from tests.harness.support import example_row


def plan(capsys, *arguments):
    code = main(["plan", "--track", "robot", "--format", "json", *arguments])
    assert code == 0
    return {run["contribution"]: run for run in json.loads(capsys.readouterr().out)["runs"]}


def good_row(name="Example1", **changes):
    contribution, track = registry.load_any(name), load_track("robot")
    same = {
        "contribution": name,
        "content_hash": contribution.content_hash,
        "reference_hash": registry.load_reference().content_hash,
        "protocol_hash": track.protocol_hash(),
    }
    return example_row(**(same | changes))


def test_the_plan_names_everybody_by_the_key_of_their_run(capsys, runs):
    lines = plan(capsys, "--seeds", "0,")
    assert set(lines) == {
        "reference",
        *registry.control_names(),
        *registry.contribution_names(),
    }
    reference, track = registry.load_reference(), load_track("robot")
    own = registry.load("Example1")
    assert lines["Example1"]["key"] == run_key(own, reference, track, "cpu")
    assert lines["Example1"]["seeds"] == [0]
    keys = [line["key"] for line in lines.values()]
    assert len(set(keys)) == len(keys)
    assert {line["state"] for line in lines.values()} == {"queued"}


def test_a_run_is_done_recorded_stale_or_queued(capsys, runs):
    one = ("--seeds", "0,", "--only", "Example1")
    assert plan(capsys, *one)["Example1"]["state"] == "queued"
    recorded = paths.RESULTS / "robot" / "Example1.json"
    write_row(recorded, good_row(content_hash="sha256:older"))
    assert plan(capsys, *one)["Example1"]["state"] == "stale"
    write_row(recorded, good_row())
    assert plan(capsys, *one)["Example1"]["state"] == "recorded"
    assert plan(capsys, "--only", "Example1")["Example1"]["state"] == "stale"  # other seeds, too

    # A good row in the run's folder, with its page, is what a run answers with at once.
    track = load_track("robot")
    key = key_of(ground_of(track, "cpu"), registry.load("Example1"))
    folder = run_folder("robot", "Example1", key)
    write_row(folder / ROW_FILE, good_row())
    assert plan(capsys, *one)["Example1"]["state"] == "recorded"
    (folder / PAGE_FILE).write_text("a page")
    assert plan(capsys, *one)["Example1"]["state"] == "done"
    assert plan(capsys, *one, "--fresh")["Example1"]["state"] == "queued"


def test_missing_leaves_out_what_the_board_has_but_keeps_the_reference_of_the_rest(capsys, runs):
    one = ("--seeds", "0,", "--only", "Example1", "--missing")
    assert set(plan(capsys, *one)) == {"reference", "Example1"}
    for name in ("Example1", "reference"):
        write_row(paths.RESULTS / "robot" / f"{name}.json", good_row(name))
    assert plan(capsys, *one) == {}
    write_row(paths.RESULTS / "robot" / "Example1.json", good_row(protocol_hash="sha256:older"))
    assert set(plan(capsys, *one)) == {"reference", "Example1"}


def test_a_shard_of_the_plan_can_be_looked_at_before_it_is_run(capsys, runs):
    arguments = ("--seeds", "0,")
    whole = set(plan(capsys, *arguments))
    pieces = [set(plan(capsys, *arguments, "--shard", f"{n}/3")) for n in (1, 2, 3)]
    assert set.union(*pieces) == whole
    assert all("reference" in piece for piece in pieces)


def test_machines_that_ran_different_things_cut_the_same_shards(
    capsys, runs, tmp_path, monkeypatch
):
    write_row(paths.RESULTS / "robot" / "Example1.json", good_row())
    arguments = ("--seeds", "0,", "--missing", "--only", "Example1,DoRA,LoHa,Rank16")

    def shards():
        return [sorted(plan(capsys, *arguments, "--shard", f"{n}/2")) for n in (1, 2)]

    fresh = shards()
    # Another machine has run some of it, and knows how long that took.
    monkeypatch.setattr(paths, "RUNS", tmp_path / "other")
    track = load_track("robot")
    for name in ("DoRA", "Example1"):
        key = key_of(ground_of(track, "cpu"), registry.load(name))
        folder = run_folder("robot", name, key)
        write_row(folder / ROW_FILE, good_row(name))
        (folder / PAGE_FILE).write_text("a page")
    took = {"Rank16": 900.0, "LoHa": 1.0}
    seconds = {f"robot/{kind}/cpu/{n}": s for n, s in took.items() for kind in ("train", "score")}
    seconds_file().write_text(json.dumps(seconds))
    assert plan(capsys, "--seeds", "0,", "--only", "DoRA")["DoRA"]["state"] == "done"
    assert shards() == fresh
    assert sorted({*fresh[0], *fresh[1]}) == ["DoRA", "LoHa", "Rank16", "reference"]


def test_a_track_without_its_base_model_is_left_out_and_says_why(capsys, runs):
    assert main(["plan", "--only", "Example1", "--seeds", "0,"]) == 0
    out = capsys.readouterr().out
    assert "sd14-robot is left out: The base model is not there." in out
    assert "runs, " in out


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--executor", "shard"], "--executor shard needs --shard"),
        (["--jobs", "2"], "--jobs belong to --executor"),
        (["--quick", "--record"], "--quick cannot be combined with --record"),
        (["--out", "a", "--record", "--executor", "local"], "two places for the same rows"),
        (["--executor", "local", "--shard", "1/2"], "--shard belongs to --executor shard"),
        (["--record"], "--record and --jobs belong to --executor"),
        (["--address", "a:1"], "--address belongs to --executor ray"),
        (["--executor", "ray", "--jobs", "2"], "--jobs is for one machine"),
        (["--executor", "local", "--format", "json"], "--format json prints the plan"),
        (["--only", "Nobody"], "There is no contribution named 'Nobody'"),
        (["--track", "nowhere"], "There is no track named 'nowhere'"),
    ],
)
def test_options_that_would_be_ignored_are_refused(arguments, fault, capsys):
    assert main(["plan", *arguments]) == 2
    assert fault in capsys.readouterr().err


def test_planning_imports_neither_torch_nor_a_contribution():
    code = (
        "import sys; from harness.commands.cli import main\n"
        "assert main(['plan', '--track', 'robot']) == 0\n"
        "assert not {m for m in sys.modules if m in ('torch', 'diffusers', 'harness.runs.pipeline')"
        " or m.startswith(('CONTRIBUTIONS', 'src'))}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
