"""``generate NAME --prompt ...``: draw with a contribution's newest trained adapter."""

from __future__ import annotations

import argparse
import os
import re
import shutil
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from harness import paths, registry
from harness.commands.contribution import DEVICES, show
from harness.commands.isolation import add_isolation_arguments, settle
from harness.errors import HubError, UsageError
from harness.pictures import open_picture, save_generated
from harness.pipeline import Options, run_contribution
from harness.progress import Progress, create_progress
from harness.records import Contribution, GenerateConfig
from harness.run_folders import newest_adapter
from harness.steps.attempt import THREADS
from harness.track import DEFAULT_TRACK, Track, load_track
from harness.worker.jobs import Answer, GenerateJob, picture_file
from harness.worker.process import Child, run_children


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; what is left out comes from the contribution's own settings."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a folder in CONTRIBUTIONS/, or `reference`")
    add("--prompt", required=True, action="append", help="what to draw; may be repeated")
    add("--seed", type=int, default=0, help="of the first picture (default: %(default)s)")
    add("--steps", type=int, help="denoising steps")
    add("--guidance", type=float, help="guidance scale; 1 switches guidance off")
    add("--scale", type=float, help="strength of the adapter; 0 is the base")
    add("--negative", help="what the picture should not show")
    add("--count", type=positive, default=1, help="pictures per prompt (default: %(default)s)")
    add("--out", type=Path, help="folder for the pictures (default: runs/generated/NAME)")
    add("--track", default=DEFAULT_TRACK, help="trained on which track (default: %(default)s)")
    add("--device", default="cpu", choices=DEVICES, help="where to compute (default: %(default)s)")
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Find or train the adapter, draw, write the pictures, say where they are."""
    console = Console(highlight=False)
    contribution, track = registry.load(args.name), load_track(args.track)
    config, prompts = sampling_config(args, contribution, track), expanded(args.prompt, args.count)
    settle(args, contribution, console)
    with create_progress(console) as progress:
        adapter = newest_adapter(track.file.name, contribution.name)
        if adapter is None:
            console.print(f"{contribution.name} has not been trained yet: training it first.")
            # Somebody wants to see a picture; whether the method is right is another command.
            options = Options(device=args.device, skip_gate=True)
            finished = run_contribution(contribution, track, options, progress)
            adapter = newest_adapter(track.file.name, contribution.name)
            if finished.row.status != "ok" or adapter is None:
                show(finished, console)
                return 1
        drawn = draw(contribution, track, adapter, prompts, config, args.device, progress)
    out = args.out or paths.RUNS / "generated" / contribution.name
    model = f"{track.base_model.name} + {contribution.name}"
    for number, (prompt, path) in enumerate(zip(prompts, drawn, strict=True)):
        own = config.model_copy(update={"seed": config.seed + number})
        target = out / f"{slug(prompt)}-{own.seed}.png"
        save_generated(open_picture(path), target, prompt, own, model)
        console.print(str(target), soft_wrap=True, markup=False)
    shutil.rmtree(drawn[0].parent)
    return 0


def sampling_config(
    args: argparse.Namespace, contribution: Contribution, track: Track
) -> GenerateConfig:
    """Lay the typed options over the contribution's own settings.

    Raises:
        UsageError: An option is out of its range.
    """
    typed = {
        "num_inference_steps": args.steps,
        "guidance_scale": args.guidance,
        "lora_scale": args.scale,
        "negative_prompt": args.negative,
        "seed": args.seed,
        "height": track.file.resolution,
        "width": track.file.resolution,
    }
    chosen = {name: value for name, value in typed.items() if value is not None}
    try:
        return GenerateConfig(**(contribution.file.settings.generate.model_dump() | chosen))
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise UsageError(
            f"These options cannot be used: {faults}.",
            fix="python -m harness generate --help lists them.",
        ) from error


def positive(text: str) -> int:
    """Read a whole number of at least 1; argparse turns the ValueError into a message."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def expanded(prompts: list[str], count: int) -> tuple[str, ...]:
    """Repeat each prompt ``count`` times, so that the pictures get consecutive seeds."""
    return tuple(prompt for prompt in prompts for _ in range(count))


def draw(  # everything a job needs, said once
    contribution: Contribution,
    track: Track,
    adapter: Path,
    prompts: tuple[str, ...],
    config: GenerateConfig,
    device: str,
    progress: Progress,
) -> list[Path]:
    """Run the ``generate`` hook in a worker and return its picture files.

    Raises:
        HubError: The worker failed; the message says in what.
    """
    # A folder of its own per call: two calls at once must not empty each other's.
    out = paths.RUNS / "generated" / contribution.name / f"job-{os.getpid()}"
    job = GenerateJob(
        contribution=contribution,
        reference=registry.load_reference(),
        base_model=str(track.base_model),
        device=device,
        threads=THREADS,
        out=out,
        adapter=adapter,
        prompts=prompts,
        config=config,
    )
    child = Child(
        contribution.name,
        "harness.worker.main",
        job,
        out,
        track.file.timeout_s,
        Answer.model_validate_json,
    )
    run_children([child], progress)
    outcome = child.outcome
    if outcome is None or outcome.answer is None:
        error = outcome.error if outcome else None
        what = error.what if error else "The worker was cut short."
        raise HubError(what, where=error.where if error else None, fix=error.fix if error else None)
    return [picture_file(out, number) for number in range(len(prompts))]


def slug(prompt: str) -> str:
    """Turn a prompt into the readable part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60] or "picture"
