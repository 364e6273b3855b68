"""``track new NAME --data DIR``: a track of your own pictures; ``track list`` names all of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from harness.commands.seeds import DEVICES
from harness.contributions import registry
from harness.protocol.track import Track, load_track, own_track_names, own_tracks
from harness.runs.graph.memory import memory_bytes, weights_bytes
from harness.runs.many.view import spoken
from harness.runs.own.budget import seconds_of_run
from harness.runs.own.make import OwnTrack, Wish, check_name, make_track, read_record
from toolkit.core.errors import UsageError
from toolkit.core.locks import Busy, held
from toolkit.core.parser import Once
from toolkit.core.validation import faults_of

GIB = 2**30
# What a first look at a contest usually has beside the reference.
FEW = ("DoRA", "EveryLayer", "RsLoRA16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two commands and their options."""
    commands = parser.add_subparsers(dest="action", metavar="action", required=True)
    new = commands.add_parser("new", help="make a track of your own pictures")
    add = new.add_argument
    add("name", metavar="NAME", help="what to call it: small letters, digits and -")
    add(
        "--data",
        action=Once,
        type=Path,
        required=True,
        metavar="DIR",
        help="pictures with captions",
    )
    base = Wish.model_fields["base"].default
    add("--base", default=base, help="folder, .safetensors file or Hugging Face id")
    add("--trigger-word", default="", help="put in front of captions that lack it")
    add("--subject", default="", help="what they show, in the captions' words: 'a sks mug'")
    add("--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)")
    add("--resolution", type=int, help="in pixels; left out = the size the base was trained with")
    add("--steps", type=int, help="of a training; left out = as `train` would, if there is time")
    add("--batch-size", type=int, help="pictures per step")
    add("--split-seed", type=int, default=0, help="another number divides the pictures otherwise")
    add("--fresh", action="store_true", help="make it again, in place of the one of that name")
    commands.add_parser("list", help="name your own tracks")


def run(args: argparse.Namespace) -> int:
    """Make a track or name those there are; return 0."""
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    if args.action == "list":
        for name in own_track_names():
            file, wish = load_track(name).file, read_record(name).wish
            say(f"{name:<20} {file.steps} steps of {file.batch_size}, {wish.base}, {wish.data_dir}")
        if not own_track_names():
            say("There are none. nox -s track -- new NAME --data DIR makes one.")
        return 0
    wish = wish_of(args)
    check_name(wish.name)
    own_tracks().mkdir(parents=True, exist_ok=True)
    try:
        with held(own_tracks() / args.name):
            if args.name in own_track_names() and not args.fresh:
                refuse_other(wish, read_record(args.name))
                say("It is there already.")
                describe(load_track(args.name), read_record(args.name), console)
                return 0
            track, record = make_track(wish, say)
    except Busy as error:
        raise UsageError(f"{args.name} is being made right now, by {error}.") from error
    describe(track, record, console)
    return 0


def wish_of(args: argparse.Namespace) -> Wish:
    """Turn the options of the command line into a wish.

    Raises:
        UsageError: Some are out of their range; all of them are named.
    """
    try:
        return Wish(
            name=args.name,
            data_dir=args.data,
            base=args.base,
            device=args.device,
            trigger_word=args.trigger_word,
            subject=args.subject,
            split_seed=args.split_seed,
            resolution=args.resolution,
            steps=args.steps,
            batch_size=args.batch_size,
        )
    except ValidationError as error:
        options = {name: f"--{name.replace('_', '-')}" for name in Wish.model_fields}
        faults = faults_of(error, options)
        raise UsageError(f"These options are not valid: {faults}.", fix="See --help.") from error


def refuse_other(wish: Wish, there: OwnTrack) -> None:
    """Refuse to make a track of the name of one that was made of something else.

    Raises:
        UsageError: Says in what they differ.
    """
    wanted = wish.model_copy(update={"data_dir": wish.data_dir.resolve()})
    differing = [
        f"{name.replace('_', '-')} {getattr(there.wish, name)!s}, now {getattr(wanted, name)!s}"
        for name in Wish.model_fields
        if getattr(there.wish, name) != getattr(wanted, name)
    ]
    if differing:
        raise UsageError(
            f"The track {wish.name} was made otherwise: {'; '.join(differing)}.",
            fix="Choose another name, or add --fresh to make it anew.",
        )


def describe(track: Track, record: OwnTrack, console: Console) -> None:
    """Print how the pictures are divided, what is drawn, and what a contest will take."""

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    file = track.file
    say(f"Held out: {', '.join(record.heldout)}")
    for group in record.alike:
        say(f"Alike, so on one side: {', '.join(group)}")
    for prompt in file.prompts:
        say(f"  {prompt.kind:<10} {prompt.text}")
    say(f"Budget: {file.steps} steps of {file.batch_size} pictures at {file.resolution} px.")
    if record.cut_from is not None:
        say(
            f"`nox -s train` would take {record.cut_from} steps; a training of that length would "
            "last too long here. --steps chooses another number."
        )
    one = seconds_of_track(track, record)
    contestants = len(registry.contribution_names()) + 1
    need = memory_of(track, record) / GIB
    say(
        f"One contribution takes about {spoken(one)} on one core ({file.quick_seeds} trainings, "
        f"scoring) and {need:.1f} GiB; all {contestants} about {spoken(one * contestants)}. "
        "The first time, each passes the correctness gate, too: a contest foretells that."
    )
    say(f"Prompts and budget may be changed in {track.folder / 'track.toml'}")
    say(f"Next: nox -s contribution -- {' '.join(FEW)} --track {file.name}   (or --all)")


def seconds_of_track(
    track: Track, record: OwnTrack, seeds: int | None = None, ratio: float = 1.0
) -> float:
    """Return how long a run on an own track will probably take.

    Args:
        track: An own one.
        record: Its pace, and the pictures of its sides.
        seeds: Trainings; None: as many as a first verdict has.
        ratio: Time of a training as a multiple of the reference's.
    """
    sides = len(record.taught), len(record.heldout)
    return seconds_of_run(track.file, record.pace, *sides, seeds or track.file.quick_seeds, ratio)


def memory_of(track: Track, record: OwnTrack) -> int:
    """Return the memory that a run on an own track will probably need, bytes."""
    return memory_bytes(weights_bytes(track), None) + record.pace.activation_bytes
