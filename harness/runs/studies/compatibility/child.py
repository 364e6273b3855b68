"""The matrix's child: tries recipes at toy budget, and writes each outcome at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.contributions.record import Contribution
from harness.errors import HookError, MixError
from harness.gate.components import PIXELS, Workshop
from harness.gate.experiments.context import Recorder
from harness.gate.places import Finder
from harness.gate.spies import Spy
from harness.gate.worker import watchdog
from harness.runs.studies.compatibility.jobs import OUTCOMES_FILE, Line, MatrixJob, State
from harness.sandbox.files import ANSWER_FILE
from harness.worker.fresh_copy import seed_everything
from harness.worker.hooks import Hooks, load_hooks
from harness.worker.jobs import Answer
from harness.worker.returned import check_adapter, check_dataset, check_pictures, check_train_result
from toolkit.core import atomic
from toolkit.core.errors import HubError, describe
from toolkit.core.settings import DatasetConfig, GenerateConfig, LoraConfig, TrainConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import nn

STEPS = 2


def main(job_file: Path) -> None:
    """Read the job and try everything in it."""
    job = MatrixJob.model_validate_json(job_file.read_bytes())
    with (job.out / OUTCOMES_FILE).open("a", encoding="utf-8", buffering=1) as file:
        for number, one in enumerate(job.tries):
            file.write(Line(number=number).model_dump_json() + "\n")
            with watchdog(job.limit_s):
                line = tried(number, one.recipe, one.cell.columns == "generate", job)
            file.write(line.model_dump_json() + "\n")
    atomic.write_text(job.out / ANSWER_FILE, Answer().model_dump_json())


def tried(number: int, recipe: Contribution, drawing: bool, job: MatrixJob) -> Line:
    """Try one recipe; whatever it raises is the outcome."""
    reporter = Recorder()
    try:
        hooks = load_hooks(recipe, job.reference)
        use(hooks, recipe, drawing, job.data_dir, reporter)
    except MixError as error:
        return Line(number=number, state="refused", reason=error.what)
    except HubError as error:
        # A ValueError of its own, before the first step, is a reason and no accident.
        meant = isinstance(error, HookError) and isinstance(error.__cause__, ValueError)
        state: State = "refused" if meant and not reporter.numbers else "fails"
        return Line(number=number, state=state, reason=f"{error.what} ({error.where})")
    except Exception as error:
        return Line(number=number, state="fails", reason=describe(error))
    return Line(number=number, state="works")


def attached(hooks: Hooks, config: LoraConfig) -> tuple[StableDiffusionPipeline, nn.Module]:
    """Attach the adapter to a tiny model, or to the embedded base where it needs more channels.

    Raises:
        HubError: It fits into neither.
    """
    workshop = Workshop.shared()
    pipeline = workshop.tiny(Spy(Finder(hooks)))
    try:
        return pipeline, hooks.call("make_lora", pipeline=pipeline, config=config)
    except HookError:
        pipeline = workshop.real()
        return pipeline, hooks.call("make_lora", pipeline=pipeline, config=config)


def use(
    hooks: Hooks, recipe: Contribution, drawing: bool, data_dir: Path, reporter: Recorder
) -> None:
    """Build data set and adapter, then train two steps or draw one picture, on a tiny model.

    Raises:
        HubError: A hook raised, or returned something that the contract does not allow.
    """
    settings = recipe.file.settings
    seed_everything(0)
    dataset_config = DatasetConfig(**settings.dataset.model_dump(), seed=0)
    dataset = hooks.call(
        "make_dataset", data_dir=data_dir, resolution=PIXELS, config=dataset_config
    )
    with hooks.blaming("make_dataset"):
        check_dataset(dataset, PIXELS, dataset_config.buckets, hooks.place("make_dataset"))
    pipeline, adapter = attached(hooks, settings.lora)
    check_adapter(adapter, hooks.place("make_lora"))
    if drawing:
        sampling = settings.generate.model_dump() | {"num_inference_steps": STEPS}
        config = GenerateConfig(**sampling, height=PIXELS, width=PIXELS, seed=0)
        drawn = hooks.call(
            "generate", pipeline=pipeline, adapter=adapter, prompts=["a robot"], config=config
        )
        check_pictures(drawn, 1, (PIXELS, PIXELS), hooks.place("generate"))
        return
    result = hooks.call(
        "train",
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=TrainConfig(**settings.train.model_dump(), steps=STEPS, batch_size=2, seed=0),
        reporter=reporter,
    )
    check_train_result(result, STEPS, hooks.place("train"))
