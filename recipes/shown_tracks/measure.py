"""Measure a track: base, real pictures, the reference after its budget, its ranks and rates.

    python -m recipes.shown_tracks.measure --track portrait

Each variant is the code of ``src/`` with one seed, trained in this process and scored by the hub's
scorer. Writes ``recipes/shown_tracks/measured/TRACK.json`` and ``TRACK.webp``: the pictures of the
taught prompts, a row for the base and each variant, green where the judge counts a hit, red where
it counts none. What is measured already is kept; --fresh measures it again. One core needs about
two minutes for each variant.
"""

from __future__ import annotations

import argparse
import json
import time
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

DRAWN: Final = paths.RUNS / "shown_tracks"
SIDE_PX, GAP_PX = 96, 3
HIT, MISS = (40, 170, 60), (200, 50, 50)


@dataclass(frozen=True)
class Variant:
    """The reference with another rank, rate or seed."""

    rank: int = LoraConfig().rank
    times_rate: float = 1.0
    seed: int = 0

    @property
    def lora(self) -> LoraConfig:
        """Its adapter's settings."""
        return LoraConfig(rank=self.rank)

    def training(self, track: Track) -> TrainConfig:
        """Return its settings of the training, with the track's budget."""
        rate = TrainConfig().learning_rate * self.times_rate
        return TrainConfig(
            learning_rate=rate,
            seed=self.seed,
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


class Silent:
    """Hears of each step and says nothing."""

    def step(self, step: int, loss: float) -> None:
        """Take a step's number and loss."""


def trained(track: Track, variant: Variant) -> tuple[StableDiffusionPipeline, float]:
    """Return the base with a trained adapter, and the processor time of the training in seconds."""
    pipeline = load_pipeline(str(track.base_model))
    seed_everything(variant.seed)
    began = time.process_time()
    dataset = make_dataset(
        data_dir=track.train_dir, resolution=track.file.resolution, config=DatasetConfig()
    )
    adapter = make_lora(pipeline=pipeline, config=variant.lora)
    train(
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=variant.training(track),
        reporter=Silent(),
    )
    return pipeline, time.process_time() - began


def figures_of(bench: Bench, look: Look) -> dict[str, Any]:
    """Return the figures that tell variants apart."""
    figures = bench.figures(look)
    hits = figures.pictures.hits
    return {
        "gain": figures.gain,
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


def measure(track: Track, names: list[str], fresh: bool) -> None:
    """Measure base, real pictures and the variants that are asked for; write figures and sheet."""
    name, protocol = track.file.name, track.protocol_hash()
    file, drawn = FOLDER / f"{name}.json", DRAWN / name
    old = json.loads(file.read_bytes()) if file.is_file() and not fresh else {}
    if old.get("protocol") != protocol or not (drawn / f"{BASE}.png").is_file():
        old = {}
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
    for label in (one for one in names if one not in found["variants"]):
        variant = VARIANTS[label]
        pipeline, seconds = trained(track, variant)
        look = bench.look(pipeline)
        figures = {
            "rank": variant.rank,
            "learning_rate": variant.training(track).learning_rate,
            "seed": variant.seed,
            **figures_of(bench, look),
            "cpu_s": seconds,
        }
        found["variants"][label] = figures
        keep(label, look, figures["hits"])
        gain, rate = figures["gain"], figures["hit_rate"]
        print(f"{name}, {label}: gain {gain:+.1%}, hit rate {rate:.0%}, {seconds:.0f} s")
        atomic.write_text(file, json.dumps(found, indent=1) + "\n")
    write_sheet(drawn, [BASE, *(one for one in VARIANTS if one in found["variants"])], name)


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
    parser.add_argument("--track", required=True)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[*VARIANTS])
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    measure(load_track(options.track), options.only, options.fresh)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
