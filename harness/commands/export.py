"""``export NAME --format F``: what a contribution trained, as a file for other programs."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from harness import paths
from harness.contributions import registry
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.export import DEFAULT_ERROR
from toolkit.base_models.load import locate
from toolkit.core.errors import UsageError
from toolkit.core.idle import refuse_idle

FORMATS = ("kohya", "diffusers", "peft", "merged", "svd-lora")
OF_KOHYA = "diffusers has just loaded it; A1111 and ComfyUI know all its keys."
LOADS = {
    "kohya": OF_KOHYA,
    "svd-lora": OF_KOHYA,
    "diffusers": "diffusers has just loaded it: pipeline.load_lora_weights(FILE)",
    "peft": "PEFT has just loaded it: PeftModel.from_pretrained(pipeline.unet, FOLDER/unet)",
    "merged": "diffusers has just loaded it: StableDiffusionPipeline.from_pretrained(FOLDER)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a folder in CONTRIBUTIONS/, a control, or `reference`")
    add("--format", choices=FORMATS, default="kohya", help="of the file (default: %(default)s)")
    add(
        "--rank",
        type=rank,
        default=None,
        metavar="auto|N",
        help="of a LoRA made of singular values; auto: the smallest that keeps --error (default)",
    )
    add(
        "--error",
        type=share,
        help=f"what auto may leave out, as a share of the change (default: {DEFAULT_ERROR})",
    )
    add("--track", help="take its newest training; left out = the newest of all trainings")
    add("--run", type=Path, help="folder of another training, such as runs/trained/NAME")
    add("--base", help="the base it was trained on, when it has moved")
    add("--out", type=Path, help="file or folder to write (default: runs/exported/NAME-FORMAT...)")
    add("--dtype", choices=("fp16", "bf16", "fp32"), help="(default: fp16; fp32 for merged)")
    add("--allow-loss", action="store_true", help="leave out what the format cannot hold")
    add("--no-pictures", action="store_true", help="do not draw to compare")
    add("--force", action="store_true", help="replace what an earlier export wrote")


def rank(text: str) -> int | None:
    """Read ``auto`` or a rank; argparse turns the ValueError into a message."""
    if text == "auto":
        return None
    if int(text) < 1:
        raise ValueError
    return int(text)


def share(text: str) -> float:
    """Read a share above 0 and below 1."""
    value = float(text)
    if not 0 < value < 1 or math.isnan(value):
        raise ValueError
    return value


def idle_options(args: argparse.Namespace) -> dict[str, bool]:
    """Return what would give typed options an effect, and whether it is missing.

    What depends on the training is refused where it is read (harness/runs/export/run.py).
    """
    whole = args.format == "merged"
    return {
        "--rank is of a LoRA, and merged is a whole model": whole and args.rank is not None,
        "--error is of a LoRA, and merged is a whole model": whole and args.error is not None,
        "--allow-loss: merged holds everything": whole and args.allow_loss,
        "--error chooses a rank, and --rank says it": (
            not whole and args.rank is not None and args.error is not None
        ),
    }


def run(args: argparse.Namespace) -> int:
    """Find the training, write, prove, and say what it is worth."""
    from harness.runs.export.source import find_source, refuse_of_another, require_change

    refuse_idle(idle_options(args))
    contribution = registry.load_any(args.name)
    track = load_track(args.track or DEFAULT_TRACK)
    source = find_source(contribution.name, args.track, args.run, args.base)
    require_change(source)
    refuse_of_another(source)
    locate(source.base)  # fails in a sentence before torch is imported
    out: Path = args.out or default_out(contribution.name, args.format)
    if args.format not in ("merged", "peft") and out.suffix != ".safetensors":
        raise UsageError(
            f"{out.name} does not end in .safetensors, which other programs require.",
            fix=f"Write --out {out.with_suffix('.safetensors')}",
        )
    from harness.runs.export.run import Wish, export
    from harness.runs.export.writing import refuse_existing

    refuse_existing(out, force=args.force)
    wish = Wish(
        form=args.format,
        out=out,
        rank=args.rank,
        error=args.error,
        dtype=args.dtype or ("fp32" if args.format == "merged" else "fp16"),
        allow_loss=args.allow_loss,
        pictures=not args.no_pictures,
        sampling=track.file.sampling,
        prompts=source.prompts,
    )
    note = export(source, wish, print)
    print(LOADS[args.format])
    if "picture_difference" in note:
        print(
            f"Pictures drawn with it differ from those inside the hub by "
            f"{note['picture_difference']:.3%} of the range, "
            f"{note['picture_difference_most']:.1%} at most; "
            f"the training itself changed them by {note['picture_change_by_training']:.1%}."
        )
    for left_out in note.get("left_out", ()) or ():  # type: ignore[attr-defined]
        print(f"left out: {left_out}")
    return 0


def default_out(name: str, form: str) -> Path:
    """Return where an export goes by default."""
    ending = "" if form in ("merged", "peft") else ".safetensors"
    return paths.RUNS / "exported" / f"{name}-{form}{ending}"
