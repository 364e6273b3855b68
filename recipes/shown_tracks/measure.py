"""Measure tracks: base, real pictures, the reference after its budget, its ranks and rates.

    python -m recipes.shown_tracks.measure                    # all tracks, all of the page
    python -m recipes.shown_tracks.measure --track portrait --only "rate x 10" --seeds 0 1 2

Each variant is the code of ``src/``, trained in this process and scored by the hub's scorer. Writes
``recipes/shown_tracks/measured/TRACK.json`` and ``TRACK.webp``: the pictures of the taught prompts
of the first seed, a row for the base and each variant, green where the judge counts a hit, red
where it counts none. What is measured already is kept; --fresh measures it again. One core needs
about a minute for each variant and seed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from PIL import Image, ImageOps

from harness import paths
from harness.protocol.machine import describe_machine
from harness.protocol.statistics.share import share_interval
from harness.protocol.track import Track, load_track
from harness.protocol.track_file import Prompt
from harness.scoring.grid import encode_pictures
from harness.scoring.hits import binding_hits, nearest_is_taught, on_grey
from harness.scoring.jobs import ScoreJob
from harness.scoring.measuring import Bench, Look
from harness.scoring.pictures import read_folder, stems
from harness.scoring.sampler import decode, to_pixel_values
from recipes.shown_tracks import halves
from recipes.shown_tracks.page import BASE, FOLDER, REAL, REFERENCE
from src.dataset import make_dataset
from src.lora import make_lora
from src.train import train
from src.utils import seed_everything
from toolkit.base_models.load import load_pipeline
from toolkit.core import atomic
from toolkit.core.settings import DatasetConfig, LoraConfig, TrainConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

FIRST_SEED: Final = 0
DRAWN: Final = paths.RUNS / "shown_tracks"
SIDE_PX, GAP_PX = 96, 3
HIT, MISS = (40, 170, 60), (200, 50, 50)


@dataclass(frozen=True)
class Variant:
    """The reference with another rank or rate."""

    rank: int = LoraConfig().rank
    times_rate: float = 1.0

    @property
    def lora(self) -> LoraConfig:
        """Its adapter's settings."""
        return LoraConfig(rank=self.rank)

    @property
    def rate(self) -> float:
        """Its learning rate."""
        return TrainConfig().learning_rate * self.times_rate

    def training(self, track: Track, seed: int) -> TrainConfig:
        """Return its settings of the training, with the track's budget."""
        return TrainConfig(
            learning_rate=self.rate,
            seed=seed,
            steps=track.file.steps,
            batch_size=track.file.batch_size,
        )


# The reference comes first: it is also rank 4 and rate x 1.
VARIANTS: Final = {
    REFERENCE: Variant(),
    "rank 1": Variant(rank=1),
    "rank 16": Variant(rank=16),
    "rate x 0.1": Variant(times_rate=0.1),
    "rate x 10": Variant(times_rate=10),
}


@dataclass(frozen=True)
class Shown:
    """What the page shows of a track."""

    variants: Sequence[str]
    seeds: Sequence[int] = (FIRST_SEED, 1, 2)


# Whether ranks and rates are told apart is a question to one track.
SHOWN: Final = {
    "halves": Shown([REFERENCE]),
    "photo": Shown([REFERENCE]),
    "portrait": Shown([*VARIANTS]),
    "silhouette": Shown([REFERENCE, "rank 16"]),
}


class Silent:
    """Hears of each step and says nothing."""

    def step(self, step: int, loss: float) -> None:
        """Take a step's number and loss."""


def trained(track: Track, variant: Variant, seed: int) -> tuple[StableDiffusionPipeline, float]:
    """Return the base with a trained adapter, and the processor time of the training in seconds."""
    pipeline = load_pipeline(str(track.base_model))
    seed_everything(seed)
    began = time.process_time()
    dataset = make_dataset(
        data_dir=track.train_dir, resolution=track.file.resolution, config=DatasetConfig()
    )
    adapter = make_lora(pipeline=pipeline, config=variant.lora)
    train(
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=variant.training(track, seed),
        reporter=Silent(),
    )
    return pipeline, time.process_time() - began


def figures_of(bench: Bench, look: Look) -> dict[str, Any]:
    """Return the figures that tell variants apart.

    `band_gains` are the gains at little, middle and much noise.
    """
    figures = bench.figures(look)
    bands = zip(bench.base.heldout.bands, look.heldout.bands, strict=True)
    hits = figures.pictures.hits
    return {
        "gain": figures.gain,
        "band_gains": [(base - own) / base for base, own in bands],
        "train_gain": figures.train_gain,
        "drift": figures.drift,
        "copies": figures.pictures.copies,
        "hits": [*hits],
        **share_of(hits),
    }


def share_of(hits: tuple[bool, ...]) -> dict[str, Any]:
    """Return a hit rate with its 95 % interval."""
    return {"hit_rate": sum(hits) / len(hits), "interval_95": share_interval(sum(hits), len(hits))}


def real_pictures(bench: Bench, track: Track) -> dict[str, Any]:
    """Return how many real pictures are hits, seen through the base's autoencoder.

    Of a subject these are the training pictures. Of a style they are mirror images of the held-out
    drawings, for a drawing would be nearest to itself. Of colours they are all pictures.
    """
    kind, side = track.file.kind, track.file.resolution
    folders = [track.heldout_dir] if kind == "style" else [track.train_dir]
    if kind == "binding":
        folders.append(track.heldout_dir)
    read = [read_folder(folder, side) for folder in folders]
    pixels = torch.cat([pictures for pictures, _ in read])  # (n, 3, H, W)
    if kind == "style":
        pixels = pixels.flip(-1)
        prompts = [Prompt(text=s, kind="instance", like=s) for s in stems(track.heldout_dir)]
    else:
        prompts = [asked(caption, kind) for _, captions in read for caption in captions]
    batch = track.file.sampling.batch_size
    shown = to_pixel_values(
        decode(bench.pipeline, encode_pictures(bench.pipeline, pixels, batch), batch)
    )
    if kind == "binding":
        hits = binding_hits(shown, prompts, track.file.colours)
    else:
        if bench.judge is None or bench.candidates is None:
            raise RuntimeError("The track's judge is not here.")
        features = bench.judge.embed(on_grey(shown) if track.file.colours else shown)
        hits = nearest_is_taught(features, prompts, bench.candidates)
    return {"hits": hits, **share_of(tuple(hits))}


def asked(caption: str, kind: str) -> Prompt:
    """Return a caption as a prompt; of colours with those that it names."""
    if kind != "binding":
        return Prompt(text=caption, kind="instance")
    words = caption.split()
    colours = {"ink": words[1], "lower": words[3], "background": halves.GROUND}
    return Prompt(text=caption, kind="instance", **colours)


def strip(pictures: list[Image.Image], hits: list[bool]) -> Image.Image:
    """Put the pictures of one model side by side in frames: green is a hit, red is none."""
    step = SIDE_PX + 2 * GAP_PX
    paper = Image.new("RGB", (len(pictures) * step, step), "white")
    for column, (picture, hit) in enumerate(zip(pictures, hits, strict=True)):
        large = picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        paper.paste(
            ImageOps.expand(large, GAP_PX - 1, HIT if hit else MISS), (column * step + 1, 1)
        )
    return paper


def measure(track: Track, names: Sequence[str], seeds: Sequence[int], fresh: bool) -> None:
    """Measure base, real pictures and the variants that are asked for; write figures and sheet."""
    name, protocol = track.file.name, track.protocol_hash()
    file, drawn = FOLDER / f"{name}.json", DRAWN / name
    old = json.loads(file.read_bytes()) if file.is_file() and not fresh else {}
    if old.get("protocol") != protocol:
        old = {}
        shutil.rmtree(drawn, ignore_errors=True)  # pictures of other weights
    bench = Bench(load_pipeline(str(track.base_model)), ScoreJob.on(track, (), FOLDER))
    found = {
        "track": name,
        "protocol": protocol,
        "steps": track.file.steps,
        "batch_size": track.file.batch_size,
        BASE: figures_of(bench, bench.base),
        REAL: real_pictures(bench, track),
        "variants": old.get("variants", {}),
        "machine": describe_machine(1, "process").model_dump(),
    }
    drawn.mkdir(parents=True, exist_ok=True)

    def keep(label: str, look: Look, hits: list[bool]) -> None:
        strip([look.drawn[i] for i in bench.learnt], hits).save(drawn / f"{label}.png")

    keep(BASE, bench.base, found[BASE]["hits"])
    for label, seed in itertools.product(names, seeds):
        variant = VARIANTS[label]
        settings = {"rank": variant.rank, "learning_rate": variant.rate, "seeds": {}}
        of_seeds = found["variants"].setdefault(label, settings)["seeds"]
        if str(seed) in of_seeds:
            continue
        pipeline, seconds = trained(track, variant, seed)
        look = bench.look(pipeline)
        figures = of_seeds[str(seed)] = {**figures_of(bench, look), "cpu_s": seconds}
        if seed == FIRST_SEED:
            keep(label, look, figures["hits"])
        gain, rate = figures["gain"], figures["hit_rate"]
        print(
            f"{name}, {label}, seed {seed}: gain {gain:+.1%}, hit rate {rate:.0%}, {seconds:.0f} s"
        )
        atomic.write_text(file, json.dumps(found, indent=1) + "\n")
    rows = [BASE, *(one for one in VARIANTS if one in found["variants"])]
    gone = [one for one in rows if not (drawn / f"{one}.png").is_file()]
    if gone:  # measured on another machine
        print(f"{name}: the sheet stays as it is, {', '.join(gone)} not drawn here (--fresh)")
    else:
        write_sheet(drawn, rows, name)


def write_sheet(drawn: Path, labels: list[str], name: str) -> None:
    """Put the strips of a track below each other."""
    strips = [Image.open(drawn / f"{label}.png") for label in labels]
    paper = Image.new("RGB", (strips[0].width, sum(one.height for one in strips)), "white")
    for row, one in enumerate(strips):
        paper.paste(one, (0, row * one.height))
    with atomic.replacing(FOLDER / f"{name}.webp") as temporary:
        paper.save(temporary, "WEBP", quality=85)


def main() -> int:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--track", nargs="+", choices=SHOWN, default=[*SHOWN], help="(default: all of them)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=VARIANTS,
        help="variants (default: those that the page shows of the track)",
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        help="(default: those that the page shows of the track); the sheet is of seed 0",
    )
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    for name in options.track:
        shown = SHOWN[name]
        only, seeds = options.only or shown.variants, options.seeds or shown.seeds
        measure(load_track(name), only, seeds, options.fresh)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
