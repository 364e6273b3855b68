"""What the hub asks of a make_dataset hook, and what it hands it."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from harness import paths
from harness.contributions import registry
from harness.errors import HookResultError
from harness.protocol.track import load_track
from harness.runs.key import run_key
from harness.worker.returned import check_dataset
from tests.harness.worker.test_worker import quickest, run
from toolkit.core.settings import DatasetConfig, DatasetSettings


def items(*shape):
    return [(torch.zeros(shape), "a robot")]


def test_the_hook_is_handed_the_settings_of_its_contribution(random_base, tmp_path):
    outcome = run("SaysItsConfig", random_base, tmp_path / "out", kind=quickest("SaysItsConfig"))
    assert outcome.error.kind == "HookError"
    expected = DatasetConfig(
        repeats=3,
        flip=True,
        shuffle_captions=True,
        keep_tokens=1,
        trigger_word="sks robot",
        buckets=True,
        seed=0,
    )
    assert f"handed {expected!r}" in outcome.error.what


@pytest.mark.parametrize("shape", [(3, 48, 80), (3, 64, 64), (3, 128, 32)])
def test_other_shapes_are_taken_when_there_are_buckets(shape):
    check_dataset(items(*shape), 64, True, "here")
    if shape != (3, 64, 64):
        with pytest.raises(HookResultError, match=r"shape \(3, 64, 64\)"):
            check_dataset(items(*shape), 64, False, "here")


@pytest.mark.parametrize("shape", [(3, 72, 72), (3, 60, 64), (3, 24, 128), (1, 64, 64), (64, 64)])
def test_what_is_no_bucket_is_refused(shape):
    with pytest.raises(HookResultError, match="whole steps of 8 pixels, at most 64²"):
        check_dataset(items(*shape), 64, True, "here")


@pytest.mark.parametrize("buckets", [True, False])
def test_what_is_no_tensor_is_refused(buckets):
    with pytest.raises(HookResultError, match="pixel_values is str"):
        check_dataset([("x", "a robot")], 64, buckets, "here")


@pytest.mark.parametrize(
    "wrong", [{"repeats": 0}, {"keep_tokens": -1}, {"trigger_word": "a, b"}, {"trigger_word": " a"}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DatasetSettings(**wrong)


def test_a_run_key_changes_with_the_libraries_that_a_hook_may_import(monkeypatch, tmp_path):
    track, reference = load_track("robot"), registry.load_reference()
    keys = {run_key(reference, reference, track, (0,), "cpu")}
    for library in paths.LIBRARIES:
        (tmp_path / "toolkit" / library).mkdir(parents=True)
    (tmp_path / "harness").symlink_to(paths.ROOT / "harness")
    for room in ("core", "deltas", "images"):
        (tmp_path / "toolkit" / room).symlink_to(paths.ROOT / "toolkit" / room)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "TOOLKIT", tmp_path / "toolkit")
    for library in paths.LIBRARIES:
        (tmp_path / "toolkit" / library / "new.py").write_text("X = 1\n")
        keys.add(run_key(reference, reference, track, (0,), "cpu"))
    assert len(keys) == 1 + len(paths.LIBRARIES)
