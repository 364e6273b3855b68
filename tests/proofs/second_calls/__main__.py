"""Walk all pairs of operations and random threes on one live pipeline: ``nox -s second-calls``."""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proofs.second_calls.operations import OPERATIONS
from tests.proofs.second_calls.state import State, differences, prepared, seen

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

Walk = tuple[str, ...]


def faults_of(walk: Walk, pristine: StableDiffusionPipeline, folder: Path) -> list[str]:
    """Carry out a walk; say where its last step is not what a fresh start makes of it."""
    live = State.start(pristine, folder)
    for name in walk[:-1]:
        OPERATIONS[name](live)
    fresh = live.again(pristine)
    found = [f"before: {one}" for one in differences(quiet(live), quiet(fresh))]
    results = [OPERATIONS[walk[-1]](state) for state in (live, fresh)]
    found += [f"answer{one}" for one in differences(*results)]
    found += [f"weights{one}" for one in differences(live.weights(), fresh.weights())]
    return found + [f"left{one}" for one in differences(quiet(live), quiet(fresh))]


def quiet(state: State) -> dict[str, object]:
    """Return what is seen, without gradients, which every step begins by clearing."""
    left = seen(state)
    for value in left.values():
        if isinstance(value, dict) and "parameters" in value:
            value["parameters"] = {k: v[:2] for k, v in value["parameters"].items()}
    return left


def walks(threes: int, seed: int) -> Iterable[Walk]:
    """Return each operation alone, all pairs, and random threes."""
    names = list(OPERATIONS)
    yield from ((name,) for name in names)
    yield from itertools.product(names, repeat=2)
    rng = random.Random(seed)
    yield from (tuple(rng.choices(names, k=3)) for _ in range(threes))


def main(argv: Sequence[str] | None = None) -> int:
    """Walk; print every fault; return 1 if there is one."""
    parser = argparse.ArgumentParser(prog="nox -s second-calls --", description=__doc__)
    parser.add_argument("--threes", type=int, default=2000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the threes (default: %(default)s)")
    parser.add_argument("--first", type=int, help="only so many walks")
    parsed = parser.parse_args(argv)
    faulty = total = 0
    with tempfile.TemporaryDirectory(prefix="second-calls-") as temporary:
        pristine = prepared(Path(temporary))
        for walk in itertools.islice(walks(parsed.threes, parsed.seed), parsed.first):
            total += 1
            found = faults_of(walk, pristine, Path(temporary))
            if found:
                faulty += 1
                print(f"{', then '.join(walk)}: {'; '.join(found[:3])}", flush=True)
    print(f"{total} walks, {faulty} with a fault.")
    return int(faulty > 0)


if __name__ == "__main__":
    sys.exit(main())
