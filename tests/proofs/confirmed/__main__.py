"""Play smugglers and honest contributions through the confirmation of a recorded row.

    nox -s confirmed                        # half an hour on two idle cores
    nox -s confirmed -- GLoRA PutsItBack    # some of them

Each is trained and confirmed on `portrait` with a tenth of its budget, one seed and a quarter of
the grid's timesteps. Writes result.json and the table in docs/protocol.md; what was not played now
stays as it was recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.confirmation import Confirmation
from harness.protocol.track import Track, load_track
from harness.runs import pipeline
from harness.runs.confirm import confirmed_course
from harness.runs.graph.pool import Pool
from harness.runs.pipeline import Options
from tests.proofs.confirmed.smugglers import SMUGGLERS, Silent, smuggler, train_beforehand
from toolkit.core import atomic

RESULT = Path(__file__).with_name("result.json")
PAGE = paths.ROOT / "docs" / "protocol.md"
BEGIN = "<!-- confirmed: begin. Written by `nox -s confirmed`; do not edit. -->"
END = "<!-- confirmed: end -->"
SHARE = 0.1  # of the track's budget
THINNED = 4  # of the grid's timesteps, one of so many
BEFOREHAND = 8  # times that
HONEST = ("GLoRA", "RsLoRA16")


def stage() -> Track:
    """Return the track with a smaller budget, on which only losses are measured."""
    track = load_track("portrait")
    file = track.file.for_losses()
    grid = file.grid.model_copy(update={"timesteps": file.grid.timesteps[::THINNED]})
    smaller = {"steps": round(SHARE * file.steps), "grid": grid}
    return replace(track, file=file.model_copy(update=smaller))


def play(contribution: Contribution, track: Track) -> dict[str, Any]:
    """Run and confirm one contribution; return what its row says."""
    options = Options(seeds=track.file.seeds[:1], skip_gate=True, fresh=True)
    # The static check refuses a smuggler's file; here it is what training cannot hide that counts.
    with mock.patch.object(pipeline, "check", return_value=[]):
        course = confirmed_course(contribution, track, options, Silent())
        row = Pool().run(course, Silent()).row
    assert row.confirmation is not None, row.error
    return {
        "confirmation": row.confirmation.model_dump(mode="json"),
        "status": row.status,
        "flags": {flag.kind: flag.text for flag in row.flags},
    }


def main() -> int:
    """Play, print and record; return 1 when one did not end as it has to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join((*HONEST, *SMUGGLERS))}")
    names = parser.parse_args().names or [*HONEST, *SMUGGLERS]
    track, place = stage(), paths.RUNS / "confirmed" / f"p{os.getpid()}"
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    try:
        for name in names:
            if name in SMUGGLERS:
                weights = train_beforehand(track, BEFOREHAND * track.file.steps)
                one = smuggler(name, weights, place)
            else:
                one = registry.load(name)
            known[name] = play(one, track)
            print(name, known[name]["status"], known[name]["flags"], flush=True)
            known = {name: known[name] for name in (*HONEST, *SMUGGLERS) if name in known}
            atomic.write_text(RESULT, json.dumps(known, indent=1) + "\n")
            write_page(known)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return int(any(is_wrong(name, found) for name, found in known.items()))


def write_page(known: dict[str, Any]) -> None:
    """Write the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    atomic.write_text(PAGE, f"{before}{BEGIN}\n\n{table(known)}\n\n{END}{rest.split(END)[1]}")


def is_wrong(name: str, found: dict[str, Any]) -> bool:
    """Tell whether an honest one was flagged, or a smuggler was not."""
    return ("brought along" in found["flags"]) != (name in SMUGGLERS)


def table(known: dict[str, Any]) -> str:
    """Return a row for each: gains of the contribution and, in brackets, of the reference."""
    lines = [
        "| contribution | gain | on exchanged pictures of their kind | kept on the track's | on "
        "the second held-out set | seen |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, found in known.items():
        one = Confirmation.model_validate(found["confirmation"])
        assert one.exchange is not None and one.second_heldout is not None
        gains = (one.exchange.scored, one.exchange.carried, one.exchange.kept)
        cells = [
            f"{100 * pair.own:.1f} ({100 * pair.reference:.1f})"
            for pair in (*gains, one.second_heldout.second)
        ]
        told = f"`{name}`: {SMUGGLERS[name][0]}" if name in SMUGGLERS else f"`{name}`, honest"
        seen = "**brought along**" if "brought along" in found["flags"] else "nothing"
        lines.append(f"| {told} | {' | '.join(cells)} | {seen} |")
    if missing := [f"`{name}`" for name in (*HONEST, *SMUGGLERS) if name not in known]:
        lines += ["", f"Not played yet: {', '.join(missing)}."]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
