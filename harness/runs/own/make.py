"""Make a track of a person's own pictures, below runs/tracks/: never in git."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import Field

from harness.protocol.base_model import check_folder
from harness.protocol.track import Track, own_tracks, track_names
from harness.protocol.track_file import TrackFile
from harness.runs.own.budget import (
    QUICK_SEEDS,
    SEEDS,
    Budget,
    batch_of,
    budget_of,
    grid_of,
    sampling_of,
    timeout_of,
)
from harness.runs.own.pace import Pace, measure
from harness.runs.own.prompts import prompts_of, words_of
from harness.runs.own.split import split
from harness.runs.steps.attempt import THREADS
from toolkit.base_models.family import refuse_other_families
from toolkit.base_models.load import locate
from toolkit.core import atomic
from toolkit.core.config_file import as_value
from toolkit.core.errors import UsageError
from toolkit.core.native_size import native_size_px
from toolkit.core.record import Record
from toolkit.core.settings import DatasetConfig
from toolkit.images.decode import load_rgb
from toolkit.picture_sets.captions import with_trigger
from toolkit.picture_sets.examine import Facts, examine
from toolkit.picture_sets.fair_copy import unique
from toolkit.picture_sets.folder import CAPTIONS, IMAGES
from toolkit.picture_sets.preflight import preflight

NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
# Folders in runs/ that are something else.
TAKEN = frozenset(
    {
        *("tracks", "trained", "generated", "exported", "board", "site", "docs", "gate", "ci"),
        *("matrix", "preview", "pictures", "captions", "reference", "all"),
    }
)
# Kept at twice the size that is trained, for methods that crop: a photo of a camera is twenty times
# as large, and would be decoded for every training.
KEPT = 2


class Wish(Record):
    """What was typed about a new track."""

    name: str
    data_dir: Path
    base: str = Field(default="models/tiny-sd", description="folder, file or Hugging Face id")
    device: str = "cpu"
    trigger_word: str = ""
    subject: str = Field(default="", description="what the pictures show, in words of the captions")
    split_seed: int = Field(default=0, ge=0)
    resolution: int | None = Field(default=None, ge=16, multiple_of=8)
    steps: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)


class OwnTrack(Record):
    """What is known of an own track besides its track.toml."""

    wish: Wish
    pace: Pace
    taught: tuple[str, ...] = Field(description="names of pictures, relative to the data")
    heldout: tuple[str, ...]
    alike: tuple[tuple[str, ...], ...]
    cut_from: int | None = Field(description="steps of `nox -s train`, if these are fewer")


def record_file(name: str) -> Path:
    """Return where the record of an own track lies: beside its folder, whose bytes are hashed."""
    return own_tracks() / f"{name}.json"


def read_record(name: str) -> OwnTrack:
    """Read the record of an own track.

    Raises:
        UsageError: It is not there, or of another version of the hub.
    """
    file = record_file(name)
    try:
        return OwnTrack.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The record of the track {name} cannot be read.",
            where=str(file),
            fix=f"Make the track again: nox -s track -- new {name} --data DIR --fresh",
        ) from error


def check_name(name: str) -> None:
    """Refuse a name that is another track's, or cannot be a folder's.

    Raises:
        UsageError: Says which names are possible.
    """
    if name in track_names() or name in TAKEN:
        raise UsageError(f"The name {name!r} is taken by the hub.", fix="Choose another one.")
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a track.",
            fix="Use up to 30 small letters, digits and -, and begin with a letter.",
        )


def make_track(wish: Wish, say: Callable[[str], None]) -> tuple[Track, OwnTrack]:
    """Check the pictures, divide them, choose prompts and budget, write the track.

    Args:
        wish: What was typed.
        say: Told what is going on.

    Raises:
        DataSetError: Something is wrong with the pictures; the message lists all of it.
        BaseModelError: The base is not there, or of a family that the hub does not train.
        UsageError: The name cannot be used.
    """
    check_name(wish.name)
    base = locate(wish.base)
    refuse_other_families(base)
    check_folder(base)
    native_px = native_size_px(base)
    resolution = wish.resolution or native_px
    config = DatasetConfig(trigger_word=wish.trigger_word)
    found = preflight(wish.data_dir, resolution, config).found
    facts, _ = examine(found.pictures)
    parts = split(facts, wish.split_seed)
    say(f"{len(parts.taught)} pictures are taught, {len(parts.heldout)} held out.")
    say(f"Measuring the pace of {wish.base} on {wish.device} ...")
    taught = len(parts.taught)
    batch_size = wish.batch_size or batch_of(taught, native_px, resolution)
    pace = measure(base, wish.device, resolution, batch_size, THREADS)
    budget = budget_of(taught, native_px, resolution, pace)
    if wish.steps or wish.batch_size:
        budget = Budget(wish.steps or budget.steps, batch_size, None)
    folder = own_tracks() / wish.name
    making = folder.with_name(f".{wish.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    write_side(parts.taught, config, resolution, making / "train")
    stems = write_side(parts.heldout, config, resolution, making / "heldout")
    captions = [with_trigger(one.picture.caption, wish.trigger_word) for one in facts]
    words = words_of(captions, wish.trigger_word, wish.subject)
    prompts = tuple(prompts_of(words, captions, stems))
    file = TrackFile(
        name=wish.name,
        title=f"Own pictures: {wish.name}",
        summary=f"Teach the base {words.subject or 'what the pictures show'}.",
        kind="subject",
        base_model=base_of(base),
        resolution=resolution,
        steps=budget.steps,
        batch_size=budget.batch_size,
        timeout_s=timeout_of(budget.steps, budget.batch_size, len(prompts), pace),
        seeds=tuple(range(SEEDS)),
        quick_seeds=QUICK_SEEDS,
        sources=("a person's own pictures",),
        grid=grid_of(len(parts.heldout), native_px),
        sampling=sampling_of(native_px),
        prompts=prompts,
    )
    record = OwnTrack(
        wish=wish.model_copy(update={"data_dir": wish.data_dir.resolve()}),
        pace=pace,
        taught=names(parts.taught, wish.data_dir),
        heldout=names(parts.heldout, wish.data_dir),
        alike=tuple(names(group, wish.data_dir) for group in parts.alike),
        cut_from=budget.cut_from,
    )
    atomic.write_text(making / "track.toml", toml_of(file))
    put_in_place(making, folder)
    atomic.write_text(record_file(wish.name), record.model_dump_json(indent=1))
    return Track(file, folder), record


def write_side(
    side: Sequence[Facts], config: DatasetConfig, resolution: int, out: Path
) -> dict[str, str]:
    """Write the pictures and captions of one side in the layout of the contract.

    Returns:
        The stem of each picture and its caption.
    """
    for folder in (IMAGES, CAPTIONS):
        (out / folder).mkdir(parents=True)
    stems: set[str] = set()
    captions = {}
    for each in side:
        stem = unique(each.picture.path.stem, stems)
        image = load_rgb(each.picture.path)
        factor = min(image.size) / (KEPT * resolution)
        if factor > 1:
            size = (round(image.width / factor), round(image.height / factor))
            image = image.resize(size, Image.Resampling.LANCZOS)
        image.save(out / IMAGES / f"{stem}.png")
        captions[stem] = with_trigger(each.picture.caption, config.trigger_word)
        (out / CAPTIONS / f"{stem}.txt").write_text(captions[stem], encoding="utf-8")
    return captions


def names(side: Sequence[Facts], data_dir: Path) -> tuple[str, ...]:
    """Return the names of pictures, relative to the folder where that is possible."""
    return tuple(Path(os.path.relpath(each.picture.path, data_dir)).as_posix() for each in side)


def base_of(base: Path) -> str:
    """Return a base as track.toml has it: absolute, so that it works from anywhere."""
    return base.resolve().as_posix()


def toml_of(file: TrackFile) -> str:
    """Return a track as TOML; it may be edited, which makes it another track to the hub."""
    head = "# Made by `nox -s track -- new`. Prompts and budget may be changed: runs start anew."
    values = file.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    tables = {key: values.pop(key) for key in ("grid", "sampling", "judge") if key in values}
    prompts = values.pop("prompts")
    parts = [head, *lines_of(values)]
    for key, table in tables.items():
        parts += ["", f"[{key}]", *lines_of(table)]
    for prompt in prompts:
        parts += ["", "[[prompts]]", *lines_of(prompt)]
    return "\n".join(parts) + "\n"


def lines_of(values: Mapping[str, Any]) -> list[str]:
    """Return a table's lines."""
    return [f"{key} = {as_value(value)}" for key, value in values.items()]


def put_in_place(making: Path, folder: Path) -> None:
    """Put a finished folder in the place of an older one."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    making.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
