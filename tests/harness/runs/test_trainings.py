"""Trainings found by their folders, whatever stands in them; and stopped only where it is safe."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time

import pytest

from harness.runs.trainings import read_training, trainings_below, typed_settings
from harness.runs.watching import watch
from toolkit.core.errors import UsageError
from toolkit.core.locks import holder


def a_training(folder, name="reference", *, holder=None, done=False, **changes):
    """The folder of a training, as far as these functions read it."""
    job = folder / "job-0001"
    job.mkdir(parents=True)
    plan = {"name": name, "data_dir": "/pictures/mug", "base": "models/tiny-sd",
            "fingerprints": {}, **changes}  # fmt: skip
    (job / "job.json").write_text(json.dumps({"plan": plan}))
    if done:
        (folder / "adapter.safetensors").write_bytes(b"")
    if holder:
        note = {"process": holder, "machine": platform.node(), "since": time.time()}
        (folder / ".run.owner").write_text(json.dumps(note))
    return folder


@pytest.fixture
def worker():
    """A process that is at work, and is not this one."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_trainings_are_found_by_their_folders_the_newest_first(tmp_path, worker):
    a_training(tmp_path / "trained" / "one", done=True)
    a_training(tmp_path / "trained" / "two" / "deeper", holder=worker.pid)
    a_training(tmp_path / "three")
    (tmp_path / "robot" / "Example1" / "0123456789ab" / "train").mkdir(parents=True)
    (tmp_path / "robot" / "Example1" / "0123456789ab" / "train" / "job.json").write_text("{}")
    os.utime(tmp_path / "three" / "job-0001" / "job.json", (1, 1))
    found = trainings_below(tmp_path)
    assert {(one.folder.name, one.state) for one in found} == {
        ("one", "done"),
        ("deeper", "running"),
        ("three", "stopped"),
    }
    assert found[-1].folder.name == "three"
    assert len({one.id for one in found}) == 3


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", "null", '{"plan": 1}', '{"plan": {}}', "[" * 100_000, '{"fingerprints": []'],
)
def test_a_folder_of_something_else_is_no_training(tmp_path, content):
    job = tmp_path / "x" / "job-0001"
    job.mkdir(parents=True)
    (job / "job.json").write_text(content)
    (tmp_path / "x" / "plan.json").write_text(content)
    assert read_training(tmp_path / "x") is None
    assert trainings_below(tmp_path) == []


@pytest.mark.parametrize("name", ["--trust", "../x", "", "a b", "x" * 99, 3, None])
def test_no_name_becomes_a_word_of_a_command(tmp_path, name):
    assert read_training(a_training(tmp_path / "x", name)).name == ""


def test_it_is_stopped_by_a_file_in_the_newest_start_alone(tmp_path, worker):
    folder = a_training(tmp_path / "x", holder=worker.pid)
    (folder / "job-0002").mkdir()
    job = (folder / "job-0001" / "job.json").read_text()
    (folder / "job-0002" / "job.json").write_text(job)
    read_training(folder).stop()
    assert (folder / "job-0002" / "stop").is_file()
    assert not (folder / "job-0001" / "stop").exists()
    read_training(folder).stop()  # twice is once
    assert worker.poll() is None  # no signal to a process that is not the page's


def test_a_link_leads_the_stop_nowhere(tmp_path, worker):
    folder = a_training(tmp_path / "x", holder=worker.pid)
    (folder / "job-0001" / "stop").symlink_to(tmp_path / "elsewhere")
    read_training(folder).stop()
    assert not (tmp_path / "elsewhere").exists()


def test_what_would_be_lost_is_not_stopped(tmp_path, worker):
    ended = a_training(tmp_path / "ended")
    own = a_training(tmp_path / "own", "Example1", holder=worker.pid)  # a loop of its own
    for folder in (ended, own):
        with pytest.raises(UsageError, match="without losing"):
            read_training(folder).stop()
    kept = own / "job-0001" / "checkpoints" / "step-000010"
    kept.mkdir(parents=True)
    (kept / "whole.json").write_text("{}")
    read_training(own).stop()


def test_a_process_that_has_got_the_number_is_not_the_training(tmp_path, worker):
    folder = a_training(tmp_path / "x", holder=worker.pid)
    note = folder / ".run.owner"
    about = json.loads(note.read_text())
    note.write_text(json.dumps({**about, "since": 1.0}))
    assert read_training(folder).state == "stopped"
    note.write_text(json.dumps({**about, "process": -1}))
    assert read_training(folder).state == "stopped"
    note.write_text(json.dumps({**about, "machine": "another"}))  # of that nothing can be told
    assert read_training(folder).state == "running"
    note.write_text("{")
    assert holder(folder / ".run") is None
    assert read_training(folder).state == "stopped"


def test_only_a_training_has_typed_settings(tmp_path):
    with pytest.raises(UsageError, match="no training of"):
        typed_settings(a_training(tmp_path / "x"))  # its plan is not whole


@pytest.mark.parametrize(
    "line",
    ['{"step": "1", "loss": 0.5}', '{"step": 2, "loss": "<b>"}', '{"step": 2, "loss": NaN}',
     '{"step": 2, "loss": 1e999}', '{"step": 2, "seconds": []}', "[" * 100_000, '{"loss": 1}'],
)  # fmt: skip
def test_a_log_may_say_anything(tmp_path, line):
    job = a_training(tmp_path / "x") / "job-0001"
    whole = '{"step": 1, "loss": 0.5}\n{"step": 3, "loss": 0.25}\n'
    (job / "log.jsonl").write_text(f"{whole}{line}\n")
    (job / "plan.json").write_text('{"train": {"steps": 1e999}}')
    watched = watch(tmp_path / "x")
    assert (watched.step, watched.steps, watched.loss) == (3, 0, 0.375)
    assert watched.curve.low == 0.25


def test_the_last_sheet_comes_first(tmp_path):
    job = a_training(tmp_path / "x") / "job-0001"
    (job / "samples").mkdir()
    for name in ("samples/step-000010.png", "samples/step-000020.png", "samples.png"):
        (job / name).write_bytes(b"")
    assert watch(tmp_path / "x").samples == (
        "job-0001/samples.png",
        "job-0001/samples/step-000020.png",
        "job-0001/samples/step-000010.png",
    )
