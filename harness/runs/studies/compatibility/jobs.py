"""What the matrix's child is asked and answers, and what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.contributions.record import Contribution
from toolkit.core.record import Record
from toolkit.core.settings import HookName

OUTCOMES_FILE = "outcomes.jsonl"

State = Literal["works", "refused", "fails"]


class Cell(Record):
    """One pair: a recipe of the reference's hooks but two."""

    rows: HookName
    columns: HookName
    row: str = Field(description="whose hook of the row's kind")
    column: str = Field(description="whose hook of the column's kind")
    key: str = Field(description="digest of the recipe: its parts' code, settings, the reference")


class Outcome(Record):
    """What became of a cell."""

    cell: Cell
    state: State = Field(description="refused: with a reason, before the first step")
    reason: str = Field(default="", description="the reason")


class Try(Record):
    """One cell with the recipe that it stands for."""

    cell: Cell
    recipe: Contribution


class MatrixJob(Record):
    """Try recipes one after the other, in one process."""

    tries: tuple[Try, ...]
    reference: Contribution
    base_model: str = Field(description="folder of the embedded base, absolute")
    data_dir: Path = Field(description="folder with pictures of several shapes")
    out: Path
    limit_s: float = Field(default=60.0, gt=0, description="wall time of one try, seconds")


class Line(Record):
    """One line of the child's file: a try begins, or has ended."""

    number: int
    state: State | None = None
    reason: str = ""
