"""Kill a run, and a build of the board, at 50 random moments each; write docs/kill_anywhere.json.

nox -s kill_anywhere -- --moments 50 --seed 0
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from pathlib import Path

from harness import paths
from tests.kill_anywhere.kill import SUBJECTS, Subject, finish, kill_after, small_hub
from toolkit.core import atomic

FIGURES = paths.ROOT / "docs" / "kill_anywhere.json"
# After so many kills a command runs to the end and is compared with the undisturbed one.
BETWEEN = 10


def main() -> int:
    """Run once undisturbed, kill often, run again; every part raises when it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50, help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--only", choices=SUBJECTS, help="one of them (default: both)")
    args = parser.parse_args()
    names = [args.only] if args.only else list(SUBJECTS)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="hub-kill-") as folder:
            found = kill_often(SUBJECTS[name], small_hub(Path(folder)), args.moments, args.seed)
        record(name, found)
    return 0


def kill_often(subject: Subject, hub: Path, moments: int, seed: int) -> dict[str, object]:
    """Kill one command at random moments; return what happened."""
    chance = random.Random(f"{subject.name} {seed}")
    seconds, undisturbed = finish(hub, subject)
    print(f"{subject.name}, undisturbed: {seconds:.1f} s", flush=True)
    killed: list[dict[str, object]] = []
    same = 0
    for number in range(1, moments + 1):
        if number % BETWEEN == 1:
            shutil.rmtree(hub / "runs")  # the reference's run, too, so that it is killed as well
        moment = chance.uniform(0, seconds * 0.95)
        where = kill_after(hub, subject, moment, undisturbed)
        killed.append({"after_s": round(moment, 2), "last_line": where})
        print(f"{number:3} killed after {moment:5.1f} s: {where}", flush=True)
        if number % BETWEEN == 0 or number == moments:
            _, again = finish(hub, subject)
            if again != undisturbed:
                raise SystemExit(f"The next {subject.name} ends differently.")
            same += 1
    print(f"{len(killed)} kills, {same} to the end afterwards, all with the same result.")
    return {
        "undisturbed_s": round(seconds, 1),
        "kills": len(killed),
        "to_the_end_afterwards": same,
        "same_result": same,
        "killed": killed,
    }


def record(name: str, found: dict[str, object]) -> None:
    """Write what happened to one command; the other's stays."""
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    kept = {key: value for key, value in known.items() if key in SUBJECTS}
    atomic.write_text(FIGURES, json.dumps(kept | {name: found}, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
