"""What a thousand contributions, and thousands of pictures, cost: one each, and whether that grows.

    python -m benchmarks.scaling hub [--counts 10,100]
    python -m benchmarks.scaling cache [--counts 500,1000,2000]

Each size is measured in a process of its own, by the processor's time, so that a busy machine does
not distort it. ``hub`` builds made-up contributions and rows with the real records; ``cache`` makes
small pictures and passes them through the embedded base's VAE, twice: once to fill the cache of
latents, once to read it back. With other counts than the usual nothing is written.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.page import record
from benchmarks.processes import cpu_seconds, use
from harness import paths
from toolkit.core.settings import REFERENCE_NAME

# From the smallest to the largest size the cost of one may grow by this factor, no more.
MOST_GROWTH = 2.0
# By their rule they compare all pairs, so what one costs grows with the number of the others.
ALL_PAIRS = ("tie groups alone", "collect rows, ranked")
SIDE_PX = 64


def measure_hub(count: int) -> dict[str, float]:
    """Return the processor seconds of each command over a hub of ``count`` contributions."""
    from harness.board.collect import collect
    from harness.board.site import build
    from harness.check.run import check_many
    from harness.commands.list import load_if_possible
    from harness.commands.seeds import chosen_seeds
    from harness.contributions import registry
    from harness.protocol.statistics.groups import compare_all
    from harness.runs.many.choose import choose
    from harness.runs.many.shard import cut
    from harness.runs.many.tasks import Task
    from tests.harness.board import synthetic_hub

    real = paths.TRACKS
    own = tempfile.TemporaryDirectory(prefix="hub-scaling-")
    with own as temporary, synthetic_hub.hub_at(Path(temporary) / "hub") as root:
        for library in ("harness", "toolkit"):  # a run key is over them, too
            (root / library).symlink_to(real.parent / library, target_is_directory=True)
        synthetic_hub.fill(real, count, tracks=1)
        names = registry.contribution_names()
        folders = [paths.CONTRIBUTIONS / name for name in names]
        pattern = Task(contribution=REFERENCE_NAME, track="")
        seeds = partial(chosen_seeds, None, every=True)
        choices: list[Any] = []
        found = {
            "list": cpu_seconds(lambda: [load_if_possible(name) for name in names]),
            "registry": cpu_seconds(registry.render_registry),
            "check --all": cpu_seconds(lambda: check_many(folders, root=root)),
            "plan": cpu_seconds(lambda: choices.append(choose(pattern, "track0", (), seeds))),
            "shard 1 of 100": cpu_seconds(lambda: cut(choices[0].planned, 1, 100)),
            "collect rows, ranked": cpu_seconds(collect),
        }
        board = collect()
        gains = {entry.name: entry.gains for entry in board.entries if entry.gains}
        found |= {"tie groups alone": cpu_seconds(compare_all(gains).groups)}
        return found | {"build site": cpu_seconds(lambda: build(board, root / "site"))}


def measure_cache(count: int) -> dict[str, float]:
    """Return seconds and memory of the cache of latents over ``count`` small pictures."""
    import torch
    from diffusers import AutoencoderKL

    from src.dataset import make_dataset
    from toolkit.core.settings import DatasetConfig
    from toolkit.picture_sets.latent_cache import encode_dataset

    torch.set_num_threads(1)
    vae = AutoencoderKL.from_pretrained(paths.ROOT / "models/tiny-sd", subfolder="vae")
    vae.requires_grad_(False).eval()
    with tempfile.TemporaryDirectory(prefix="hub-scaling-") as temporary:
        folder, cache = Path(temporary) / "set", Path(temporary) / "cache"
        make_pictures(folder, count)
        start = peak_mib()
        read: list[Any] = []
        found = {
            "read the folder": cpu_seconds(
                lambda: read.append(make_dataset(folder, SIDE_PX, DatasetConfig()))
            ),
            "fill the cache": cpu_seconds(lambda: encode_dataset(vae, read[0], cache)),
        }
        filled = peak_mib()
        return found | {
            "read the cache": cpu_seconds(lambda: encode_dataset(vae, read[0], cache)),
            "peak_mib_before": start,
            "peak_mib_after": filled,
            "cache_bytes": sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()),
        }


def make_pictures(folder: Path, count: int) -> None:
    """Write small pictures, each of its own colour, with captions."""
    from PIL import Image

    (folder / "Images").mkdir(parents=True)
    (folder / "ImageCaptions").mkdir()
    for number in range(count):
        colour = (number % 256, number // 256 % 256, number // 65536)
        Image.new("RGB", (SIDE_PX, SIDE_PX), colour).save(folder / "Images" / f"{number:06}.png")
        (folder / "ImageCaptions" / f"{number:06}.txt").write_text("a plain colour")


def peak_mib() -> float:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # of KiB


MEASURES = {"hub": measure_hub, "cache": measure_cache}
COUNTS = {"hub": (10, 100, 1000), "cache": (1000, 10_000, 100_000)}


def measured(what: str, count: int) -> dict[str, float]:
    """Measure one size in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scaling", what, "--one", str(count)]
    found: dict[str, float] = json.loads(use(command, f"{what} {count}").output.splitlines()[-1])
    return found


def table(sizes: dict[int, dict[str, float]]) -> tuple[dict[str, Any], list[str]]:
    """Return the cost of one per size, and how it grows; and what grows too much."""
    smallest, largest = min(sizes), max(sizes)
    lines: dict[str, Any] = {}
    faults = []
    for name in sizes[smallest]:
        if name.startswith(("peak", "cache_bytes")):
            lines[name] = {count: round(found[name]) for count, found in sizes.items()}
            continue
        each = {count: round(1e3 * found[name] / count, 4) for count, found in sizes.items()}
        # Below a hundredth of a second the clock's own steps are most of what is seen.
        steady = {n: ms for n, ms in each.items() if sizes[n][name] > 0.01}
        growth = round(each[largest] / min(steady.values()), 2) if steady else None
        lines[name] = {"cpu_ms_per_one": each, "growth": growth}
        if name not in ALL_PAIRS and growth is not None and growth > MOST_GROWTH:
            faults.append(f"{name}: one costs {growth} times more among {largest}")
    return lines | {"smallest": smallest, "largest": largest}, faults


def main() -> int:
    """Measure, print, write; return 1 when something grows faster than the number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("--counts", help="sizes, with commas between")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(MEASURES[args.what](args.one)))
        return 0
    counts = [int(count) for count in args.counts.split(",")] if args.counts else COUNTS[args.what]
    found, faults = table({count: measured(args.what, count) for count in counts})
    print(json.dumps(found, indent=1))
    if not args.counts:
        record(f"scaling_{args.what}", found)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
