"""What was found: in the committed file, and the source of the page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Base = Literal["narrow", "trained", "SD 1.4"]


class Ran(BaseModel):
    """A program, and whether it was there."""

    name: str
    version: str
    there: bool


class Consumed(BaseModel):
    """What a program made of one of our files.

    Args:
        base: The base that it was made for.
        inputs: Hashes of the contribution, of the reference, and the program's version: while they
            stay as they are, nothing is run again.
        tensors: A hash of the file's tensors.
        like: Whose file has the very same tensors, and was run: the outcome is that one's.
        errors: Strength (`two`: with a second file) -> largest relative difference of a layer that
            the program changed.
        layers: How many layers the file holds.
        used: How many of the file's tensors the program took.
        skipped: Layers of the file that it left as they were.
    """

    what: str
    program: str
    form: str
    base: Base
    outcome: Literal["same", "differs", "fails", "refused", "nothing"] = "same"
    inputs: str = ""
    tensors: str = ""
    like: str = ""
    layers: int = 0
    keys: int = 0
    used: int = 0
    skipped: int = 0
    skipped_first: str = ""
    errors: dict[str, float] = Field(default_factory=dict)
    said: str = ""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What it is about."""
        return self.base, self.what, self.program, self.form


class Made(BaseModel):
    """How a contribution's file at SD 1.4's shapes was made, or why there is none."""

    name: str
    made: str = ""
    layers: int = 0
    said: str = ""


class Named(BaseModel):
    """Which layers a program's conversion of names finds in a file of all layers.

    Args:
        layers: Of SD 1.x.
        known: How many it names as it names their weights.
        text: How many of the others are the text encoder's.
        others: The rest of them.
    """

    program: str
    form: str
    layers: int
    known: int
    text: int
    others: list[str]


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
    made: list[Made]
    named: list[Named] = Field(default_factory=list)
    consumed: list[Consumed]
    produced: list[Produced]
