"""What is kept of a watched training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from harness.gate.experiments.context import Recorder
from harness.gate.profile.training_watch import Cards, LevelEncoder, Watch
from toolkit.core.settings import TrainConfig


class Reports(Recorder):
    """The reporter of a watched training.

    Args:
        watch: Hears of each step.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def step(self, step: int, loss: float) -> None:
        """Note one finished step."""
        super().step(step, loss)
        self.watch.reported()


@dataclass
class Trace:
    """One watched training."""

    config: TrainConfig
    watch: Watch
    encoder: LevelEncoder
    cards: Cards
    losses: tuple[float, ...]
    reports: Reports
    moved_share: float  # of the adapter's tensors
    returned: list[Tensor]  # the watched tensors
    generators: str  # which of the process's it left moved
    state_before: dict[str, str]
    state_after: dict[str, str]
    trains_text: bool  # whether the adapter has a part in the text encoder
    untokenized: bool  # whether the text encoder was given words
    captions: list[tuple[int, ...]]  # the tokens of the captions, the empty one last
    encoded: list[tuple[int, ...]]  # the tokens of each text that the loop had encoded
    texts: Tensor  # (8, S, D) what the text encoder makes of the captions, the empty one last


@dataclass
class TrainingTraces:
    """What is measured."""

    long: Trace
    spread: Trace
    backwards: Trace
    other_seed: Trace
    again: Trace | None  # in the first one's state of the process's generators
    velocity: Trace | None  # on a base that predicts the velocity; None where it was refused
