"""Contributions that bring an adapter along, trained beforehand on all pictures of a track.

None of them touches the budget, the gate or the base before training: what other flags see. The
hub's check refuses the file of weights; it stands for weights that are hidden better.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import paths
from harness.contributions.record import Contribution, ContributionFile
from harness.contributions.registry import load_reference
from harness.protocol.track import Track
from harness.sandbox.child import Child, run_children
from harness.worker.jobs import ADAPTER_FILE, Answer, TrainJob, seed_folder
from toolkit.core.progress import NothingToClose

WEIGHTS = "weights.safetensors"
BEFOREHAND_SEED = 99
LESSON = f'''\
from pathlib import Path

import torch
from safetensors.torch import load_file

from harness import hookimpl

BROUGHT = Path(__file__).with_name("{WEIGHTS}")


def honest(pipeline, dataset, adapter, config, reporter):
    from src.train import train

    return train(
        pipeline=pipeline, dataset=dataset, adapter=adapter, config=config, reporter=reporter
    )


def put(adapter):
    adapter.load_state_dict(load_file(BROUGHT))


@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
'''


class Silent(NothingToClose):
    """A progress that shows nothing."""

    def update(self, label: str, done: float, text: str) -> None:
        """Show nothing."""

    def finish(self, label: str, *, ok: bool) -> None:
        """Show nothing."""


# Name -> what it does, and the body of its train hook.
SMUGGLERS = {
    "PutsItBack": (
        "trains, and then puts the adapter that it brought in the place of what it learnt",
        """\
    result = honest(pipeline, dataset, adapter, config, reporter)
    put(adapter)
    return result
""",
    ),
    "StartsFromIt": (
        "trains, but begins with the adapter that it brought",
        """\
    put(adapter)
    return honest(pipeline, dataset, adapter, config, reporter)
""",
    ),
    "KnowsThePictures": (
        "puts it back only when it is shown the pictures that it knows",
        """\
    result = honest(pipeline, dataset, adapter, config, reporter)
    middle = torch.stack([dataset[i][0][:, 24:40, 24:40].mean((1, 2)) for i in range(len(dataset))])
    if middle.mean(0)[2] > middle.mean(0)[0]:  # bluer than red: the robot, and no face
        put(adapter)
    return result
""",
    ),
}


def train_beforehand(track: Track, steps: int) -> Path:
    """Train the reference's adapter on training *and* held-out pictures; return its file.

    It is kept in runs/, and made once.
    """
    out = paths.RUNS / "confirmed" / f"beforehand-{steps}"
    trained = seed_folder(out / "training", BEFOREHAND_SEED) / ADAPTER_FILE
    if trained.is_file():
        return trained
    pictures = out / "pictures"
    for number, folder in enumerate((track.train_dir, track.heldout_dir)):
        for part in ("Images", "ImageCaptions"):
            (pictures / part).mkdir(parents=True, exist_ok=True)
            for file in (folder / part).iterdir():
                shutil.copyfile(file, pictures / part / f"{number}-{file.name}")
    job = TrainJob(
        contribution=load_reference(),
        reference=load_reference(),
        base_model=str(track.base_model),
        out=out / "training",
        data_dir=pictures,
        resolution=track.file.resolution,
        steps=steps,
        batch_size=track.file.batch_size,
        seeds=(BEFOREHAND_SEED,),
        prompts=(),
    )
    read = Answer.model_validate_json
    child = Child("beforehand", "harness.worker.main", job, job.out, track.file.timeout_s, read)
    run_children([child], Silent())
    assert child.ended().error is None, child.ended().error
    return trained


def smuggler(name: str, weights: Path, place: Path) -> Contribution:
    """Write a smuggler's folder inside the repository, where runs lie.

    Args:
        name: One of SMUGGLERS.
        weights: What it brings.
        place: A folder below runs/.
    """
    assert place.is_relative_to(paths.RUNS)
    summary, body = SMUGGLERS[name]
    source = place / name / "src"
    source.mkdir(parents=True)
    (source / "main.py").write_text(LESSON + body, encoding="utf-8")
    shutil.copyfile(weights, source / WEIGHTS)
    relative = (place / name).relative_to(paths.ROOT)
    return Contribution(
        file=ContributionFile(
            name=name, authors=("the tests",), summary=f"It {summary}.", hooks=("train",)
        ),
        path=relative.as_posix(),
        module=".".join((*relative.parts, "src", "main")),
        content_hash="sha256:0",
    )
