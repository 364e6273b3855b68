"""``generate NAME --prompt ...``: draw with a contribution's newest trained adapter."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from harness import paths
from harness.commands.contribution import show
from harness.commands.isolation import (
    add_isolation_arguments,
    add_limit_arguments,
    chosen_limits,
    fault_of,
    settle,
)
from harness.commands.options import add_mix_arguments
from harness.commands.seeds import DEVICES
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.contributions.registry import load_mixed
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.folders import newest_adapter
from harness.runs.pipeline import Options, run_contribution
from harness.runs.steps.attempt import THREADS
from harness.sandbox.allowance import allowance
from harness.sandbox.child import Child, run_children
from harness.sandbox.limits import Limits
from harness.worker.jobs import Answer, DrawnWith, GenerateJob, picture_file
from toolkit.base_models.load import locate
from toolkit.core.errors import UsageError
from toolkit.core.progress import Progress, create_progress
from toolkit.core.settings import GenerateConfig
from toolkit.drawings.grid import save_grid
from toolkit.drawings.loras import parse_lora, tensors_hash
from toolkit.drawings.metadata import Drawing, package_versions, picture_name, save_picture
from toolkit.images.sheet import open_picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; what is left out comes from the contribution's own settings."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a folder in CONTRIBUTIONS/, or `reference`")
    add("--prompt", required=True, action="append", help="what to draw; may be repeated")
    add("--lora", action="append", default=[], metavar="FILE[:WEIGHT]", help="add a LoRA file, too")
    add("--base", help="another base: folder, .safetensors file or Hugging Face id")
    add(
        "--seed",
        type=int,
        default=0,
        help="seed of the first picture (default: %(default)s)",
    )
    add("--steps", type=int, help="denoising steps")
    add("--guidance", type=float, help="guidance scale; 1 switches guidance off")
    add("--scale", type=float, help="strength of the adapter; 0 is the base")
    add("--negative", help="what the picture should not show")
    add("--scheduler", help="pndm, ddim, euler, euler_a, dpm++_2m, ...; default: the base's own")
    add("--width", type=int, help="in pixels (default: the track's)")
    add("--height", type=int, help="in pixels (default: the width)")
    add("--count", type=positive, default=1, help="pictures per prompt (default: %(default)s)")
    add("--out", type=Path, help="folder for the pictures (default: runs/generated/NAME)")
    add("--track", default=DEFAULT_TRACK, help="track of the training (default: %(default)s)")
    add("--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)")
    add_mix_arguments(parser)
    add_isolation_arguments(parser)
    add_limit_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Find or train the adapter, draw, write the pictures, say where they are."""
    console = Console(highlight=False)
    contribution, track = load_mixed(args.name, args.taken), load_track(args.track)
    config, prompts = sampling_config(args, contribution, track), expanded(args.prompt, args.count)
    uses = tuple(parse_lora(text) for text in args.lora)
    base = locate(args.base or track.base_model).resolve()
    settle(args, contribution, console)
    with create_progress(console) as progress:
        adapter = newest_adapter(track.file.name, contribution.name)
        if adapter is None:
            console.print(f"{contribution.name} has not been trained yet, so it trains first.")
            # Somebody wants to see a picture; whether the method is right is another command.
            options = Options(device=args.device, skip_gate=True)
            finished = run_contribution(contribution, track, options, progress)
            adapter = newest_adapter(track.file.name, contribution.name)
            if finished.row.status not in ("ok", "unmergeable") or adapter is None:
                show(finished, console)
                return 1
        # A folder of its own per call: two calls at once must not empty each other's.
        job = GenerateJob(
            contribution=contribution,
            reference=registry.load_reference(),
            base_model=str(base),
            device=args.device,
            threads=THREADS,
            out=paths.RUNS / "generated" / contribution.name / f"job-{os.getpid()}",
            adapter=adapter,
            prompts=prompts,
            config=config,
            loras=tuple(use.model_copy(update={"file": use.file.resolve()}) for use in uses),
        )
        wall_s = track.file.timeout_s * (1 if args.base is None else len(prompts) + 1)
        drawn_with = draw(job, chosen_limits(args, allowance(job, wall_s)), progress)
    own_base = track.base_model.relative_to(paths.ROOT).as_posix()
    drawing = Drawing(
        prompts=prompts,
        place=0,
        config=config,
        sampler=drawn_with.sampler,
        base=args.base or own_base,
        base_sha256=drawn_with.base_sha256,
        loras=uses,
        contribution=contribution.name,
        origins=contribution.origins,
        settings_from=contribution.settings_from,
        adapter_sha256=tensors_hash(adapter),
        versions=package_versions(),
    )
    for path in keep_pictures(job, drawing, args.count, args.out):
        console.print(str(path), soft_wrap=True, markup=False)
    shutil.rmtree(job.out)
    return 0


def keep_pictures(job: GenerateJob, drawing: Drawing, count: int, out: Path | None) -> list[Path]:
    """Write each picture with what made it, and a grid when there are several; return the files."""
    out = out or paths.RUNS / "generated" / job.contribution.name
    drawings = [drawing.model_copy(update={"place": n}) for n in range(len(job.prompts))]
    pictures = [open_picture(picture_file(job.out, one.place)) for one in drawings]
    files = [out / picture_name(one) for one in drawings]
    for picture, path, one in zip(pictures, files, drawings, strict=True):
        save_picture(picture, path, one)
    if len(pictures) > 1:
        files.append(out / "grid.png")
        save_grid(pictures, drawings, count, files[-1])
    return files


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
        "scheduler": args.scheduler,
        "height": args.height or args.width or track.file.resolution,
        "width": args.width or track.file.resolution,
    }
    chosen = {name: value for name, value in typed.items() if value is not None}
    try:
        return GenerateConfig(**(contribution.file.settings.generate.model_dump() | chosen))
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise UsageError(
            f"These options are not valid: {faults}.",
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


def draw(job: GenerateJob, limits: Limits, progress: Progress) -> DrawnWith:
    """Run the ``generate`` hook in a worker; its pictures are in the job's folder then.

    Raises:
        HubError: The worker failed; the message says in what.
    """
    child = Child(
        job.contribution.name,
        "harness.worker.main",
        job,
        job.out,
        limits.wall_s,
        Answer.model_validate_json,
        limits=limits,
    )
    run_children([child], progress)
    outcome = child.outcome
    if outcome is None or outcome.answer is None or outcome.answer.drawn_with is None:
        raise fault_of(outcome)
    return outcome.answer.drawn_with
