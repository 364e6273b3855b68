"""Which pictures stand side by side: heading and one file per prompt of the track."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

from harness.runs.steps.attempt import Attempt
from harness.sandbox.files import ANSWER_FILE
from harness.scoring.jobs import ScoreAnswer
from harness.worker.jobs import picture_file

Columns = list[tuple[str, list[Path]]]

TRAINED_ON = "trained on"
OWN = "its own generate"


def picture_columns(attempt: Attempt) -> Columns:
    """List the columns: a training picture, base, reference, contribution, its own generate.

    What was not drawn (an unmergeable adapter has nothing that the trusted sampler could draw) has
    no column.
    """
    count = len(attempt.track.file.prompts)
    train = sorted((attempt.track.train_dir / "Images").iterdir())
    columns: Columns = [(TRAINED_ON, list(islice(cycle(train), count)))]
    seed = attempt.seeds[0]
    scored = scored_pictures(attempt.scoring(seed, of_reference=True))
    columns += list((scored | scored_pictures(attempt.scoring(seed))).items())
    drawn = attempt.training(seed)
    columns.append((OWN, [picture_file(drawn, number) for number in range(count)]))
    return columns


def scored_pictures(folder: Path) -> dict[str, list[Path]]:
    """Return what the trusted sampler drew in one scoring: label -> one file per prompt."""
    answer = ScoreAnswer.model_validate_json((folder / ANSWER_FILE).read_bytes())
    return {label: [folder / name for name in names] for label, names in answer.pictures.items()}
