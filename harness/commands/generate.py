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
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.contributions.registry import load_mixed
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.export.source import (
    Source,
    find_source,
    refuse_another_adapter,
    trainings,
)
from harness.runs.pipeline import Options, run_contribution
from harness.runs.steps.attempt import THREADS
from harness.sandbox.allowance import allowance
from harness.sandbox.child import Child, run_children
from harness.sandbox.limits import Limits
from harness.worker.jobs import Answer, DrawnWith, GenerateJob, picture_file
from toolkit.base_models.device import device_name
from toolkit.base_models.family import refuse_other_families
from toolkit.base_models.load import locate
from toolkit.base_models.timesteps import late_note, refuse_steps
from toolkit.core.config_file import add_config_option
from toolkit.core.errors import UsageError
from toolkit.core.idle import refuse_idle
from toolkit.core.progress import Progress, create_progress
from toolkit.core.settings import GenerateConfig
from toolkit.core.validation import faults_of
from toolkit.drawings.cli import OPTION_OF
from toolkit.drawings.grid import save_all
from toolkit.drawings.loras import parse_lora, tensors_hash
from toolkit.drawings.metadata import Drawing, package_versions
from toolkit.drawings.prompts import NEGATIVE_NEEDS, idle_negative, prompt_notes, refuse_tags
from toolkit.images.sheet import open_picture
from toolkit.lora_files.header import read_header

# Field of GenerateConfig -> option, that has no value unless it is typed.
SAMPLING_OPTIONS = {
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
    "lora_scale": "scale",
    "negative_prompt": "negative",
    "scheduler": "scheduler",
}


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
    add("--run", type=Path, help="folder of a training, such as runs/trained/NAME")
    add("--track", help="draw with its newest training; left out = the newest of all trainings")
    device = "cpu, cuda, cuda:1 or mps (default: %(default)s)"
    add("--device", default="cpu", type=device_name, help=device)
    add_config_option(parser)
    add_mix_arguments(parser)
    add_isolation_arguments(parser)
    add_limit_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Find or train the adapter, draw, write the pictures, say where they are."""
    console = Console(highlight=False)
    contribution = load_mixed(args.name, args.taken)
    track, source = load_track(args.track or DEFAULT_TRACK), newest(contribution, args)
    side_px = source.side_px if source else track.file.resolution
    config = sampling_config(args, contribution, side_px)
    prompts = expanded(args.prompt, args.count)
    uses = tuple(parse_lora(text) for text in args.lora)
    base = locate(args.base or (source.base if source else track.base_model)).resolve()
    refuse_other_families(base)
    foresee(contribution, prompts, config, base, console)
    settle(args, contribution, console)
    with create_progress(console) as progress:
        if source is None:
            console.print(f"{contribution.name} has not been trained yet, so it trains first.")
            # The user wants to see a picture; whether the method is right is another command.
            options = Options(device=args.device, skip_gate=True)
            finished = run_contribution(contribution, track, options, progress)
            source = newest(contribution, args)
            if finished.row.status not in ("ok", "unmergeable") or source is None:
                show(finished, console)
                return 1
        refuse_another_adapter(source, contribution.origins["make_lora"])
        adapter = own_adapter(source)
        console.print(f"Drawing with {shown(adapter)}", markup=False, soft_wrap=True)
        # A folder of its own per call: two calls at once must not empty each other's.
        job = GenerateJob(
            contribution=contribution,
            reference=registry.load_reference(),
            base_model=str(base),
            device=args.device,
            threads=THREADS,
            out=paths.RUNS / "generated" / contribution.name / f"job-{os.getpid()}",
            adapter=adapter,
            lora=source.settings or contribution.file.settings.lora,
            prompts=prompts,
            config=config,
            typed=typed_options(args),
            loras=tuple(use.model_copy(update={"file": use.file.resolve()}) for use in uses),
        )
        wall_s = track.file.timeout_s * (1 if args.base is None else len(prompts) + 1)
        drawn_with, notes = draw(job, chosen_limits(args, allowance(job, wall_s)), progress)
    for note in notes:
        console.print(note, markup=False, soft_wrap=True)
    drawing = Drawing(
        prompts=prompts,
        place=0,
        config=config,
        sampler=drawn_with.sampler,
        base=args.base or named(source.base),
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


def foresee(
    contribution: Contribution,
    prompts: tuple[str, ...],
    config: GenerateConfig,
    base: Path,
    console: Console,
) -> None:
    """Refuse what cannot be drawn and say what will not be as it looks.

    Only the reference's ``generate`` is foreseen: another may read weights, or bring a sampler.

    Raises:
        UsageError: The number of steps does not go with the sampler, or a prompt names a LoRA.
    """
    origin = contribution.code_of("generate")
    if origin is not None and not registry.is_reference(origin):
        return
    refuse_idle({NEGATIVE_NEEDS: idle_negative(config)})
    refuse_steps(config, base)
    refuse_tags(prompts, config)
    for note in filter(None, (*prompt_notes(prompts, config), late_note(config, base))):
        console.print(note, markup=False, soft_wrap=True)


def newest(contribution: Contribution, args: argparse.Namespace) -> Source | None:
    """Return the training to draw with: of --run, of --track, or the newest; None if there is none.

    Raises:
        UsageError: There is none in --run.
    """
    if args.run is None and not trainings(contribution.name, args.track):
        return None
    return find_source(contribution.name, args.track, args.run, None)


def own_adapter(source: Source) -> Path:
    """Return the file with the adapter's own tensors.

    Raises:
        UsageError: The training left a LoRA file only, as `nox -s reference` does.
    """
    header = read_header(source.adapter, size_limit=None) if source.adapter else None
    if source.adapter and header and not any(n.startswith("lora_unet_") for n in header.tensors):
        return source.adapter
    file = source.adapter or source.lora or source.delta
    raise UsageError(
        "The folder holds a LoRA file for any program, not an adapter of the hub.",
        where=str(source.folder),
        fix=f"python -m src.generate --lora {file} --prompt ...",
    )


def shown(path: Path) -> str:
    """Return a path as people type it: from the repository on, if it lies there."""
    place = path.resolve()
    inside = place.is_relative_to(paths.ROOT)
    return place.relative_to(paths.ROOT).as_posix() if inside else str(path)


def named(base: str) -> str:
    """Return a base as people type it: its path, or its Hugging Face id as it is."""
    return shown(Path(base)) if Path(base).exists() else base


def keep_pictures(job: GenerateJob, drawing: Drawing, count: int, out: Path | None) -> list[Path]:
    """Write each picture with what made it, and a grid when there are several; return the files."""
    out = out or paths.RUNS / "generated" / job.contribution.name
    drawings = [drawing.model_copy(update={"place": n}) for n in range(len(job.prompts))]
    pictures = [open_picture(picture_file(job.out, one.place)) for one in drawings]
    return save_all(pictures, drawings, count, out)


def sampling_config(
    args: argparse.Namespace, contribution: Contribution, side_px: int
) -> GenerateConfig:
    """Lay the typed options over the contribution's own settings.

    Raises:
        UsageError: An option is out of its range.
    """
    typed = {field: getattr(args, option) for field, option in SAMPLING_OPTIONS.items()}
    chosen = {field: value for field, value in typed.items() if value is not None}
    width = side_px if args.width is None else args.width  # 0 is out of range, not left out
    height = width if args.height is None else args.height
    chosen |= {"seed": args.seed, "width": width, "height": height}
    try:
        return GenerateConfig(**(contribution.file.settings.generate.model_dump() | chosen))
    except ValidationError as error:
        raise UsageError(
            f"These options are not valid: {faults_of(error, OPTION_OF)}.",
            fix="python -m harness generate --help lists them.",
        ) from error


def options_of(drawing: Drawing) -> dict[str, str]:
    """Return the options, by name, with which a picture and those beside it are drawn again.

    The adapter is not among them: the drawing knows its tensors, not where they lie.
    """
    config = drawing.config
    options = {option: getattr(config, field) for field, option in SAMPLING_OPTIONS.items()}
    options |= {"seed": config.seed, "width": config.width, "height": config.height}
    texts = {name: "" if value is None else f"{value}" for name, value in options.items()}
    loras = "\n".join(f"{use.file}:{use.weight:g}" for use in drawing.loras)
    return {**texts, "prompt": "\n".join(drawing.prompts), "lora": loras}


def typed_options(args: argparse.Namespace) -> dict[str, str]:
    """Return the fields whose options were typed."""
    return {
        field: f"--{option}"
        for field, option in SAMPLING_OPTIONS.items()
        if getattr(args, option) is not None
    }


def positive(text: str) -> int:
    """Read a whole number of at least 1; argparse turns the ValueError into a message."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def expanded(prompts: list[str], count: int) -> tuple[str, ...]:
    """Repeat each prompt ``count`` times, so that the pictures get consecutive seeds."""
    return tuple(prompt for prompt in prompts for _ in range(count))


def draw(job: GenerateJob, limits: Limits, progress: Progress) -> tuple[DrawnWith, tuple[str, ...]]:
    """Run the ``generate`` hook in a worker; its pictures are in the job's folder then.

    Returns:
        What they were drawn with, and what a person should know.

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
    return outcome.answer.drawn_with, outcome.answer.notes
