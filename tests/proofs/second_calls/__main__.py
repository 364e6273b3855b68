"""Walk all pairs of operations and random threes on one live pipeline: ``nox -s second-calls``.

Stopped, it goes on where it was, as long as neither ``src/`` nor ``toolkit/`` nor the operations
have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tqdm import tqdm

from harness import paths
from tests.proofs.elsewhere import page
from tests.proofs.second_calls.operations import OPERATIONS
from tests.proofs.second_calls.state import State, differences, prepared, seen
from toolkit.core import atomic
from toolkit.core.hashing import content_hash

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

HERE: Final = Path(__file__).parent
RESULT: Final = HERE / "result.json"
# On what a walk depends.
FOLDERS: Final = (paths.ROOT / "src", paths.ROOT / "toolkit")
FILES: Final = (HERE / "operations.py", HERE / "state.py")

Walk = tuple[str, ...]


def faults_of(walk: Walk, pristine: StableDiffusionPipeline, folder: Path) -> list[str]:
    """Carry out a walk; say where its last step is not what a fresh start makes of it."""
    live = State.start(pristine, folder)
    for name in walk[:-1]:
        OPERATIONS[name](live)
    fresh = live.again(pristine)
    found = [f"before: {one}" for one in differences(seen(live), seen(fresh))]
    results = [OPERATIONS[walk[-1]](state) for state in (live, fresh)]
    found += [f"answer{one}" for one in differences(*results)]
    found += [f"weights{one}" for one in differences(live.weights(), fresh.weights())]
    return found + [f"left{one}" for one in differences(seen(live), seen(fresh))]


def walks(threes: int, seed: int) -> Iterator[Walk]:
    """Return each operation alone, all pairs, and random threes."""
    names = list(OPERATIONS)
    yield from ((name,) for name in names)
    yield from itertools.product(names, repeat=2)
    rng = random.Random(seed)
    yield from (tuple(rng.choices(names, k=3)) for _ in range(threes))


def progress_file() -> Path:
    """Return where walks of exactly this code are noted, one line each."""
    digest = hashlib.sha256("".join(map(content_hash, FOLDERS)).encode())
    for file in FILES:
        digest.update(file.read_bytes())
    return paths.RUNS / f"second-calls-{digest.hexdigest()[:12]}.jsonl"


def walked(file: Path) -> dict[Walk, list[str]]:
    """Return what is known of walks: their faults. A line that a kill cut off is taken away."""
    if not file.is_file():
        return {}
    whole, newline, _ = file.read_text(encoding="utf-8").rpartition("\n")
    atomic.write_text(file, whole + newline)
    known = [json.loads(line) for line in whole.splitlines()]
    return {tuple(one["walk"]): one["faults"] for one in known}


def main(argv: Sequence[str] | None = None) -> int:
    """Walk; print every fault; write the result; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="nox -s second-calls --", description=__doc__)
    parser.add_argument("--threes", type=int, default=2000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the threes (default: %(default)s)")
    parsed = parser.parse_args(argv)
    todo, file = list(walks(parsed.threes, parsed.seed)), progress_file()
    known = walked(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="second-calls-") as temporary, file.open("a") as notes:
        pristine = prepared(Path(temporary))
        for walk in tqdm([walk for walk in dict.fromkeys(todo) if walk not in known]):
            found = faults_of(walk, pristine, Path(temporary))
            known[walk] = found
            notes.write(json.dumps({"walk": walk, "faults": found[:9]}) + "\n")
            notes.flush()
            if found:
                tqdm.write(f"{', then '.join(walk)}: {'; '.join(found[:3])}")
    faulty = [", then ".join(walk) for walk in dict.fromkeys(todo) if known[walk]]
    result = {
        "operations": list(OPERATIONS),
        "pairs": len(OPERATIONS) ** 2,
        "threes": parsed.threes,
        "seed": parsed.seed,
        "faulty": faulty,
    }
    atomic.write_text(RESULT, json.dumps(result, indent=1) + "\n")
    page.refresh()
    print(f"{len(todo)} walks, {len(faulty)} with a fault.")
    return int(bool(faulty))


if __name__ == "__main__":
    sys.exit(main())
