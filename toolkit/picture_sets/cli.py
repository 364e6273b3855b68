"""The command line: check a folder of pictures, or write a clean copy. Never imports torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from toolkit.core.command_line import exit_code
from toolkit.core.errors import UsageError
from toolkit.core.hub_ids import is_hub_id
from toolkit.core.idle import refuse_idle
from toolkit.core.native_size import native_size_px
from toolkit.core.parser import Parser
from toolkit.core.settings import DatasetConfig
from toolkit.core.validation import faults_of

PREVIEWS = Path("runs/preview")
EMBEDDED = "models/tiny-sd"
THUMBNAIL_PX = 192
MARK = b"picture_sets preview"  # in the head of templates/preview.html


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with its commands."""
    parser = Parser(
        prog="python -m toolkit.picture_sets",
        description="Look at training pictures before training on them, and make folders of them.",
        epilog="Exit code: 0 fine, 1 something is wrong with the pictures, 2 with the call. See "
        "docs/datasets.md.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    check = _command(commands, "check", "list everything that is wrong with a folder")
    check.add_argument("--json", action="store_true", help="print JSON instead of text")
    preview = _command(commands, "preview", "write one HTML page with pictures, captions, problems")
    out = "the page (default: runs/preview/ and the name of the folder)"
    preview.add_argument("--out", type=Path, help=out)
    _add_writers(commands)
    _add_captioner(commands)
    return parser


def _add_writers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the two commands that make a new folder; import_set.py runs them."""
    fix = commands.add_parser(
        "fix",
        help="write a clean copy of a folder",
        description="Write a clean copy: upright RGB pictures, safe names, tidy captions, no "
        "duplicates. The folder itself is never changed.",
    )
    fix.add_argument("source", type=Path, metavar="DIR", help="the pictures, in any layout")
    bring = commands.add_parser(
        "import",
        help="make a data set from a folder, a zip or a list",
        description="Make a data set of a folder, a zip, a metadata.jsonl, a Hugging Face "
        "imagefolder, or a CSV with the columns url and caption.",
        epilog="Options behind a CSV go to src.scraping: --min-side, --retries, ...",
    )
    bring.add_argument("source", type=Path, metavar="WHAT", help="folder, .zip, .jsonl or .csv")
    for parser in (fix, bring):
        parser.add_argument("--out", type=Path, required=True, help="the folder to make")
        parser.add_argument("--caption", default="", help="for pictures that have none")


def _add_captioner(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command that proposes captions; propose.py runs it."""
    caption = commands.add_parser(
        "caption",
        help="have a model propose captions, and write corrected ones into a copy",
        description="Propose captions on a page where they can be corrected; then write a copy of "
        "the folder with the corrected ones. The folder itself is never changed.",
    )
    add = caption.add_argument
    add("folder", type=Path, metavar="DIR", help="the pictures, in any layout")
    add("--caption", choices=("blip", "wd14"), help="who proposes: sentences, or tags")
    add("--caption-model", type=Path, metavar="FOLDER", help="of the model; nothing is downloaded")
    add("--template", help="such as 'a photo of {trigger}, {text}' (default: {text})")
    add("--trigger-word", help="put in front of every proposed caption")
    add("--all", action="store_true", help="also for pictures that have a caption")
    add("--fresh", action="store_true", help="in place of earlier proposals")
    kept = "where list and page of the proposals go (default: runs/captions/DIR)"
    add("--keep-in", type=Path, metavar="FOLDER", help=kept)
    add("--use", type=Path, metavar="LIST", help="corrected captions.jsonl, to be written")
    add("--out", type=Path, help="with --use: the folder to make")


def _command(
    commands: argparse._SubParsersAction[Parser], name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the pictures, in any layout")
    base = "the base that will be trained: its size counts (default: %(default)s)"
    parser.add_argument("--base", help=base.replace("%(default)s", EMBEDDED))
    parser.add_argument(
        "--resolution", type=int, help="what training will use, in pixels, if not the base's size"
    )
    # The fields of [settings.dataset], under the same names.
    parser.add_argument("--repeats", type=int, help="items made of each picture")
    parser.add_argument("--flip", action="store_true", help="add mirror images")
    parser.add_argument("--shuffle-captions", action="store_true", help="shuffle their tags")
    parser.add_argument("--keep-tokens", type=int, help="first tags that are not shuffled")
    parser.add_argument("--trigger-word", help="put in front of captions that lack it")
    parser.add_argument("--buckets", action="store_true", help="keep the pictures' shapes")
    return parser


def config_of(parsed: argparse.Namespace) -> DatasetConfig:
    """Return the settings that were typed.

    Raises:
        UsageError: A value makes no sense.
    """
    typed = {
        name: value
        for name in DatasetConfig.model_fields
        if (value := getattr(parsed, name, None)) is not None
    }
    try:
        config = DatasetConfig(**typed)
    except ValidationError as error:
        options = {name: f"--{name.replace('_', '-')}" for name in DatasetConfig.model_fields}
        faults = faults_of(error, options)
        raise UsageError(f"These options are not valid: {faults}.", fix="See --help.") from error
    refuse_idle(
        {
            "--base gives the size, and --resolution says it": (
                parsed.base is not None and parsed.resolution is not None
            ),
            "--keep-tokens needs --shuffle-captions": (
                config.keep_tokens > 0 and not config.shuffle_captions
            ),
        }
    )
    if parsed.resolution is None:
        parsed.resolution = native_size_of(parsed.base or EMBEDDED)
    if parsed.resolution < 16 or parsed.resolution % 8:
        raise UsageError(
            f"--resolution {parsed.resolution} is not a multiple of 8 from 16.",
            fix="Take 512 for SD 1.x, 64 for the embedded base.",
        )
    return config


def native_size_of(base: str) -> int:
    """Return the size that a base was trained with, in pixels, without fetching it.

    Raises:
        UsageError: It is neither here nor the id of one on the Hugging Face Hub.
    """
    if not Path(base).exists() and not is_hub_id(base):
        raise UsageError(
            f"There is no base model in {base}.",
            where="--base",
            fix="Give the folder or file of the base, its Hugging Face id, or --resolution.",
        )
    return native_size_px(Path(base))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = build_parser()
    parsed, rest = parser.parse_known_args(argv)
    if rest and parsed.command != "import":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.rest = rest
    return exit_code(lambda: COMMANDS[parsed.command](parsed), faults=(OSError,))


def _check(parsed: argparse.Namespace) -> int:
    from .preflight import check_folder
    from .render import as_json, as_text

    config = config_of(parsed)
    report = check_folder(parsed.folder, parsed.resolution, config, progress=_show_progress)
    print(as_json(report) if parsed.json else as_text(report))
    return 1 if report.errors else 0


def _preview(parsed: argparse.Namespace) -> int:
    from .page import write_page
    from .preflight import check_folder

    config = config_of(parsed)
    report = check_folder(parsed.folder, parsed.resolution, config, THUMBNAIL_PX, _show_progress)
    out = parsed.out or PREVIEWS / f"{parsed.folder.resolve().name}.html"
    refuse_strangers_page(out)
    write_page(report, out)
    print(out)
    return 1 if report.errors else 0


def refuse_strangers_page(out: Path) -> None:
    """Refuse to replace a file that ``preview`` did not write.

    Raises:
        UsageError: There is one.
    """
    if out.exists() and (out.is_dir() or MARK not in out.read_bytes()[:4096]):
        fix = "Name another --out."
        raise UsageError("--out is there, and no page of preview.", where=str(out), fix=fix)


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 10 == 0 or done == total):
        end = "\r\033[K" if done == total else ""
        print(f"\r{done} of {total} pictures{end}", end="", file=sys.stderr, flush=True)


def _bring_in(parsed: argparse.Namespace) -> int:
    from .import_set import run

    return run(parsed, parsed.rest, _show_progress)


def _caption(parsed: argparse.Namespace) -> int:
    from .propose import run

    return run(parsed, _show_progress)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "preview": _preview,
    "fix": _bring_in,
    "import": _bring_in,
    "caption": _caption,
}
