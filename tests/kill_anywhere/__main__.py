"""Kill a run at 50 random moments; write docs/kill_anywhere.json.

nox -s kill_anywhere -- --moments 50 --seed 0
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from pathlib import Path

from harness import atomic, paths
from tests.kill_anywhere.kill import NAME, finish, kill_after, small_hub

FIGURES = paths.ROOT / "docs" / "kill_anywhere.json"


def main() -> int:
    """Run once undisturbed, kill often, run again; every part raises when it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="hub-kill-") as name:
        hub = small_hub(Path(name))
        seconds, undisturbed = finish(hub)
        print(f"undisturbed: {seconds:.1f} s", flush=True)
        killed, same = [], 0
        for number in range(args.moments):
            ended = list((hub / "runs" / "robot" / NAME).glob("*/row.json"))
            if number % 10 == 0 or ended:
                shutil.rmtree(hub / "runs")  # or there is nothing left to be killed in
            moment = chance.uniform(0, seconds * 0.95)
            where = kill_after(hub, moment)
            killed.append({"after_s": round(moment, 2), "last_line": where})
            print(f"{number + 1:3} killed after {moment:5.1f} s: {where}", flush=True)
            if number % 10 == 9:
                shutil.rmtree(hub / "runs" / "robot" / NAME, ignore_errors=True)
                _, again = finish(hub)
                if again != undisturbed:
                    print(undisturbed, again)
                    raise SystemExit("The next run's figures differ.")
                same += 1
                about = {"undisturbed_s": round(seconds, 1), "killed": killed}
                about |= {"runs_to_the_end_afterwards": same, "figures_the_same": same}
                atomic.write_text(FIGURES, json.dumps(about, indent=1) + "\n")
    print(f"{len(killed)} kills, {same} runs to the end afterwards, all with the same figures.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
