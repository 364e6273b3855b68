"""What a sweep over learning rates trains and measures: training-side data only.

The training pictures are parted into folds, and each is held back once: seed 0 trains without the
first, seed 1 without the second, and so on. The trusted scorer measures the loss on what was held
back, on the same frozen grid as the board's. No held-out picture has a say in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.contributions.record import Contribution
from harness.runs.sweep_files import FOLDS
from toolkit.core.errors import UsageError


def split(source: Path, out: Path) -> list[tuple[str, ...]]:
    """Copy training pictures into ``out/fold-<n>/train`` and ``/heldback``.

    Picture k, in the order of names, is held back in fold k modulo FOLDS.

    Returns:
        The held-back names of each fold.

    Raises:
        UsageError: There are fewer pictures than folds.
    """
    pictures = sorted((source / "Images").iterdir())
    if len(pictures) < FOLDS:
        raise UsageError(
            f"A sweep holds back each of {FOLDS} parts of the training pictures once; there are "
            f"only {len(pictures)}.",
            where=str(source / "Images"),
            fix=f"Choose a track with at least {FOLDS} training pictures.",
        )
    for fold in range(FOLDS):
        for number, picture in enumerate(pictures):
            target = fold_folder(out, fold) / ("heldback" if number % FOLDS == fold else "train")
            for part, name in (("Images", picture.name), ("ImageCaptions", f"{picture.stem}.txt")):
                (target / part).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / part / name, target / part / name)
    return [tuple(picture.name for picture in pictures[fold::FOLDS]) for fold in range(FOLDS)]


def fold_folder(out: Path, fold: int) -> Path:
    """Return where the pictures of a fold are: ``train`` and ``heldback``."""
    return out / f"fold-{fold}"


def with_rate(contribution: Contribution, rate: float) -> Contribution:
    """Return a contribution with another learning rate."""
    settings = contribution.file.settings
    train = settings.train.model_copy(update={"learning_rate": rate})
    changed = settings.model_copy(update={"train": train})
    file = contribution.file.model_copy(update={"settings": changed})
    return contribution.model_copy(update={"file": file})
