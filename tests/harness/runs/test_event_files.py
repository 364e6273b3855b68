"""TensorBoard's files beside a run: true to the format, and readable by the real TensorBoard."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.runs.curves import FOLDER, LOSS, crc32c, event_file, write_event_files
from harness.sandbox.files import ANSWER_FILE
from harness.worker.jobs import Answer, SeedOutcome
from tests.harness.support import example_row
from toolkit.core import atomic


def train_folder(path, losses_by_seed):
    outcomes = tuple(
        SeedOutcome(
            seed=seed, losses=losses, trainable_parameters=1, changed_modules=1, merge_error=0.0
        )
        for seed, losses in losses_by_seed.items()
    )
    path.mkdir(parents=True)
    atomic.write_text(path / ANSWER_FILE, Answer(seeds=outcomes).model_dump_json())
    return path


def records(data):
    """Take the frames apart, and check their sums as TensorBoard does."""
    place = 0
    while place < len(data):
        length, check = struct.unpack_from("<QI", data, place)
        assert check == masked(data[place : place + 8])
        body = data[place + 12 : place + 12 + length]
        (check,) = struct.unpack_from("<I", data, place + 12 + length)
        assert check == masked(body)
        yield body
        place += 16 + length


def masked(data):
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_check_sum_is_the_one_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, and every table of CRCs
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_a_file_begins_with_its_version_and_has_a_record_a_step():
    bodies = list(records(event_file([0.5, 0.25], {"score/gain": 0.3}, end_s=100.0, seconds=10.0)))
    assert b"brain.Event:2" in bodies[0]
    assert [LOSS.encode() in body for body in bodies] == [False, True, True, False]
    assert struct.unpack_from("<d", bodies[1], 1)[0] == 95.0
    # What TensorBoard's own writer makes of add_scalar("a", 0.5, 300, walltime=2.0).
    from harness.runs.curves import _scalar

    assert _scalar("a", 0.5, 300, 2.0).hex() == GOLDEN


GOLDEN = "09000000000000004010ac022a0a0a080a016115" + "0000003f"


@settings(max_examples=40)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_any_loss_makes_a_whole_file(losses):
    assert len(list(records(event_file(losses, {}, end_s=1.0, seconds=0.0)))) == 1 + len(losses)


def test_a_run_has_a_curve_for_each_seed_of_both_and_old_ones_go(tmp_path):
    row = example_row()
    own = train_folder(tmp_path / "train", {0: (0.5, 0.4), 1: (0.6, 0.5)})
    reference = train_folder(tmp_path / "reference", {0: (0.7, 0.6)})
    (tmp_path / FOLDER / "of-an-earlier-run").mkdir(parents=True)
    write_event_files(tmp_path, row, [own], [reference])
    name = row.contribution
    folders = {path.name for path in (tmp_path / FOLDER).iterdir()}
    assert folders == {f"{name}-seed-0", f"{name}-seed-1", "reference-seed-0"}


def test_a_training_that_never_ended_leaves_none(tmp_path):
    (tmp_path / "train").mkdir()
    write_event_files(tmp_path, example_row(), [tmp_path / "train"], [])
    assert not (tmp_path / FOLDER).exists()
    (tmp_path / "train" / ANSWER_FILE).write_text('{"seeds": "many"}', encoding="utf-8")
    write_event_files(tmp_path, example_row(), [tmp_path / "train"], [])
    assert not (tmp_path / FOLDER).exists()


def test_the_real_tensorboard_reads_them(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is optional and not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    row = example_row()
    own = train_folder(tmp_path / "train", {row.scores[0].seed: (0.5, 0.4, 0.3)})
    write_event_files(tmp_path, row, [own], [])
    (folder,) = (tmp_path / FOLDER).iterdir()
    events = EventAccumulator(str(folder)).Reload()
    losses = events.Scalars(LOSS)
    assert [point.step for point in losses] == [1, 2, 3]
    assert [round(point.value, 6) for point in losses] == [0.5, 0.4, 0.3]
    assert losses[-1].wall_time == row.created_at.timestamp()
    assert events.Scalars("score/gain")[0].value == pytest.approx(row.scores[0].own.gain)
