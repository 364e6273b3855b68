"""What a worker may use: more for a large base, and what somebody asks for."""

import argparse
import subprocess
import sys

import psutil
import pytest

from harness import paths
from harness.commands.isolation import add_limit_arguments, chosen_limits, fault_of
from harness.contributions.registry import load_reference
from harness.protocol.row import ErrorReport
from harness.sandbox.allowance import allowance, weight_bytes
from harness.sandbox.limits import GIB, default_limits
from harness.sandbox.outcome import Outcome
from harness.worker.jobs import TrainJob


def job(base, tmp_path):
    reference = load_reference()
    return TrainJob(
        contribution=reference,
        reference=reference,
        base_model=str(base),
        out=tmp_path / "out",
        data_dir=tmp_path,
        resolution=64,
        steps=1,
        batch_size=1,
        seed=0,
        prompts=("a",),
    )


@pytest.fixture
def large_base(tmp_path):
    """A base with weights as large as Stable Diffusion 1.4's, of nothing: the file is sparse."""
    path = tmp_path / "base" / "unet" / "diffusion_pytorch_model.safetensors"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(4 * GIB)
    return tmp_path / "base"


def test_a_large_base_gets_room_for_its_change(large_base, tmp_path):
    one, usual = allowance(job(large_base, tmp_path), 600), default_limits(600)
    assert one.disk_bytes >= usual.disk_bytes + 2 * 4 * GIB
    most = psutil.virtual_memory().total * 3 // 4
    assert one.memory_bytes == min(most, 32 * GIB)


def test_the_embedded_base_changes_nothing_much(tmp_path):
    usual, found = default_limits(600), allowance(job(paths.ROOT / "models/tiny-sd", tmp_path), 600)
    assert found.memory_bytes == usual.memory_bytes
    assert usual.disk_bytes <= found.disk_bytes < 2 * usual.disk_bytes


def test_a_base_may_be_one_file_or_a_name(large_base):
    (file,) = large_base.rglob("*.safetensors")
    assert weight_bytes(str(file)) == weight_bytes(str(large_base)) == 4 * GIB
    assert weight_bytes("somebody/some-model") == weight_bytes("") == 0


def test_limits_can_be_asked_for():
    parser = argparse.ArgumentParser()
    add_limit_arguments(parser)
    usual = default_limits(600)
    assert chosen_limits(parser.parse_args([]), usual) == usual
    asked = parser.parse_args(["--hours", "0.5", "--memory", "2", "--disk", "1.5"])
    limits = chosen_limits(asked, usual)
    assert limits.wall_s == 1800
    assert limits.cpu_s == 3 * usual.cpu_s
    assert (limits.memory_bytes, limits.disk_bytes) == (2 * GIB, 3 * GIB // 2)


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "long"])
def test_impossible_limits_are_wrong_calls(hours):
    command = [sys.executable, "-m", "harness", "generate", "Example1", "--prompt", "x"]
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_limit_arguments(parser)
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(["--hours", hours])
    if hours == "nan":
        done = subprocess.run(
            [*command, "--hours", hours], capture_output=True, text=True, cwd=paths.ROOT
        )
        assert done.returncode == 2
        assert "--hours" in done.stderr


def test_who_meets_a_limit_is_told_how_to_move_it():
    report = ErrorReport(kind="WorkerTimeout", what="It ran for 600 s.", fix="Do less.")
    assert "--hours" in str(fault_of(Outcome(None, report, "timeout")).fix)
    assert fault_of(Outcome(None, report, "failed")).fix == "Do less."
    assert "stopped early" in fault_of(None).what
