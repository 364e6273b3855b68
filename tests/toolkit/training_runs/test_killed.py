"""A run that is killed or stopped, in real processes, ends where an undisturbed one does."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from src.main import main
from tests.toolkit.training_runs.support import command, run, start

STEPS = "12"
OFTEN = ("--steps", STEPS, "--checkpoint-every", "2", "--validate-every", "4")


def wait_for(condition, process, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def losses(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(int(STEPS) + 1))
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def undisturbed(data_dir, base_dir, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    assert main(command(data_dir, base_dir, out, *OFTEN)[3:]) == 0
    return out


def test_a_run_that_is_stopped_and_then_killed_ends_bit_for_bit_like_an_undisturbed_one(
    data_dir, base_dir, tmp_path, undisturbed, capsys
):
    arguments = command(data_dir, base_dir, tmp_path, *OFTEN)
    checkpoints = tmp_path / "checkpoints"
    stopped = start(*arguments)
    wait_for((checkpoints / "step-000002").exists, stopped)
    stopped.send_signal(signal.SIGINT)
    _, told = stopped.communicate(timeout=300)
    assert stopped.returncode == 130, told
    assert "this step is finished and kept first" in told
    assert "the same command goes on" in told
    assert "Traceback" not in told

    killed = start(*arguments)
    wait_for(lambda: any(checkpoints.glob("step-00000[68]")), killed)
    killed.kill()
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "adapter.safetensors").exists()

    assert main(arguments[3:]) == 0
    assert "Going on after step" in capsys.readouterr().err
    for name in ("adapter.safetensors", "samples.png"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()
    assert losses(tmp_path) == losses(undisturbed)
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step-000010", "step-000012"]


def test_a_run_with_other_settings_or_pictures_is_not_gone_on_with(
    data_dir, base_dir, undisturbed, tmp_path
):
    def attempt(*options, data=data_dir):
        return main(command(data, base_dir, undisturbed, *OFTEN, *options)[3:])

    for options, message in (
        (("--learning-rate", "0.5"), "train.learning_rate was 0.001, now 0.5"),
        (("--rank", "3"), "lora.rank was 2, now 3"),
        (("--steps", "11"), "has made 12 steps already"),
    ):
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            assert attempt(*options) == 2
        assert message in told.getvalue()
        assert "--fresh to start over" in told.getvalue()
    other = tmp_path / "pictures"
    shutil.copytree(data_dir, other)
    (other / "ImageCaptions" / "picture0.txt").write_text("another caption", encoding="utf-8")
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        assert attempt(data=other) == 2
    assert "picture0.png or its caption changed" in told.getvalue()
    # How a step is computed may change: the same run, and nothing left to do.
    assert attempt("--gradient-checkpointing", "--gradient-accumulation-steps", "2") == 0


def test_the_harness_stops_and_goes_on_too_and_makes_the_same_lora(
    data_dir, base_dir, tmp_path, undisturbed
):
    """In a worker that no signal reaches; the LoRA is that of the reference alone."""
    options = command(data_dir, base_dir, tmp_path, *OFTEN)[3:]
    arguments = [sys.executable, "-m", "harness", "train", "reference", *options]
    first = start(*arguments)
    wait_for((tmp_path / "job-0001" / "checkpoints" / "step-000002").exists, first)
    first.send_signal(signal.SIGINT)
    shown, told = first.communicate(timeout=300)
    assert first.returncode == 130, (shown, told)
    assert "the same command goes on" in " ".join(shown.split())

    again = run(*arguments)
    assert again.returncode == 0, (again.stdout, again.stderr)
    assert "Continuing the run" in again.stdout
    assert "loads in diffusers, A1111 and ComfyUI" in again.stdout
    mine, theirs = tmp_path / "lora.safetensors", undisturbed / "adapter.safetensors"
    # The headers differ in the title, which is the file's name.
    ours, reference = load_file(mine), load_file(theirs)
    assert ours.keys() == reference.keys()
    assert all(torch.equal(ours[key], reference[key]) for key in ours)
    assert losses(tmp_path) == losses(undisturbed)
    assert (tmp_path / "samples.png").read_bytes() == (undisturbed / "samples.png").read_bytes()
