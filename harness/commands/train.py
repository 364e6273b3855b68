"""``train NAME --data DIR --base BASE``: a contribution's hooks on your pictures."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import time
from pathlib import Path

import psutil
from pydantic import ValidationError
from rich.console import Console

from harness import paths
from harness.check.hook_reads import takes
from harness.commands.isolation import (
    add_isolation_arguments,
    add_limit_arguments,
    chosen_limits,
    fault_of,
    settle,
)
from harness.commands.options import add_mix_arguments
from harness.contributions import registry
from harness.contributions.dependencies import require_installed
from harness.contributions.record import Contribution
from harness.contributions.registry import load_mixed
from harness.runs.foretell import foretell
from harness.runs.pipeline import check, require_clean
from harness.sandbox.child import POLL_S, Child
from harness.sandbox.limits import GIB, Limits
from harness.worker.jobs import Answer, FinetuneJob
from toolkit.base_models.load import locate
from toolkit.core.command_line import INTERRUPTED
from toolkit.core.errors import UsageError
from toolkit.core.progress import Progress, create_progress
from toolkit.core.settings import DatasetConfig, HookName
from toolkit.core.validation import faults_of
from toolkit.picture_sets.lay_out import lay_out
from toolkit.picture_sets.layouts import read_folder
from toolkit.training_runs.checkpoints import Checkpoints, damage
from toolkit.training_runs.fields import DATASET_OPTIONS, LORA_OPTIONS, OPTION_OF, TRAIN_OPTIONS
from toolkit.training_runs.options import add_options, resolve
from toolkit.training_runs.own_folder import RESULTS, alone, clear
from toolkit.training_runs.plan import RunPlan, schedule_note
from toolkit.training_runs.presets import TINY_BELOW_PX
from toolkit.training_runs.stopping import StopRequest

LONGEST_S = 30 * 24 * 3600.0
PICTURES = "pictures-of-the-run"  # while it trains, below --out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of training are shared with ``python -m src.main``."""
    parser.add_argument("name", metavar="NAME", help="a folder in CONTRIBUTIONS/, or `reference`")
    add_options(parser)
    dry = "check pictures, base and options, print the plan, train nothing"
    parser.add_argument("--dry-run", action="store_true", help=dry)
    estimate = "as --dry-run, and measure the base: how long it will take, and how much memory"
    parser.add_argument("--estimate", action="store_true", help=estimate)
    add_mix_arguments(parser)
    add_isolation_arguments(parser)
    add_limit_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check, resolve, train in a worker, print where the files are."""
    console = Console(highlight=False)
    contribution = load_mixed(args.name, args.taken)
    require_clean(contribution.name, check(contribution))
    require_installed(contribution)
    if args.cache:
        raise UsageError(
            "A contribution's code may write only to its own folder, so --cache is not available.",
            fix="Omit it, or train the reference with python -m src.main.",
        )
    blind = reads_no_config(contribution)
    if blind is not None:
        refuse_unread(args, blind)
    out: Path = (args.out or paths.RUNS / "trained" / contribution.name).resolve()
    try:
        plan = resolve(args, contribution.name, contribution.file.settings, out)
    except ValidationError as error:
        raise UsageError(
            f"These options are not valid: {faults_of(error, OPTION_OF)}.",
            fix="python -m harness train --help lists them.",
        ) from error
    if blind is not None:
        plan = without_unread(plan, blind, console)
    console.print(plan.summary(), markup=False, soft_wrap=True)
    if args.estimate:
        device = args.device or likely_device()
        console.print(foretell(plan, device, threads_for(plan)), markup=False, soft_wrap=True)
    if args.dry_run or args.estimate:
        said = "--dry-run" if args.dry_run else "--estimate"
        console.print(f"Nothing was trained: {said}.")
        return 0
    settle(args, contribution, console)
    with alone(out):
        return train(args, contribution, plan, out, console)


def reads_no_config(contribution: Contribution) -> Contribution | None:
    """Return whose ``make_dataset`` never sees the settings about the pictures, if it is so."""
    origin = contribution.code_of("make_dataset")
    if origin is None or registry.is_reference(origin):
        return None
    return None if takes(paths.ROOT / origin.path, "make_dataset", "config") else origin


def refuse_unread(args: argparse.Namespace, origin: Contribution) -> None:
    """Refuse options about the pictures that would have no effect.

    Raises:
        UsageError: There are some; the message names them.
    """
    # The trigger word is written into the captions that every hook gets, unless they are shuffled.
    options = [name for name in DATASET_OPTIONS if name != "trigger_word" and getattr(args, name)]
    if options:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in options)
        raise UsageError(
            f"{origin.file.name}'s make_dataset takes no config: no effect of {names}.",
            where=origin.path,
            fix="Leave it out, or give the hook the parameter config and do what it says.",
        )


def without_unread(plan: RunPlan, origin: Contribution, console: Console) -> RunPlan:
    """Take what a preset says about the pictures out of a plan that would not follow it."""
    kept = DatasetConfig(seed=plan.dataset.seed, trigger_word=plan.dataset.trigger_word)
    chosen = plan.dataset
    unread = [name for name in DATASET_OPTIONS if getattr(chosen, name) != getattr(kept, name)]
    if unread:
        told = ", ".join(name.replace("_", "-") for name in unread)
        sentence = f"{origin.file.name}'s make_dataset takes no config, so without: {told}."
        console.print(sentence, markup=False, soft_wrap=True)
    return plan.model_copy(update={"dataset": kept})


def train(
    args: argparse.Namespace, contribution: Contribution, plan: RunPlan, out: Path, console: Console
) -> int:
    """Train in a worker what the plan says; return the exit code."""
    if args.fresh:
        clear(out)
    previous, folder = attempts(out, plan, console)
    found = read_folder(plan.data_dir, plan.dataset.trigger_word)
    lay_out(found.pictures, plan.dataset, out / PICTURES)
    job = FinetuneJob(
        contribution=contribution,
        reference=registry.load_reference(),
        base_model=str(locate(plan.base)),  # the worker has no network to fetch it
        device=args.device or likely_device(),
        device_typed=args.device is not None,
        pictures=out / PICTURES,
        threads=threads_for(plan),
        out=folder,
        plan=plan,
        previous=previous,
        typed=typed_options(args),
    )
    try:
        with create_progress(console) as progress:
            answer = follow(job, chosen_limits(args, generous_limits(job)), progress)
    finally:
        shutil.rmtree(out / PICTURES, ignore_errors=True)
    if answer.stopped:
        console.print(answer.stopped, markup=False, soft_wrap=True)
        return INTERRUPTED
    collect(folder, out)
    for note in answer.notes:
        console.print(note, markup=False, soft_wrap=True)
    console.print(f"Everything is in {out}", markup=False, soft_wrap=True)
    where = "" if args.out is None else f" --run {args.out}"
    line = f"Draw with it: nox -s generate -- {contribution.name}{where} --prompt ..."
    console.print(line, markup=False, soft_wrap=True)
    return 0


def typed_options(args: argparse.Namespace) -> dict[HookName, dict[str, str]]:
    """Return which options were typed, by the hook whose settings they are."""
    fields: dict[HookName, tuple[str, ...]] = {
        "make_dataset": DATASET_OPTIONS,
        "make_lora": LORA_OPTIONS,
        "train": TRAIN_OPTIONS,
    }
    return {
        hook: {
            name: f"--{name.replace('_', '-')}" for name in names if getattr(args, name) is not None
        }
        for hook, names in fields.items()
    }


def threads_for(plan: RunPlan) -> int:
    """Return how many threads a training gets on a processor."""
    # A tiny base's layers only wait for each other on more threads.
    return 1 if plan.resolution < TINY_BELOW_PX else os.cpu_count() or 1


def likely_device() -> str:
    """Guess whether there is a graphics card without importing torch; the worker verifies it."""
    return "cuda" if Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") else "cpu"


def generous_limits(job: FinetuneJob) -> Limits:
    """Return what a run on your own machine may use: nearly all of it, for a month."""
    return Limits(
        wall_s=LONGEST_S,
        cpu_s=LONGEST_S * (job.threads + 1),
        memory_bytes=psutil.virtual_memory().total,
        disk_bytes=50 * GIB,
    )


def follow(job: FinetuneJob, limits: Limits, progress: Progress) -> Answer:
    """Run the job; on the first Ctrl-C ask it to stop, on the second end it.

    Raises:
        HubError: It failed; the message says in what.
    """
    with StopRequest() as stop:
        child = Child(
            job.contribution.name,
            "harness.worker.main",
            job,
            job.out,
            limits.wall_s,
            Answer.model_validate_json,
            limits=limits,
        )
        try:
            while not child.poll(progress):
                if stop.asked and not job.stop_file.exists():
                    # The folder is the child's: a link there must not lead the hub elsewhere.
                    flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL
                    with contextlib.suppress(FileExistsError):
                        os.close(os.open(job.stop_file, flags))
                time.sleep(POLL_S)
        finally:
            child.kill()
    outcome = child.ended()
    if outcome.answer is None:
        raise fault_of(outcome)
    return outcome.answer


# --- the folders of a run -----------------------------------------------------------------------


def attempts(out: Path, plan: RunPlan, console: Console) -> tuple[Path | None, Path]:
    """Return the job folder to continue from, and the next one; useless ones are removed.

    A worker may write only to a folder that it is given empty, so each start gets a new one.

    Raises:
        UsageError: The run in ``out`` has other settings; the message says which.
    """
    previous = None
    numbered = sorted(out.glob("job-*"), reverse=True)
    for folder in numbered:
        whole = [f for f in (folder / "checkpoints").glob("step-*") if damage(f) is None]
        if whole and previous is None:
            previous = folder
        else:
            shutil.rmtree(folder)
    if previous is not None:

        def say(sentence: str) -> None:
            console.print(sentence, markup=False, soft_wrap=True)

        checkpoints = Checkpoints(previous / "checkpoints", plan.keep_checkpoints, say)
        newest = checkpoints.find(plan.identity())
        say(f"Continuing the run in {out}.")
        if newest is not None:
            done, before = checkpoints.begun(newest)
            say(f"Going on after step {done} of {plan.train.steps}.")
            if note := schedule_note(before, plan.identity(), done):
                say(note)
    last = int(previous.name.removeprefix("job-")) if previous else 0
    return previous, out / f"job-{last + 1:04d}"


def collect(folder: Path, out: Path) -> None:
    """Copy the results of a finished job to where people look for them."""
    for name in RESULTS:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    if (folder / "samples").is_dir():
        shutil.copytree(folder / "samples", out / "samples", dirs_exist_ok=True)
