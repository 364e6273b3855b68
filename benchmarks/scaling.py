"""What a thousand contributions, and thousands of pictures, cost: one each, and whether that grows.

    python -m benchmarks.scaling hub [--counts 10,100,1000] [--out FILE]
    python -m benchmarks.scaling cache [--counts 500,1000,2000] [--out FILE]
    python -m benchmarks.scaling write        (docs/scale.md's tables, anew)

Each size is measured in a process of its own, by the processor's time, so that a busy machine does
not distort it. ``hub`` builds made-up contributions and rows with the real records; ``cache`` makes
small pictures and passes them through the embedded base's VAE, twice: once to fill the cache of
latents, once to read it back.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import paths
from harness.protocol.machine import describe_machine
from toolkit.core import atomic
from toolkit.core.settings import REFERENCE_NAME

# From the smallest to the largest size the cost of one may grow by this factor, no more.
MOST_GROWTH = 2.0
# By their rule they compare all pairs, so what one costs grows with the number of the others.
ALL_PAIRS = ("tie groups alone", "collect rows, ranked")
SIDE_PX = 64

RESULTS = paths.ROOT / "benchmarks" / "results"
PAGE = paths.ROOT / "docs" / "scale.md"
BEGIN = "<!-- scaling: begin. Written by `python -m benchmarks.scaling write`; do not edit. -->"
END = "<!-- scaling: end. -->"
CACHE_WORDS = (
    "The same for pictures of 64 x 64 px through the embedded base's VAE, with the cache of "
    "latents on disk (`python -m benchmarks.scaling cache`):"
)


def timed(work: Callable[[], object]) -> float:
    """Return the processor seconds of a piece of work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_hub(count: int) -> dict[str, float]:
    """Return the processor seconds of each command over a hub of ``count`` contributions."""
    from benchmarks import synthetic_hub
    from harness.board.collect import collect
    from harness.board.site import build
    from harness.check.run import check_many
    from harness.commands.list import load_if_possible
    from harness.commands.seeds import chosen_seeds
    from harness.contributions import registry
    from harness.protocol.statistics.groups import tie_groups
    from harness.runs.many.choose import choose
    from harness.runs.many.shard import cut
    from harness.runs.many.tasks import Task

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
            "list": timed(lambda: [load_if_possible(name) for name in names]),
            "registry": timed(registry.render_registry),
            "check --all": timed(lambda: check_many(folders, root=root)),
            "plan": timed(lambda: choices.append(choose(pattern, "track0", (), seeds))),
            "shard 1 of 100": timed(lambda: cut(choices[0].planned, 1, 100)),
            "collect rows, ranked": timed(collect),
        }
        board = collect()
        gains = {entry.name: entry.gains for entry in board.entries if entry.gains}
        found |= {"tie groups alone": timed(lambda: tie_groups(gains))}
        return found | {"build site": timed(lambda: build(board, root / "site"))}


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
        dataset: Any = None

        def read() -> None:
            nonlocal dataset
            dataset = make_dataset(folder, SIDE_PX, DatasetConfig())

        reading = timed(read)
        filling = timed(lambda: encode_dataset(vae, dataset, cache))
        filled = peak_mib()
        again = timed(lambda: encode_dataset(vae, dataset, cache))
        files = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
        return {
            "read the folder": reading,
            "fill the cache": filling,
            "read the cache": again,
            "peak_mib_before": start,
            "peak_mib_after": filled,
            "cache_bytes": files,
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
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 1024


MEASURES = {"hub": measure_hub, "cache": measure_cache}


def measured(what: str, count: int) -> dict[str, float]:
    """Measure one size in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scaling", what, "--one", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout)
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


def markdown(document: dict[str, Any]) -> str:
    """Return one table: a row per piece of work, a column per size."""
    works = {name: found for name, found in document.items() if isinstance(found, dict)}
    timed_works = {name: found for name, found in works.items() if "cpu_ms_per_one" in found}
    counts = list(next(iter(timed_works.values()))["cpu_ms_per_one"])
    heads = " | ".join(f"{int(count):,}" for count in counts)
    lines = [
        f"| processor ms for one of | {heads} | growth |",
        "|---|" + "---:|" * (len(counts) + 1),
    ]
    for name, found in timed_works.items():
        each = " | ".join(f"{found['cpu_ms_per_one'][count]:.2f}" for count in counts)
        growth = "" if found["growth"] is None else f"{found['growth']:.2f}"
        lines.append(f"| {name} | {each} | {growth} |")
    for name, found in works.items():
        if name not in timed_works:
            each = " | ".join(f"{found[count]:,}" for count in counts)
            lines.append(f"| {name.replace('_', ' ')} | {each} | |")
    return "\n".join(lines)


def write() -> None:
    """Put the tables of the committed results into docs/scale.md."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    hub, cache = (json.loads((RESULTS / f"scaling_{what}.json").read_bytes()) for what in MEASURES)
    body = f"{markdown(hub)}\n\n{CACHE_WORDS}\n\n{markdown(cache)}"
    atomic.write_text(PAGE, f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; return 1 when something grows faster than the number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("hub", "cache", "write"))
    parser.add_argument("--counts", default=None, help="sizes, with commas between")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    if args.what == "write":
        write()
        return 0
    if args.one is not None:
        print(json.dumps(MEASURES[args.what](args.one)))
        return 0
    counts = args.counts or ("10,100,1000" if args.what == "hub" else "500,1000,2000")
    sizes = {int(count): measured(args.what, int(count)) for count in counts.split(",")}
    lines, faults = table(sizes)
    machine = describe_machine(1, "none")
    document = {**lines, "processor": machine.processor, "python": machine.python}
    text = json.dumps(document, indent=1)
    print(text)
    if args.out is not None:
        atomic.write_text(args.out, text + "\n")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
