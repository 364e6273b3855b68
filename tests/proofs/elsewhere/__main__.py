"""Run other programs on the hub's files, and the hub on theirs: ``nox -s elsewhere``.

The programs lie where ``--programs`` says, each a folder with its code: ``sd-scripts``,
``LyCORIS``, ``ComfyUI``, ``A1111``, ``Forge``, ``SD.Next``, ``InvokeAI``, ``OneTrainer`` and
``stable-diffusion.cpp`` (see names.py), and beside it a file ``NAME.commit``. diffusers and PEFT
are installed. A program that is not there is skipped, and the page says so. What was run on the
same inputs before is not run again.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from harness import paths
from harness.contributions import registry
from toolkit.core.settings import REFERENCE_NAME

from . import consumed, names, page, produced
from .programs import Program, found_in
from .results import Consumed, Elsewhere, Made, Ran

CPP = "stable-diffusion.cpp"
PROGRAMS = paths.RUNS / "programs"
# One of each kind of file, by the real commands: own factors, every layer, the text encoder,
# singular values.
TRAINED = ("reference", "EveryLayer", "TextEncoderToo", "DoRA", "LoKr", "LoHa", "OFT")


def main(argv: Sequence[str] | None = None) -> int:
    """Run both directions, write the result and the page; return 0 when nothing differs."""
    parser = argparse.ArgumentParser(prog="nox -s elsewhere --", description=__doc__)
    parser.add_argument("--programs", type=Path, default=PROGRAMS, help="(default: %(default)s)")
    parser.add_argument("--contributions", nargs="*", metavar="NAME", help="(default: all)")
    parser.add_argument("--only", choices=("produced", "consumed"), help="one table")
    parser.add_argument("--in", nargs="*", dest="chosen", metavar="PROGRAM", help="some programs")
    parsed = parser.parse_args(argv)
    programs = found_in(parsed.programs)
    result = page.read()
    result.programs = programs_of(programs)
    chosen = parsed.contributions or [REFERENCE_NAME, *registry.contribution_names()]
    if parsed.only != "consumed":
        for one in produced.all_of(programs, parsed.chosen):
            page.keep(result, one)
            print(f"{one.name}: {one.outcome} {one.said}", flush=True)
    if parsed.only != "produced" and programs[CPP].folder is not None:
        result.named = list(names.named(programs[CPP]))
        page.write(result)
    if parsed.only != "produced":
        for found in rows(result, programs, chosen, parsed.chosen):
            page.keep(result, found)
            if isinstance(found, Consumed):
                print(*found.place, found.outcome, found.said, flush=True)
            else:
                print(f"{found.name}: {found.made or found.said}", flush=True)
    wrong = [one for one in result.produced if one.outcome == "differs"]
    return int(bool(wrong) or any(one.outcome == "differs" for one in result.consumed))


def programs_of(programs: dict[str, Program]) -> list[Ran]:
    """Return what is here, and at which commit."""
    return [
        *(
            Ran(name=one.name, version=one.commit, there=one.folder is not None)
            for one in programs.values()
        ),
        *(Ran(name=name, version=version(name), there=True) for name in ("diffusers", "peft")),
    ]


def rows(
    result: Elsewhere,
    programs: dict[str, Program],
    names: Sequence[str],
    chosen: Sequence[str] | None,
) -> Iterator[Consumed | Made]:
    """Yield what each program makes of each file, of those that are not known yet."""
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as temporary:
        table = consumed.Table(result, programs, chosen, Path(temporary))
        yield from table.narrow()
        for name in names:
            yield from table.sd14(name)
        yield from table.trained([name for name in names if name in TRAINED])


if __name__ == "__main__":
    raise SystemExit(main())
