"""Old versions of the reference that train to the same bits as today's: their rows go on counting.

A row says which reference it was measured against, by the hash of ``src/``. When ``src/`` is
written anew without another number coming out, ``leaderboard/equal_references.json`` says so, and
how it was shown. ``nox -s verify -- reference`` shows it again; ``--write`` writes it down.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from harness import paths
from harness.protocol.figures import SeedScores
from harness.protocol.row import Machine, Row
from toolkit.core import atomic
from toolkit.core.errors import ResultFileError
from toolkit.core.record import Record

FILE_NAME = "equal_references.json"


class Shown(Record):
    """What was trained anew on one track and came out equal, to the last digit."""

    track: str
    protocol_hash: str
    seeds: tuple[int, ...] = Field(min_length=1)
    steps: int = Field(ge=1, description="optimiser steps of each seed")
    losses: str = Field(description="sha256 over the losses of all steps of the first seed")
    figures: str = Field(description="sha256 over the scorer's figures of all these seeds")
    deltas: dict[int, str] = Field(
        description="seed -> sha256 over the tensors of delta.safetensors, of the new reference; "
        "rows keep no deltas of the old one"
    )
    machine: Machine


class Equality(Record):
    """One old reference, and the newer one that trains to the same bits."""

    old: str = Field(description="reference_hash of the rows that go on counting")
    new: str = Field(description="reference_hash of the version that was shown to be equal")
    shown: tuple[Shown, ...] = Field(min_length=1, description="one per track")
    created_at: datetime


class Equalities(Record):
    """The whole file."""

    schema_version: Literal[1] = 1
    equal: tuple[Equality, ...] = ()


def file_path() -> Path:
    """Return where the statements are kept."""
    return paths.RESULTS.parent / FILE_NAME


def read_equalities() -> Equalities:
    """Read the statements; without a file there are none.

    Raises:
        ResultFileError: The file is damaged.
    """
    path = file_path()
    if not path.is_file():
        return Equalities()
    try:
        return Equalities.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ResultFileError(
            f"The statements about old references are damaged: {error.errors()[0]['msg']}",
            where=str(path),
            fix="nox -s verify -- reference --write",
        ) from error


def first_equal(reference_hash: str) -> str:
    """Return the oldest version of the reference that trains to the same bits as this one."""
    older = {one.new: one.old for one in read_equalities().equal}
    seen = set()
    while reference_hash in older and reference_hash not in seen:
        seen.add(reference_hash)
        reference_hash = older[reference_hash]
    return reference_hash


def state(equality: Equality) -> None:
    """Write a statement down, in place of an older one about the same old reference."""
    others = [one for one in read_equalities().equal if one.old != equality.old]
    kept = Equalities(equal=tuple(sorted([*others, equality], key=lambda one: one.old)))
    atomic.write_text(file_path(), kept.model_dump_json(indent=1) + "\n")


def same_code(one: str, other: str) -> bool:
    """Tell whether two hashes are equal, or of references that were shown to be equal.

    Args:
        one: ``reference_hash`` of a row; or its ``content_hash``, which is the same on the
            reference's own row.
        other: That of another row, or of the folder today.
    """
    return one == other or any({e.old, e.new} == {one, other} for e in read_equalities().equal)


def losses_digest(row: Row) -> str:
    """Return a digest that differs when one loss of the first seed differs in its last digit."""
    return digest_of(list(row.losses))


def figures_digest(row: Row, seeds: tuple[int, ...]) -> str:
    """Return a digest over all that the scorer measured of these seeds; seconds are no part."""
    scores = {score.seed: score for score in row.scores}
    return digest_of([figures_of(scores[seed]) for seed in seeds])


def figures_of(score: SeedScores) -> object:
    """Return the figures of one seed that do not depend on a clock."""
    return {
        "seed": score.seed,
        "own": score.own.model_dump(mode="json"),
        "merge": score.merge_error,
    }


def digest_of(value: object) -> str:
    """Return the sha256 over the JSON of a value, in which a float has all its digits."""
    return f"sha256:{hashlib.sha256(json.dumps(value).encode()).hexdigest()}"
