"""Counting sees what a training does, and changes no bit of it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch

from harness import paths
from harness.contributions import registry
from harness.protocol.base_model import load_pipeline
from harness.protocol.track import load_track
from harness.sandbox.events import EventWriter
from harness.worker.counting import FAR, Counter, counting, distance, prediction
from harness.worker.fresh_copy import fresh_copy
from harness.worker.hooks import load_hooks
from harness.worker.jobs import TrainJob
from harness.worker.training import Watcher, train_one

STEPS, BATCH = 3, 2
# Each with something of its own that looking could disturb: modes, copies, further passes, hooks.
SENSITIVE = (
    "reference",
    "DoRA",
    "EMA",
    "PriorPreservation",
    "ScheduleFree",
    "TextEncoderToo",
    "VeRA",
)


@pytest.fixture(scope="module")
def base(random_base):
    return load_pipeline(random_base, "cpu")


@pytest.mark.parametrize("name", ["portrait", "robot"])
def test_a_base_is_asked_with_as_many_latent_channels_as_it_has(name):
    pipeline = load_pipeline(load_track(name).base_model, "cpu")
    answer = prediction(pipeline)
    assert answer.shape[1] == pipeline.vae.config.latent_channels
    assert distance(answer, prediction(pipeline)) == 0


def train(name: str, base, out: Path, watcher: Watcher | None):
    contribution = registry.load(name) if name != "reference" else registry.load_reference()
    job = TrainJob(
        contribution=contribution,
        reference=registry.load_reference(),
        base_model=str(out),
        out=out,
        data_dir=paths.ROOT / "tracks" / "robot" / "train",
        resolution=64,
        steps=STEPS,
        batch_size=BATCH,
        seeds=(0,),
        prompts=(),
        scored=watcher is not None,
    )
    hooks = load_hooks(contribution, job.reference)
    with EventWriter(out / "events.jsonl") as events:
        return train_one(job, hooks, fresh_copy(base), 0, events, (0.0, 1.0), watcher)


@pytest.mark.parametrize("name", SENSITIVE)
def test_a_counted_training_is_the_same_to_the_bit(name, base, tmp_path):
    plain = train(name, base, tmp_path, None)
    counter = Counter()
    with counting(counter, base.unet):
        counted = train(name, base, tmp_path, Watcher(counter, prediction(base)))
    assert counted.losses == plain.losses
    mine, other = counted.adapter.state_dict(), plain.adapter.state_dict()
    assert all(torch.equal(mine[key], other[key]) for key in other)
    seen = counter.watched()
    known = name != "ScheduleFree"  # whose optimiser is none of torch's: the gate sees none either
    assert (seen.steps, seen.outside) == (STEPS if known else 0, 0)
    assert (seen.rates is not None) == known
    assert seen.trained_pictures >= STEPS * BATCH
    assert seen.attached < 1e-3
    assert list(seen.hook_seconds) == ["make_dataset", "make_lora", "train"]
    assert min(seen.hook_seconds.values()) > 0


def test_steps_and_calls_outside_the_training_are_counted_apart(base):
    counter, copied = Counter(), fresh_copy(base)
    weight = torch.nn.Parameter(torch.zeros(1))
    one, other = (torch.optim.SGD([weight], lr=rate) for rate in (0.1, 0.4))
    unet = copied.unet
    sample, states = torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, unet.config.cross_attention_dim)
    with counting(counter, unet):
        weight.grad = torch.ones(1)
        one.step()
        unet(sample, 5, states)
        with counter.in_training():
            one.step()
            other.step()  # holds the same parameter: a round of its own
            unet.forward(sample, 5, encoder_hidden_states=states)
            with torch.no_grad():
                unet(sample, 5, states)
    unet(sample, 5, states)  # nobody looks any more
    seen = counter.watched()
    assert (seen.steps, seen.calls, seen.outside) == (2, 2, 2)
    assert (seen.trained_pictures, seen.other_pictures) == (2, 2)
    assert seen.rates == (0.1, 0.4)


def test_time_in_a_hook_adds_up_even_when_it_fails_and_no_patched_clock_is_asked(monkeypatch):
    counter = Counter()
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    for _ in range(2):
        with contextlib.suppress(RuntimeError), counter.timing("train"):
            sum(range(300_000))
            raise RuntimeError
    first = counter.hook_seconds["train"]
    assert first > 0
    with counter.timing("train"):
        sum(range(300_000))
    assert counter.hook_seconds["train"] > first


def test_what_is_not_finite_is_far():
    one = torch.ones(3)
    assert distance(one, one) == 0
    assert distance(one, one * float("nan")) == distance(one, one / 0) == FAR
