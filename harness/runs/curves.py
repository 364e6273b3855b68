"""TensorBoard's event files beside a run, written here by hand: a curve for each seed.

The format is small (TFRecord frames around protobuf messages of two levels), and TensorBoard's own
writer imports packages that a run does not need. A test reads the files with the real TensorBoard.

    tensorboard --logdir runs/robot/MyIdea
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.protocol.row import Row
from harness.sandbox.files import ANSWER_FILE
from harness.worker.jobs import Answer
from toolkit.core import atomic
from toolkit.core.settings import REFERENCE_NAME

FOLDER = "tensorboard"
LOSS = "train/loss"
# Figures of the trusted scorer, one point each after the last step.
SCORES = ("gain", "overfit_gap", "drift")

_POLYNOMIAL = 0x82F63B78  # CRC-32C, Castagnoli, reflected


def write_event_files(
    folder: Path, row: Row, own: Sequence[Path], reference: Sequence[Path]
) -> None:
    """Write ``tensorboard/<who>-seed-<n>/`` in a run's folder, anew.

    Args:
        folder: Of the run.
        row: Its outcome; the scorer's figures are in it.
        own: The folders in which the contribution was trained, one per seed.
        reference: The same for the reference; empty when it is the contribution itself.
    """
    target = folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    end_s = row.created_at.timestamp()
    scores = {score.seed: score for score in row.scores}
    for who, folders in ((row.contribution, own), (REFERENCE_NAME, reference)):
        for seed, losses in _losses(folders).items():
            figures: dict[str, float] = {}
            if seed in scores:
                mine = who == row.contribution
                one = scores[seed].own if mine else scores[seed].reference
                figures = {f"score/{name}": float(getattr(one, name)) for name in SCORES}
            seconds = row.costs.train_seconds if row.costs else 0.0
            file = target / f"{who}-seed-{seed}" / f"events.out.tfevents.{int(end_s)}.hub"
            atomic.write_bytes(file, event_file(losses, figures, end_s=end_s, seconds=seconds))


def _losses(folders: Iterable[Path]) -> Mapping[int, Sequence[float]]:
    """Return the training losses of each seed; nothing of a training that did not end."""
    found: dict[int, Sequence[float]] = {}
    for folder in folders:
        path = folder / ANSWER_FILE
        if path.is_file():
            try:
                answer = Answer.model_validate_json(path.read_bytes())
            except ValueError:
                continue  # of another version of the hub, or a stranger's: the row says so
            if answer.trained is not None:
                found[answer.trained.seed] = answer.trained.losses
    return found


def event_file(
    losses: Sequence[float], figures: Mapping[str, float], *, end_s: float, seconds: float
) -> bytes:
    """Return the bytes of one event file.

    Args:
        losses: One per step, the first is step 1.
        figures: Tag -> value, shown at the last step.
        end_s: When the run ended, Unix time.
        seconds: How long the training took. Steps are spread evenly over it: the harness measures
            a training, not each of its steps.
    """
    steps = len(losses)
    start_s = end_s - seconds
    parts = [_frame(_double(1, start_s) + _bytes(3, b"brain.Event:2"))]
    for step, loss in enumerate(losses, start=1):
        parts.append(_frame(_scalar(LOSS, loss, step, start_s + seconds * step / steps)))
    parts += [_frame(_scalar(tag, value, steps, end_s)) for tag, value in figures.items()]
    return b"".join(parts)


def _scalar(tag: str, value: float, step: int, wall_time_s: float) -> bytes:
    """Return an Event with one simple value."""
    one = _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", _as_float32(value))
    return _double(1, wall_time_s) + b"\x10" + _varint(step) + _bytes(5, _bytes(1, one))


def _as_float32(value: float) -> float:
    """Return what fits into four bytes: a loss that ran away is shown as infinite."""
    try:
        struct.pack("<f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return value


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Return protobuf's variable-length integer: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _frame(data: bytes) -> bytes:
    """Return a TFRecord: length, its check sum, data, its check sum."""
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


def _table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of some bytes; a run has so few that a loop is fast enough."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def _masked_crc(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)
