"""Run a dozen methods on a track's base and on one of half its width; compare the orders.

    python -m recipes.tiny_sd --size half ...         # makes the half base: docs/base_model.md
    python -m recipes.two_sizes                       # resumes where it was killed

The half base gets a track of its own, below ``runs/tracks``: the same pictures, prompts, budget and
grid. Writes ``measured/TRACK.json`` here, and of the whole dozen ``TRACK.svg`` and the block in
docs/base_model.md. What is measured of today's code on today's weights is kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness import paths
from harness.protocol.base_model import check_folder
from harness.protocol.machine import describe_machine
from harness.protocol.track import Track, load_track, own_tracks
from recipes.two_sizes import methods, page
from recipes.two_sizes.agreement import agreement, one_seed_each
from recipes.two_sizes.page import SIZES
from toolkit.core import atomic

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

HALF_MODEL: Final = paths.ROOT / "runs" / "tiny_sd-half" / "model"


def half_track(track: Track, model: Path) -> Track:
    """Return the track on another base, as an own track that borrows everything else.

    Args:
        track: One of the hub's.
        model: Folder of the other base.
    """
    name = f"{track.file.name}-half"
    text = (track.folder / "track.toml").read_text(encoding="utf-8")
    replaced = {
        f'name = "{track.file.name}"': f'name = "{name}"\npictures = "{track.file.name}"',
        f'base_model = "{track.file.base_model}"': f'base_model = "{model.resolve()}"',
    }
    for before, after in replaced.items():
        lines = text.splitlines()
        if lines.count(before) != 1:
            raise ValueError(f"{track.folder / 'track.toml'} has no line {before!r}")
        lines[lines.index(before)] = after
        text = "\n".join(lines) + "\n"
    folder = own_tracks() / name
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_text(folder / "track.toml", text)
    return load_track(name)


def described(track: Track, known: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be known of a track's base.

    Args:
        track: Whose base.
        known: What an earlier call returned; it is kept if it is of the same base.
    """
    if known.get("protocol") == track.protocol_hash():
        return known
    from harness.scoring.jobs import ScoreJob
    from harness.scoring.measuring import Bench
    from toolkit.base_models.load import load_pipeline

    pipeline: StableDiffusionPipeline = load_pipeline(str(track.base_model))
    trained = json.loads((track.base_model / "training.json").read_bytes())
    counted = (pipeline.unet, pipeline.text_encoder)
    bench = Bench(pipeline, ScoreJob.on(track, (), page.FOLDER))
    return {
        "protocol": track.protocol_hash(),
        "widths": list(pipeline.unet.config.block_out_channels),
        "parameters": sum(p.numel() for module in counted for p in module.parameters()),
        "unet_samples": trained["unet_samples"],
        "heldout_loss": bench.base.heldout.mean,
        "hit_rate": sum(hits := bench.figures(bench.base).pictures.hits) / len(hits),
    }


def measure(tracks: dict[str, Track], names: list[str], seeds: int) -> dict[str, Any]:
    """Run what is not measured yet, and write each result as it comes.

    Args:
        tracks: Size -> track.
        names: Methods, in the order of the table's rows that tie.
        seeds: How many of each.

    Returns:
        What is written, without the agreement.
    """
    full = tracks[SIZES[0]].file
    file = page.FOLDER / f"{full.name}.json"
    before = json.loads(file.read_bytes()) if file.is_file() else {"bases": {}, "methods": {}}
    old = before["methods"]
    found: dict[str, Any] = {
        "track": full.name,
        "seeds": list(full.seeds[:seeds]),
        "steps": full.steps,
        "batch_size": full.batch_size,
        "bases": {
            size: described(track, before["bases"].get(size, {})) for size, track in tracks.items()
        },
        "methods": {},
        "machine": describe_machine(1, "process").model_dump(),
    }
    for name in names:
        own = found["methods"][name] = {}
        for size, track in tracks.items():
            of = [methods.content_hash(name), track.protocol_hash(), found["seeds"]]
            known = old.get(name, {}).get(size, {})
            own[size] = (
                known if known.get("of") == of else {"of": of, **methods.run(name, track, seeds)}
            )
            kept = {**found, "methods": old | found["methods"]}
            atomic.write_text(file, json.dumps(kept, indent=1) + "\n")
    return found


def main() -> int:
    """Read the command line, measure, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", type=Path, default=HALF_MODEL, help="folder of the half base")
    parser.add_argument("--track", default="portrait", help="of the hub's (default: %(default)s)")
    parser.add_argument(
        "--seeds", type=int, default=3, help="of the track's (default: %(default)s)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=methods.METHODS,
        default=[*methods.METHODS],
        metavar="NAME",
        help=f"of {', '.join(methods.METHODS)}; the page is written of all of them",
    )
    options = parser.parse_args()
    track = load_track(options.track)
    check_folder(options.half)
    page.FOLDER.mkdir(exist_ok=True)
    tracks = dict(zip(SIZES, (track, half_track(track, options.half)), strict=True))
    found = measure(tracks, options.only, options.seeds)
    sides = [page.gains(found, size) for size in SIZES]
    found["agreement"] = agreement(*sides)
    found["one_seed_each"] = one_seed_each(*sides) if options.seeds > 1 else None
    print("\n".join(page.agreement_lines(found)))
    if set(options.only) == set(methods.METHODS):
        page.write(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
