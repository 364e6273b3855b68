"""What a worker hands over is looked at whole: only what fits the job comes through, in no time."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import paths
from harness.contributions.registry import load_reference
from harness.protocol.row_files import SIZE_LIMIT, read_row, write_row
from harness.runs.steps.answers import LARGEST_LOSS, read_remaking, read_training
from harness.runs.steps.rows import MOST_LOSSES, thinned
from harness.sandbox.events import clean_json
from harness.worker.jobs import (
    ADAPTER_FILE,
    DELTA_FILE,
    RemakeJob,
    TrainJob,
    picture_file,
    seed_folder,
)
from tests.harness.support import example_row
from toolkit.core.errors import ResultFileError

STEPS = 3
WATCHED = {
    "steps": 3, "calls": 3, "trained_pictures": 6, "other_pictures": 0, "outside": 0,
    "rates": [0.1, 0.1], "attached": 0.0,
}  # fmt: skip
SEED = {
    "seed": 0, "losses": [0.1] * STEPS, "trainable_parameters": 1, "changed_modules": 1,
    "merge_error": 0.0, "watched": WATCHED,
}  # fmt: skip


def job(out: Path) -> TrainJob:
    reference = load_reference()
    return TrainJob(
        contribution=reference,
        reference=reference,
        base_model=str(paths.ROOT / "models" / "tiny-sd"),
        out=out,
        data_dir=out,
        resolution=64,
        steps=STEPS,
        batch_size=2,
        seeds=(0,),
        prompts=(),
        scored=True,
    )


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> Path:
    """What a good training leaves."""
    out = tmp_path_factory.mktemp("out")
    folder = seed_folder(out, 0)
    folder.mkdir()
    for name in (ADAPTER_FILE, DELTA_FILE):
        (folder / name).write_bytes(b"weights")
    return out


def answer(**changes: object) -> bytes:
    return clean_json(json.dumps({"seeds": [{**SEED, **changes}]}).encode())


def test_a_good_answer_comes_through(left):
    assert read_training(job(left), answer()).seeds[0].losses == (0.1,) * STEPS


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, 1e12])
def test_the_time_of_a_hook_is_in_range_or_refused(left, seconds):
    watched = {**SEED["watched"], "hook_seconds": {"train": seconds}}
    with pytest.raises(ValueError, match="hook"):
        read_training(job(left), answer(watched=watched))


NUMBERS = st.floats() | st.integers() | st.none() | st.text() | st.lists(st.floats(), max_size=4)


@given(
    name=st.sampled_from([*SEED, "unmergeable", "more"]),
    value=NUMBERS | st.lists(NUMBERS, max_size=5),
)
@example(name="merge_error", value=-1)
@example(name="merge_error", value=math.nan)
@example(name="losses", value=[0.1] * 150_000)
@example(name="losses", value=[0.1, 0.1, math.nan])
@example(name="losses", value=[0.1, 0.1, 1e300])
@example(name="trainable_parameters", value=0)
@example(name="trainable_parameters", value=10**400)
@example(name="watched", value=None)
@example(name="seed", value=1)
@example(name="unmergeable", value="there is a delta all the same")
def test_whatever_one_field_says_it_is_in_range_or_refused_with_a_sentence(left, name, value):
    began = time.process_time()
    try:
        told = read_training(job(left), answer(**{name: value}))
    except ValueError as error:
        assert str(error)
    else:
        (one,) = told.seeds
        assert one.seed == 0
        assert len(one.losses) == STEPS
        assert all(abs(loss) <= LARGEST_LOSS for loss in one.losses)
        assert 0 <= one.merge_error <= 1e-3
        assert one.trainable_parameters >= 1
        assert one.unmergeable is None
        assert one.watched is not None
    assert time.process_time() - began < 5


@given(st.recursive(NUMBERS, lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_any_json_is_refused_or_an_answer(left, value):
    with pytest.raises(ValueError):
        read_training(job(left), json.dumps({"seeds": value or [{}]}).encode())


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_a_training_answers_for_the_seeds_that_were_asked_for_and_no_others(left, count):
    seeds = [{**SEED, "seed": seed + (count == 1)} for seed in range(count)]
    with pytest.raises(ValueError, match="asked for were"):
        read_training(job(left), json.dumps({"seeds": seeds}).encode())


def no_file(path: Path) -> None:
    path.unlink()


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def nothing_in_it(path: Path) -> None:
    path.write_bytes(b"")


def far_too_much(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


FAULTS = (no_file, a_link, a_pipe, a_folder, nothing_in_it, far_too_much)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", [ADAPTER_FILE, DELTA_FILE, "own-0.png"])
def test_a_file_that_is_missing_or_none_is_refused(tmp_path, name, fault):
    folder = seed_folder(tmp_path, 0)
    folder.mkdir()
    for file in (ADAPTER_FILE, DELTA_FILE, "own-0.png"):
        (folder / file).write_bytes(b"data")
    fault(folder / name)
    asked = job(tmp_path)
    with pytest.raises(ValueError, match=name):
        if name == "own-0.png":
            common = asked.model_dump(include={"contribution", "reference", "base_model", "out"})
            remake = RemakeJob(
                **common, seeds=(0,), adapters=(folder / ADAPTER_FILE,), unmergeable=(),
                drawn=(0,), prompts=("a robot",), resolution=64,
            )  # fmt: skip
            assert picture_file(folder, 0).name == name
            read_remaking(remake, b"{}")
        else:
            read_training(asked, answer())


def test_the_reader_accepts_what_the_writer_wrote_however_long_the_training(tmp_path):
    losses = thinned([0.123456789 + step / 1e6 for step in range(150_000)])
    assert len(losses) <= MOST_LOSSES
    row = example_row(losses=losses)
    write_row(tmp_path / "row.json", row)
    assert read_row(tmp_path / "row.json") == row
    assert thinned([1.0, 2.0]) == (1.0, 2.0)


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    row = example_row(losses=(0.123456789,) * (SIZE_LIMIT // 10))
    with pytest.raises(ResultFileError, match="a row has at most"):
        write_row(tmp_path / "row.json", row)
    assert not (tmp_path / "row.json").exists()
