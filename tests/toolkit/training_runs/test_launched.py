"""A run that `accelerate launch` starts in two processes, as docs/training.md has it."""

import json
import sys

import pytest

from src.main import main
from tests.toolkit.training_runs.support import command, run

LAUNCH = (
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--main_process_port", "0"),
    *("--mixed_precision", "no", "--dynamo_backend", "no"),
)


def losses(out):
    lines = (out / "log.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "loss" in line]


def test_two_processes_write_one_run_with_the_losses_of_one(data_dir, base_dir, tmp_path):
    words = command(data_dir, base_dir, tmp_path / "two", "--steps", "3", "--device", "cpu")
    launched = run(sys.executable, *LAUNCH, *words[1:])
    assert launched.returncode == 0, launched.stderr
    assert (tmp_path / "two" / "adapter.safetensors").is_file()
    assert launched.stdout.count("adapter.safetensors") == 1  # the first process speaks
    words = command(data_dir, base_dir, tmp_path / "one", "--steps", "3", "--device", "cpu")
    assert main(words[3:]) == 0
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
