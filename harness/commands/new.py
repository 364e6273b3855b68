"""``new NAME``: create a small folder that passes every check and reads from top to bottom."""

from __future__ import annotations

import argparse
import getpass
import json
import keyword
import shutil
import string
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness import paths
from harness.check import limits
from harness.commands.options import add_mix_arguments
from harness.contributions import registry
from harness.contributions.copying import CONFIG, first_file, source_of, write_copy
from harness.contributions.record import NAME_PATTERN
from harness.contributions.registry import parse
from harness.contributions.settings_tables import with_settings
from harness.runs.trainings import Typed, typed_settings
from toolkit.core.errors import HubError, UsageError
from toolkit.core.git import Repository
from toolkit.core.settings import REFERENCE_NAME, HookName, TrainSettings

SCAFFOLDS = {
    "code": paths.ROOT / "harness" / "contributions" / "scaffolds" / "code",
    "config": paths.ROOT / "harness" / "contributions" / "scaffolds" / "config",
    "mix": paths.ROOT / "harness" / "contributions" / "scaffolds" / "mix",
}
# What a beginner opens first.
FIRST_FILE = {"code": "src/lora.py", "config": "contribution.toml", "mix": "README.md"}

FIRST_STEP = dict.fromkeys(SCAFFOLDS, "change one thing, run it again") | {
    "mix": "say why these belong together"
}

# As many pictures as a beginner can take in; the track brings its own for training.
PICTURES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", metavar="NAME", help="letters, digits and _; such as MyIdea")
    add(
        "--kind",
        choices=("code", "config"),
        help="code: a hook of your own (the default); config: settings only, no Python",
    )
    add("--from", dest="source", metavar="OTHER", help="copy this contribution")
    add(
        "--like",
        type=Path,
        metavar="FOLDER",
        help="of a training, such as runs/trained/Example1: its method with the settings typed",
    )
    add_mix_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the folder in one step and print what to do next."""
    name: str = args.name
    check_name(name)
    mix = parse(args.taken, name)
    if sum(map(bool, (args.source, args.kind, args.like, mix))) > 1:
        raise UsageError(
            "--from copies a contribution, --with makes a recipe of others' hooks, --kind makes "
            "a new folder, --like takes method and settings of a training.",
            fix="Use only one of them.",
        )
    like = typed_settings(args.like) if args.like else None
    parent = like.name if like and like.name != REFERENCE_NAME else args.source
    source = source_of(parent) if parent else None
    kind = "mix" if mix else "config" if like and like.tables else args.kind or "code"
    target = paths.CONTRIBUTIONS / name
    paths.CONTRIBUTIONS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=paths.CONTRIBUTIONS) as temporary:
        draft = Path(temporary) / name
        if source:
            write_copy(draft, name, source, guess_author())
        else:
            write_folder(draft, name, kind, mix)
        if like:
            set_settings(draft / CONFIG, like, keep=source is not None)
        draft.rename(target)  # whole or not at all
    first = first_file(source) if source else FIRST_FILE[kind]
    if like and like.left_out:
        print(f"Left out, because the tracks decide it: {', '.join(like.left_out)}.")
    print(
        f"CONTRIBUTIONS/{name} is there. Next:\n"
        f"  nox -s contribution -- {name}      train and score it unchanged: it passes\n"
        f"  edit CONTRIBUTIONS/{name}/{first}, {FIRST_STEP[kind]}\n"
        f"  nox -s check -- {name}             check the folder in half a second"
    )
    return 0


def set_settings(file: Path, like: Typed, *, keep: bool) -> None:
    """Write the settings of a training into a contribution.toml.

    Args:
        file: The new one.
        like: What was typed for the training.
        keep: Whether other settings in it stay; those of a scaffold are examples, and do not.

    Raises:
        UsageError: They cannot be put into it.
    """
    text = file.read_text(encoding="utf-8")
    if not keep and like.tables:
        text = text.partition("\n[settings.")[0].rstrip("\n") + "\n"
    file.write_text(with_settings(text, like.tables), encoding="utf-8", newline="\n")


def check_name(name: str) -> None:
    """Refuse names that cannot be a folder here.

    Raises:
        UsageError: The name is malformed, reserved or taken.
    """
    if not can_be_a_name(name):
        suggestion = "".join(part.capitalize() for part in _words(name))
        suggestion = suggestion if can_be_a_name(suggestion) else "MyIdea"
        raise UsageError(
            f"{name!r} cannot be the name of a contribution.",
            fix="Use 2 to 39 letters, digits and _, starting with a letter; for instance "
            f"{suggestion}",
        )
    taken = {other.casefold(): other for other in registry.contribution_names()}
    if name.casefold() in taken:
        raise UsageError(
            f"There is already a contribution named {taken[name.casefold()]}.",
            where="CONTRIBUTIONS/",
            fix=f"Choose another name, or run the existing one: nox -s contribution -- {name}",
        )


def can_be_a_name(name: str) -> bool:
    """Tell whether a name can be a folder, a module and a row of its own."""
    return (
        NAME_PATTERN.fullmatch(name) is not None
        and not keyword.iskeyword(name)
        and not is_reserved(name)
    )


def _words(name: str) -> list[str]:
    letters = "".join(c if c.isascii() and c.isalnum() else " " for c in name)
    return letters.lstrip("0123456789 ").split()


def is_reserved(name: str) -> bool:
    """Tell whether Windows reserves the name for a device, or the hub for a row of its own."""
    return name.casefold() in limits.WINDOWS_RESERVED | limits.ROWS_OF_THE_HUB


def write_folder(
    folder: Path, name: str, kind: str = "code", mix: Mapping[HookName, str] | None = None
) -> None:
    """Fill in the scaffold of a kind and add a few of the hub's own pictures."""
    mix = mix or {}
    parts = dict.fromkeys(part for part in mix.values() if part != REFERENCE_NAME)
    values = {
        "name": name,
        "author": json.dumps(guess_author(), ensure_ascii=False)[1:-1],
        "learning_rate": f"{TrainSettings().learning_rate:g}",
        "based_on": ", ".join(f'"{part}"' for part in parts),
        "mix": "\n".join(f'{hook} = "{part}"' for hook, part in mix.items()),
        "list": "\n".join(f"- `{hook}` of {part}" for hook, part in mix.items()),
        "words": ", ".join(f"{hook} of {part}" for hook, part in mix.items()),
    }
    scaffold = SCAFFOLDS[kind]
    for source in sorted(p for p in scaffold.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        text = string.Template(source.read_text(encoding="utf-8")).substitute(values)
        target = folder / source.relative_to(scaffold)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    dataset = paths.REFERENCE / "Dataset"
    for picture in sorted((dataset / "Images").iterdir())[:PICTURES]:
        for part, file in (("Images", picture.name), ("ImageCaptions", f"{picture.stem}.txt")):
            target = folder / "Dataset" / part / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(dataset / part / file, target)


def guess_author() -> str:
    """Take the author's name from git, or else from the login."""
    try:
        name = Repository(paths.ROOT).run("config", "user.name").decode("utf-8", "replace")
    except HubError:  # no git, or no name in it
        name = ""
    return name.strip() or getpass.getuser()
