"""Measure everything, one program after the other: ``nox -s bench``.

    python -m benchmarks [NAME ...] [--diffusers FILE ...]

Peers come by path, see ``python -m benchmarks.whole_process --help``; without them their program is
left out, and says so, rather than losing what is committed. What fails stops nothing else, and is
listed at the end.
"""

from __future__ import annotations

import subprocess
import sys

from harness import paths

PROGRAMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "training_step": ((), ("--sd14", "--px", "256"), ("--sd14", "--px", "512")),
    "whole_process": ((),),
    "commands": ((),),
    "parts": ((),),
    "profile": ((),),
    "sandbox": ((),),
    "site": ((),),
    "scaling": (("hub",), ("cache",)),
}


def main(words: list[str]) -> int:
    """Run what is named, or everything; return 1 when something failed."""
    options = words[next((i for i, word in enumerate(words) if word.startswith("-")), len(words)) :]
    names = words[: len(words) - len(options)]
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        print(f"error: there is no benchmark {', '.join(unknown)}.", file=sys.stderr)
        print(f"  fix  these there are: {', '.join(PROGRAMS)}.", file=sys.stderr)
        return 2
    failed = []
    for name in names or PROGRAMS:
        for arguments in PROGRAMS[name]:
            given = options if name == "whole_process" else []
            if not run(name, *arguments, *given):
                failed.append(" ".join((name, *arguments)))
    if failed:
        print(f"Failed: {'; '.join(failed)}. Their words are above.", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, *arguments: str) -> bool:
    """Run one program; return whether it worked."""
    print(f"-- {name} {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    return subprocess.run(command, cwd=paths.ROOT, check=False).returncode == 0  # noqa: S603


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
