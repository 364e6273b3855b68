"""The finetune job: your own pictures, one long run with a contribution's hooks."""

from __future__ import annotations

import errno
import importlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from harness.errors import HookError
from harness.sandbox.events import EventWriter
from harness.worker.fresh_copy import seed_everything
from harness.worker.hooks import Hooks, load_hooks
from harness.worker.jobs import ADAPTER_FILE, DELTA_FILE, Answer, FinetuneJob
from harness.worker.noting import noting, unread
from harness.worker.returned import check_adapter, check_dataset, check_pictures, check_train_result
from harness.worker.save_adapter import find_deltas, save_adapter
from toolkit.base_models.device import pick_device
from toolkit.base_models.identity import base_hash
from toolkit.base_models.load import load_pipeline
from toolkit.core.errors import EnvironmentFault, HubError
from toolkit.core.settings import GenerateConfig, HookName
from toolkit.deltas.file import write_delta
from toolkit.lora_files import adapters
from toolkit.training_runs import memory
from toolkit.training_runs.line import Line
from toolkit.training_runs.run import Run, Stopped, announce
from toolkit.training_runs.validation import split_dataset

LORA_FILE = "lora.safetensors"
EARLY = 2  # steps after which the user hears of options that nothing has read


class EventDisplay:
    """Shows a run's progress to the parent, and keeps every sentence in the log.

    Args:
        events: To the parent.
        steps: Of the whole run.
        idle: What to say, after the first steps, about options that nothing has read.
    """

    def __init__(self, events: EventWriter, steps: int, idle: Callable[[], Sequence[str]]) -> None:
        self._events, self._steps, self._done = events, steps, 0
        self._line = Line(steps)
        self._idle, self._shown = idle, 0

    def start(self, done: int) -> None:
        """Hear how many steps were done before."""
        self._line.start(done)
        self._done = done

    def show(self, step: int, loss: float, memory: int) -> None:
        """Send a finished step."""
        self._done = step
        self._events.phase(self._line.text(step, loss, memory), step / self._steps)
        self._shown += 1
        if self._shown == EARLY:  # by now whatever a step reads has been read
            for sentence in self._idle():
                self.say(sentence)

    def say(self, sentence: str) -> None:
        """Send a sentence."""
        print(sentence, flush=True)
        self._events.phase(sentence, self._done / self._steps)


def run_finetune_job(job: FinetuneJob, events: EventWriter) -> Answer:
    """Train, draw samples, write the adapter in every form there is for it.

    Raises:
        HubError: A hook failed, its result is wrong, or memory ran out.
    """
    plan, hooks = job.plan, load_hooks(job.contribution, job.reference)
    if job.previous:
        shutil.copytree(job.previous, job.out, dirs_exist_ok=True, ignore=only_the_run)
    seed_everything(plan.train.seed)
    events.phase("loading the base", 0.0)
    device = pick_device(job.device if job.device_typed else None)
    pipeline = load_pipeline(job.base_model)
    base_sha256 = base_hash(pipeline)
    pipeline.to(device)
    settings: dict[HookName, tuple[Any, set[str]]] = {
        "make_dataset": noting(plan.dataset),
        "make_lora": noting(plan.lora),
        "train": noting(plan.train),
    }
    dataset = hooks.call(
        "make_dataset",
        data_dir=job.pictures,
        resolution=plan.resolution,
        config=settings["make_dataset"][0],
    )
    where = hooks.origins["make_dataset"].path
    with hooks.blaming("make_dataset"):
        check_dataset(dataset, plan.resolution, plan.dataset.buckets, where)
    adapter = hooks.call("make_lora", pipeline=pipeline, config=settings["make_lora"][0])
    check_adapter(adapter, hooks.origins["make_lora"].path)
    seen, grid = split_dataset(dataset, plan.validation_share, plan.train.seed)

    def draw(prompts: Sequence[str], config: GenerateConfig) -> Any:
        pictures = hooks.call(
            "generate", pipeline=pipeline, adapter=adapter, prompts=list(prompts), config=config
        )
        size = (config.width, config.height)
        return check_pictures(pictures, len(prompts), size, hooks.origins["generate"].path)

    def idle() -> list[str]:
        return [
            sentence
            for hook, (_, read) in settings.items()
            for sentence in unread(
                job.typed.get(hook, {}), read, hooks.origins[hook].file.name, hook
            )
        ]

    display = EventDisplay(events, plan.train.steps, idle)
    announce(plan, pipeline, adapter, display.say)
    try:
        with Run(plan, job.out, pipeline, adapter, grid, draw, display, job.stop_file) as run:
            result = hooks.call(
                "train",
                pipeline=pipeline,
                dataset=seen,
                adapter=adapter,
                config=settings["train"][0],
                reporter=run,
            )
            check_train_result(result, plan.train.steps, hooks.origins["train"].path)
            run.finish()
    except Stopped as stop:
        return Answer(stopped=str(stop))
    except HookError as error:
        if error.__cause__ is not None and memory.is_out_of_memory(error.__cause__):
            raise out_of_memory(job) from error
        if error.__cause__ is not None and no_room(error.__cause__):
            raise EnvironmentFault(
                "The disk is full, so the training could not keep its state: No space left.",
                where=str(job.out),
                fix="Free space (nox -s clean) and go on: what was kept before is whole.",
            ) from error
        raise
    notes = plan.notes(pipeline, base_sha256, seen)
    written = write_files(job, hooks, pipeline, adapter, notes)
    return Answer(notes=(*idle(), *written))


def only_the_run(folder: str, names: list[str]) -> set[str]:
    """Leave the previous job's own files behind when its run is copied."""
    return {
        name
        for name in names
        if name in ("job.json", "answer.json", "tmp", "stop", "log.txt")
        or name.startswith(("events", "spent"))
    }


def no_room(error: BaseException) -> bool:
    """Tell whether a file could not be written because a disk, a quota or a limit is full."""
    # safetensors hands the number over in its text only.
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return any(
        getattr(error, "errno", None) == number or f"(os error {number})" in str(error)
        for number in full
    )


def out_of_memory(job: FinetuneJob) -> HubError:
    """Name the next thing to try."""
    on_card = job.device.startswith("cuda")
    advice = memory.next_thing_to_try(job.plan.train, job.plan.resolution, on_card=on_card)
    return EnvironmentFault("Training ran out of memory.", fix=f"Try {advice}.")


def write_files(
    job: FinetuneJob, hooks: Hooks, pipeline: Any, adapter: nn.Module, notes: dict[str, str]
) -> tuple[str, ...]:
    """Write the adapter's own weights, and a form that needs none of its code.

    The reference's LoRA goes into kohya's format, which other programs load. Of any other adapter,
    a method of a library through the reference's hook among them, the change of the base's weights
    is written.
    """
    header = job.contribution.header
    save_adapter(adapter, job.out / ADAPTER_FILE, header)
    package = job.reference.module.rpartition(".")[0]
    is_reference = hooks.origins["make_lora"].path == job.reference.path
    lora = importlib.import_module(f"{package}.lora")
    if is_reference and all(isinstance(one, lora.LoRALayer) for one in adapter.children()):
        adapters.save_adapter(adapter, job.out / LORA_FILE, {**notes, **header})
        return (f"{LORA_FILE} loads in diffusers, A1111 and ComfyUI.",)
    try:
        deltas = find_deltas(job, load_pipeline(job.base_model).to(pipeline.unet.device), pipeline)
    except HubError as error:
        return (f"No {DELTA_FILE}: {error.what}",)
    write_delta(job.out / DELTA_FILE, deltas, header)
    return (f"{DELTA_FILE} holds what changed in the base's weights, for any program.",)
