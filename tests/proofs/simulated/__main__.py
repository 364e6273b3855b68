"""Simulate boards whose truth is known, and say what the board makes of them.

    nox -s simulate                    # 500 boards of each kind: a few minutes on one core
    nox -s simulate -- --boards 100

Writes result.json and the table in docs/protocol.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from harness import paths
from tests.proofs.simulated.boards import Found, simulate, truths
from toolkit.core import atomic

RESULT = Path(__file__).with_name("result.json")
PAGE = paths.ROOT / "docs" / "protocol.md"
BEGIN = "<!-- simulated: begin. Written by `nox -s simulate`; do not edit. -->"
END = "<!-- simulated: end -->"


def main() -> int:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--boards", type=int, default=500, help="of each kind (%(default)s)")
    boards = parser.parse_args().boards
    found = []
    for truth in truths():
        found.append(simulate(truth, boards))
        print(found[-1].model_dump_json(), flush=True)
    atomic.write_text(RESULT, json.dumps([one.model_dump() for one in found], indent=1) + "\n")
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    atomic.write_text(PAGE, f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{rest.split(END)[1]}")
    return 0


def known() -> list[Found]:
    """Return what is recorded."""
    return [Found.model_validate(one) for one in json.loads(RESULT.read_text(encoding="utf-8"))]


def table(found: Sequence[Found]) -> str:
    """Return a row for each truth."""
    lines = [
        "| truth | any false difference | all intervals hold | one interval holds | of a run | a "
        "best one stands first | is in group 1 | the first is behind by | pairs a point apart that "
        "differ |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        shares = (
            one.any_false,
            one.all_hold,
            one.each_holds,
            one.run_holds,
            one.best_first,
            one.best_in_first_group,
        )
        cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
        apart = "" if one.found_apart is None else f"{100 * one.found_apart:.0f} %"
        behind = f"{one.points_behind:.2f} points"
        lines.append(f"| {one.about} ({one.methods}) | {cells} | {behind} | {apart} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
