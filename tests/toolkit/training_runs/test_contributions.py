"""Contributions of every kind of adapter are trained on one's own pictures, and leave a file."""

import pytest

from harness import paths
from harness.commands.cli import main

SHORT = ("--resolution", "64", "--steps", "1", "--batch-size", "1", "--num-inference-steps", "1")


@pytest.mark.parametrize(
    ("name", "file", "other"),
    [
        ("Rank16", "lora.safetensors", "delta.safetensors"),  # the reference's LoRA
        ("C3A", "delta.safetensors", "lora.safetensors"),  # a library's, by settings alone
        ("DoRA", "delta.safetensors", "lora.safetensors"),  # a hook of its own
    ],
)
def test_a_run_leaves_its_adapter_and_a_file_for_any_program(name, file, other, tmp_path):
    places = ("--data", str(paths.REFERENCE / "Dataset"), "--out", str(tmp_path))
    assert main(["train", name, *places, *SHORT, "--prompt", "a robot"]) == 0
    assert (tmp_path / "adapter.safetensors").is_file()
    assert (tmp_path / file).is_file()
    assert not (tmp_path / other).exists()
    assert (tmp_path / "samples.png").is_file()
