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
from harness.contributions.registry import load_mixed
from harness.runs.pipeline import check, require_clean
from harness.sandbox.child import POLL_S, Child
from harness.sandbox.limits import GIB, Limits
from harness.worker.jobs import Answer, FinetuneJob
from toolkit.base_models.load import is_hub_id
from toolkit.core.command_line import INTERRUPTED
from toolkit.core.errors import UsageError
from toolkit.core.progress import Progress, create_progress
from toolkit.training_runs.checkpoints import Checkpoints, damage
from toolkit.training_runs.options import add_options, resolve
from toolkit.training_runs.plan import RunPlan
from toolkit.training_runs.presets import TINY_BELOW_PX
from toolkit.training_runs.stopping import StopRequest

LONGEST_S = 30 * 24 * 3600.0
# What a finished job leaves for people, copied out of its folder.
RESULTS = (
    *("adapter.safetensors", "lora.safetensors", "delta.safetensors"),
    *("samples.png", "log.jsonl", "plan.json"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of training are shared with ``python -m src.main``."""
    parser.add_argument("name", metavar="NAME", help="a folder in CONTRIBUTIONS/, or `reference`")
    add_options(parser)
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
    out: Path = (args.out or paths.RUNS / "trained" / contribution.name).resolve()
    fetch_base(args)
    try:
        plan = resolve(args, contribution.name, contribution.file.settings, out)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise UsageError(
            f"These options are not valid: {faults}.",
            fix="python -m harness train --help lists them.",
        ) from error
    settle(args, contribution, console)
    console.print(plan.summary(), markup=False, soft_wrap=True)
    if args.fresh:
        remove_attempts(out)
    previous, folder = attempts(out, plan, console)
    job = FinetuneJob(
        contribution=contribution,
        reference=registry.load_reference(),
        base_model=plan.base,
        device=args.device or likely_device(),
        # A tiny base's layers only wait for each other on more threads.
        threads=1 if plan.resolution < TINY_BELOW_PX else os.cpu_count() or 1,
        out=folder,
        plan=plan,
        previous=previous,
    )
    with create_progress(console) as progress:
        answer = follow(job, chosen_limits(args, generous_limits(job)), progress)
    if answer.stopped:
        console.print(answer.stopped, markup=False, soft_wrap=True)
        return INTERRUPTED
    collect(folder, out)
    for note in answer.notes:
        console.print(note, markup=False, soft_wrap=True)
    console.print(f"Everything is in {out}", markup=False, soft_wrap=True)
    return 0


def likely_device() -> str:
    """Guess whether there is a graphics card without importing torch; the worker verifies it."""
    return "cuda" if Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") else "cpu"


def fetch_base(args: argparse.Namespace) -> None:
    """Replace a Hugging Face id by the folder it is fetched to: the worker has no network."""
    if is_hub_id(args.base) and not Path(args.base).exists():
        from toolkit.base_models.hub import fetch

        args.base = str(fetch(args.base))


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

        Checkpoints(previous / "checkpoints", plan.keep_checkpoints, say).find(plan.identity())
        console.print(f"Continuing the run in {out}.", markup=False, soft_wrap=True)
    last = int(previous.name.removeprefix("job-")) if previous else 0
    return previous, out / f"job-{last + 1:04d}"


def remove_attempts(out: Path) -> None:
    """Remove what earlier runs left in a folder, and nothing else."""
    for folder in out.glob("job-*"):
        shutil.rmtree(folder)
    for name in RESULTS:
        (out / name).unlink(missing_ok=True)


def collect(folder: Path, out: Path) -> None:
    """Copy the results of a finished job to where people look for them."""
    for name in RESULTS:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    if (folder / "samples").is_dir():
        shutil.copytree(folder / "samples", out / "samples", dirs_exist_ok=True)
