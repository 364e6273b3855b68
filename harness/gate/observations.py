"""What the gate's worker tells the hub: what it saw, never what follows from it.

The worker runs a stranger's code, so it is not asked whether a probe passed. It is given one turn
after the other, each with a token that nothing could know before, and answers each with what was
observed. The hub judges (``judge.py``), and whatever comes out of turn is a forgery.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ConfigDict, Field

from harness.gate.probe import Symptom
from toolkit.core import atomic
from toolkit.core.record import Record

LOOK_S = 0.005
Number = float | str | None


class Observation(Record):
    """What was seen for one probe, or measured for one property."""

    model_config = ConfigDict(ser_json_inf_nan="constants", allow_inf_nan=True)

    probe: str
    place: str = Field(default="", description="the likeliest line, where something was noticed")
    noticed: tuple[Symptom, ...] = ()
    does_not_apply: str | None = None
    ours: dict[str, Number] = Field(default={}, description="of a property: measure -> value")
    reference: dict[str, Number] = Field(default={}, description="the same of the reference")


class Raised(Record):
    """What a hook raised in an experiment."""

    what: str
    where: str
    fix: str | None = None


class ExperimentSeen(Record):
    """One line of the worker's file: that a turn begins, or what was seen in it."""

    model_config = ConfigDict(ser_json_inf_nan="constants", allow_inf_nan=True)

    token: str = Field(description="of the turn")
    experiment: str
    finished: bool = Field(description="false in the line that says that it begins")
    observations: tuple[Observation, ...] = ()
    raised: Raised | None = None
    cpu_seconds: float = Field(default=0.0, ge=0)


class Turn(Record):
    """What the worker is to do next."""

    token: str
    experiment: str = Field(description="empty: nothing more")


def turn_file(out: Path, number: int) -> Path:
    """Return where the hub leaves a turn for the worker, counted from 0."""
    return out / f"turn-{number}.json"


def give_turn(out: Path, number: int, turn: Turn) -> None:
    """Leave a turn for the worker."""
    atomic.write_text(turn_file(out, number), turn.model_dump_json())


def turns(out: Path) -> Iterator[Turn]:
    """Yield the turns, in the worker, as the hub gives them, until there is nothing more.

    A hub that never answers ends this process: it closes its input, or a limit is reached.
    """
    number = 0
    while True:
        file = turn_file(out, number)
        while not file.exists():
            time.sleep(LOOK_S)
        turn = Turn.model_validate_json(file.read_bytes())
        if not turn.experiment:
            return
        yield turn
        number += 1
