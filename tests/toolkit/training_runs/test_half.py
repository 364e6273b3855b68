"""Bfloat16 is used where the processor has instructions for it, and its absence is said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from toolkit.core.settings import TrainConfig
from toolkit.training_runs import half, run


@pytest.fixture
def processor(monkeypatch):
    """Return a function that makes the processor one with these instructions."""

    def pretend(architecture, *instructions):
        names = {name: name in instructions for name in half.NATIVE}
        capabilities = {"architecture": architecture, **names}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        half.computes_bfloat16.cache_clear()

    yield pretend
    monkeypatch.undo()
    half.computes_bfloat16.cache_clear()


@pytest.mark.parametrize("instructions", [("avx512_bf16",), ("amx_bf16",), half.NATIVE])
def test_a_processor_with_the_instructions_computes_in_bfloat16(processor, instructions):
    processor("x86_64", *instructions)
    device = torch.device("cpu")
    assert half.compute_dtype(device) == torch.bfloat16
    with half.mixed_precision(device):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_a_processor_without_them_computes_in_float32(processor):
    processor("x86_64")
    device = torch.device("cpu")
    assert half.compute_dtype(device) == torch.float32
    with half.mixed_precision(device):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_card_is_trusted(processor):
    processor("x86_64")
    assert half.computes_bfloat16("cuda")


def test_torch_knows_the_instructions_by_these_names():
    assert {"architecture", *half.NATIVE} <= torch.cpu.get_capabilities().keys()


@pytest.mark.parametrize(
    ("precision", "instructions", "warned"),
    [("bf16", (), True), ("bf16", half.NATIVE, False), ("no", (), False)],
)
def test_a_training_says_that_bf16_will_be_slow(processor, precision, instructions, warned):
    processor("x86_64", *instructions)
    said: list[str] = []
    plan = SimpleNamespace(train=TrainConfig(mixed_precision=precision), resolution=64)
    pipeline = SimpleNamespace(unet=torch.nn.Linear(2, 2))
    pipeline.unet.device = torch.device("cpu")
    run.announce(plan, pipeline, pipeline.unet, said.append)
    assert any("only imitates bf16" in sentence for sentence in said) == warned
