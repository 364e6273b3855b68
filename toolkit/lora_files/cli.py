"""The command line: run what was asked, print the answer, turn faults into exit codes.

Only the command that was typed imports torch; `--help` and wrong calls answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.command_line import exit_code
from toolkit.core.errors import HubError, UsageError
from toolkit.core.idle import refuse_idle

from .arguments import build_parser
from .layout import Layout, read_layout

if TYPE_CHECKING:
    from .memory import Lora
    from .report import Report


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parsed = build_parser().parse_args(argv)
    return exit_code(lambda: COMMANDS[parsed.command](parsed), faults=())


# Of this hub; elsewhere there is none.
EMBEDDED = Path(__file__).resolve().parents[2] / "models" / "tiny-sd"


def _layout(parsed: argparse.Namespace) -> Layout | None:
    return read_layout(parsed.base) if parsed.base else None


def _check_target(parsed: argparse.Namespace) -> None:
    """Refuse before the work is done what could not be written after it."""
    out: Path = parsed.out
    refuse_idle(
        {
            "--alpha needs --to diffusers": parsed.alpha is not None and parsed.to != "diffusers",
            "--title needs --to kohya, whose header has a place for it": (
                parsed.title is not None and parsed.to != "kohya"
            ),
            "--force: a folder of PEFT is only ever written anew": (
                parsed.force and parsed.to == "peft"
            ),
        }
    )
    if out.exists() and not parsed.force:
        raise UsageError(f"{out} exists already.", fix="Name another, or add --force.")
    if parsed.to != "peft" and out.suffix != ".safetensors":
        raise UsageError(
            f"{out.name} does not end in .safetensors, which other programs require.",
            fix=f"Write --out {out.with_suffix('.safetensors')}",
        )


def _write(lora: Lora, parsed: argparse.Namespace) -> None:
    from .families import require_fit
    from .layout import sd1_layout
    from .write import write_lora

    require_fit(lora, _layout(parsed) or sd1_layout(), str(parsed.out))
    settings = {"dtype": parsed.dtype, "alpha": parsed.alpha or "fold", "title": parsed.title}
    write_lora(lora, parsed.out, parsed.to, **settings)
    loaders = {"kohya": "diffusers, A1111, ComfyUI", "diffusers": "diffusers", "peft": "PEFT"}
    loader = loaders[parsed.to]
    print(f"{parsed.out}: {len(lora.layers)} layers, {parsed.to} format, loads in {loader}")


def _inspect(parsed: argparse.Namespace) -> None:
    from .render import render
    from .report import inspect_lora

    reports = [inspect_lora(path, _layout(parsed)) for path in parsed.file]
    if parsed.base is None and EMBEDDED.is_dir():
        reports = [
            _for_embedded(report, path) for report, path in zip(reports, parsed.file, strict=True)
        ]
    if parsed.json:
        print("[" + ",\n".join(report.to_json() for report in reports) + "]")
    else:
        print("\n\n".join(map(render, reports)))


def _for_embedded(report: Report, path: Path) -> Report:
    """Return a report on a file of the hub's embedded base as such; others stay as they are."""
    from .report import OTHER_BASE, inspect_lora

    if OTHER_BASE not in report.loads_in.values():
        return report
    with contextlib.suppress(HubError):  # it has layers that the embedded base has not
        found = inspect_lora(path, read_layout(EMBEDDED))
        if OTHER_BASE not in found.loads_in.values():
            found.warnings.append(
                "It was made for the hub's embedded base, models/tiny-sd, and fits that alone."
            )
            return found
    return report


def _convert(parsed: argparse.Namespace) -> None:
    from .read import read_lora

    _check_target(parsed)
    lora = read_lora(parsed.file, _layout(parsed))
    if parsed.without_embeddings:
        lora = replace(lora, embeddings={})
    if not lora.alpha_stated:
        print(
            "warning: the file does not say its alpha; alpha = rank is written, as every program "
            "would read it",
            file=sys.stderr,
        )
    _write(lora, parsed)


def _merge(parsed: argparse.Namespace) -> None:
    from .merge import TOLERANCE, merge_loras, sum_error
    from .read import read_lora

    _check_target(parsed)
    weights = parsed.weights or [1.0] * len(parsed.file)
    layout = _layout(parsed)
    loras = [read_lora(path, layout) for path in parsed.file]
    merged = merge_loras(loras, weights, [path.stem for path in parsed.file])
    _write(merged, parsed)
    # What counts is what the file does: read back, rounding included.
    error = sum_error(read_lora(parsed.out, layout), loras, weights)
    print(f"{_ranks(merged)}; the file is the sum of the deltas to {error:.1e}")
    if not error < TOLERANCE:
        raise HubError(
            f"The written file is not the sum of its parts: off by {error:.1e} in one layer.",
            where=str(parsed.out),
            fix="Write --dtype fp32.",
        )


def _extract(parsed: argparse.Namespace) -> None:
    from .extract import extract_lora, read_deltas
    from .resize import check_size

    _check_target(parsed)
    check_size(parsed.rank, parsed.energy)
    if parsed.tuned is None and not _is_delta(parsed.source):
        raise UsageError(
            f"{parsed.source} does not say that it is a difference (header entry hub.kind = "
            "delta); of a whole model alone no LoRA can be made.",
            fix="Name the base and the trained model: extract BASE TUNED --rank 16 --out ...",
        )
    deltas = read_deltas(parsed.source, parsed.tuned, _show_progress)
    found = extract_lora(deltas, parsed.rank, parsed.energy, _layout(parsed))
    _write(found.lora, parsed)
    print(f"{_ranks(found.lora)}; relative error {found.relative_error:.3g}")
    if found.left_out:
        print(
            f"warning: {len(found.left_out)} parameters changed that no LoRA holds (biases, norms, "
            f"embeddings), {found.left_out_share:.1%} of the difference, first "
            f"{found.left_out[0]}",
            file=sys.stderr,
        )


def _ranks(lora: Lora) -> str:
    low, high = min(lora.ranks()), max(lora.ranks())
    return f"rank {low}" if low == high else f"ranks {low} to {high}"


def _is_delta(path: Path) -> bool:
    from .header import read_header

    if path.is_dir():
        return False
    return read_header(path, size_limit=None).metadata.get("hub.kind") == "delta"


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} parameters", end="\n" if done == total else "", file=sys.stderr)


def _resize(parsed: argparse.Namespace) -> None:
    from .read import read_lora
    from .resize import check_size, resize_lora

    _check_target(parsed)
    check_size(parsed.rank, parsed.energy)
    resized = resize_lora(read_lora(parsed.file, _layout(parsed)), parsed.rank, parsed.energy)
    _write(resized.lora, parsed)
    print(f"{_ranks(resized.lora)}; relative error {resized.relative_error:.3g}")


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "inspect": _inspect,
    "convert": _convert,
    "merge": _merge,
    "extract": _extract,
    "resize": _resize,
}
