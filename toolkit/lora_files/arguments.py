"""The command line. Nothing here imports torch, so `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.core.parser import Parser


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with its five commands."""
    parser = Parser(
        prog="python -m toolkit.lora_files",
        description="Look at, convert, merge, make and shrink LoRA files of Stable Diffusion 1.x.",
        epilog="Exit code: 0 done, 1 the file is at fault, 2 the call is. See docs/lora_files.md.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)

    inspect = _command(commands, "inspect", "show what is in a file and which programs load it")
    inspect.add_argument("file", type=Path, nargs="+", help="files or folders")
    inspect.add_argument("--json", action="store_true", help="print JSON, one list of reports")
    _add_base(inspect)

    convert = _command(commands, "convert", "change the format")
    convert.add_argument("file", type=Path, help="a LoRA in any of the formats that can be read")
    convert.add_argument(
        "--without-embeddings",
        action="store_true",
        help="leave out trained words that lie beside the LoRA in the same file",
    )
    _add_output(convert)

    merge = _command(commands, "merge", "add several LoRAs up into one, exactly")
    merge.add_argument("file", type=Path, nargs="+", help="the LoRAs")
    merge.add_argument("--weights", type=float, nargs="+", help="one for each file (default: 1)")
    _add_output(merge)

    extract = _command(commands, "extract", "make a LoRA of what was trained in full")
    extract.add_argument("source", type=Path, help="a delta file, or the base model")
    extract.add_argument("tuned", type=Path, nargs="?", help="the model trained from that base")
    _add_size(extract)
    _add_output(extract)

    resize = _command(commands, "resize", "keep the strongest part of a LoRA, at a smaller rank")
    resize.add_argument("file", type=Path, help="a LoRA in any of the three formats")
    _add_size(resize)
    _add_output(resize)
    return parser


def _command(
    commands: argparse._SubParsersAction[Parser], name: str, summary: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )


def _add_base(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base",
        type=Path,
        help="folder of the base model, when its layers are not those of SD 1.x",
    )


def _add_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rank", type=int, help="at most this rank in each layer")
    parser.add_argument(
        "--energy",
        type=float,
        help="in each layer the smallest rank that keeps this share of its squared norm, e.g. 0.95",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="file to write (peft: a folder)")
    parser.add_argument(
        "--to",
        choices=("kohya", "diffusers", "peft"),
        default="kohya",
        help="format; kohya loads in diffusers, A1111 and ComfyUI (default)",
    )
    parser.add_argument(
        "--dtype", choices=("fp16", "bf16", "fp32"), default="fp16", help="of the factors"
    )
    parser.add_argument(
        "--alpha",
        choices=("fold", "metadata"),
        help="diffusers only: put the scale into the factors (default), or alpha into the header",
    )
    parser.add_argument("--title", help="kohya only: the LoRA's new name in its metadata")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    _add_base(parser)
