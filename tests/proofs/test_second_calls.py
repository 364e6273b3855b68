"""A few walks of ``nox -s second-calls``, and that it sees what an operation leaves behind."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import DDIMScheduler

from tests.proofs.second_calls import __main__ as walker
from tests.proofs.second_calls.operations import OPERATIONS
from tests.proofs.second_calls.state import State, differences, prepared, seen

WALKS = (
    ("draw at half strength", "train fast", "draw"),
    ("train in bf16", "draw with euler_a", "train"),
    ("train, stopped", "add two files", "draw plainly"),
    ("draw, text encoder fails", "read the change"),
    ("go on with a copy", "train with checkpointing", "merge"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("second-calls")


@pytest.fixture(scope="module")
def pristine(folder):
    return prepared(folder)


# diffusers 0.42 hands numpy 2 a tensor in the sampler euler_a.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("walk", WALKS, ids=", then ".join)
def test_the_last_step_is_what_a_fresh_start_makes_of_it(walk, pristine, folder):
    assert walker.faults_of(walk, pristine, folder) == []


def leaves_a_sampler(state: State) -> None:
    state.pipeline.scheduler = DDIMScheduler.from_config(state.pipeline.scheduler.config)


def leaves_a_strength(state: State) -> None:
    next(iter(state.adapter.children())).lora_scale = 0.5


def leaves_a_mode(state: State) -> None:
    state.pipeline.vae.decoder.conv_in.train()


def leaves_threads(state: State) -> None:
    torch.set_num_threads(torch.get_num_threads() + 1)


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        (leaves_a_sampler, "scheduler"),
        (leaves_a_strength, "strength"),
        (leaves_a_mode, "training"),
        (leaves_threads, "threads"),
    ],
)
def test_what_an_operation_leaves_behind_is_seen(operation, word, pristine, folder):
    threads = torch.get_num_threads()
    try:
        live = State.start(pristine, folder)
        before = seen(live)
        operation(live)
        found = differences(seen(live), before)
    finally:
        torch.set_num_threads(threads)
    assert found
    assert all(word in one for one in found)


def test_walks_hold_every_pair():
    walks = list(walker.walks(threes=7, seed=0))
    assert len(walks) == len(OPERATIONS) + len(OPERATIONS) ** 2 + 7
    assert len({walk for walk in walks if len(walk) == 2}) == len(OPERATIONS) ** 2


def test_walks_go_on_after_a_kill(tmp_path):
    file = tmp_path / "notes.jsonl"
    assert walker.walked(file) == {}
    file.write_text('{"walk": ["draw"], "faults": []}\n{"walk": ["dr', encoding="utf-8")
    assert walker.walked(file) == {("draw",): []}
    assert file.read_text(encoding="utf-8").endswith("\n")


def test_the_committed_walks_are_all_pairs_of_today_and_found_nothing():
    result = json.loads(walker.RESULT.read_text(encoding="utf-8"))
    assert result["operations"] == list(OPERATIONS)
    assert result["pairs"] == len(OPERATIONS) ** 2 >= 400
    assert result["threes"] >= 300
    assert result["faulty"] == []
