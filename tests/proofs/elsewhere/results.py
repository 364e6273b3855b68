"""What was found: in the committed file, and the source of the page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Ran(BaseModel):
    """A program, and whether it was there."""

    name: str
    version: str
    there: bool


class Consumed(BaseModel):
    """What a program made of one of our files.

    Args:
        errors: Strength -> largest relative difference of a layer that the program changed.
        used: How many of the file's tensors the program took.
        skipped: Layers of the file that it left as they were.
    """

    what: str
    program: str
    form: str
    outcome: Literal["same", "differs", "fails", "refused"]
    keys: int = 0
    used: int = 0
    skipped: int = 0
    skipped_first: str = ""
    errors: dict[str, float] = Field(default_factory=dict)
    said: str = ""


class Produced(BaseModel):
    """What the hub made of another trainer's file."""

    name: str
    outcome: Literal["same", "differs", "fails", "refused"]
    kind: str = ""
    layers: int = 0
    error: float | None = None
    said: str = ""


class Elsewhere(BaseModel):
    """Everything."""

    programs: list[Ran]
    consumed: list[Consumed]
    produced: list[Produced]
