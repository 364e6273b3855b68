"""Which files a training left, and on which base it was trained. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.protocol.track import Track
from harness.runs.folders import newest_adapter
from harness.worker.jobs import ADAPTER_FILE, DELTA_FILE
from toolkit.core.errors import HubError, UsageError
from toolkit.lora_files.header import read_header

LORA_FILE, PLAN_FILE = "lora.safetensors", "plan.json"


@dataclass(frozen=True)
class Source:
    """What one training left.

    Args:
        name: Whose hooks trained it.
        folder: Where the files lie.
        base: The base as it was named: folder, file or Hugging Face id.
        delta: What changed in the base's weights.
        lora: The same as a LoRA file, which some trainings leave instead.
        adapter: The adapter's own tensors.
        side_px: Side of the pictures that it was trained on.
        prompts: What to draw to see that a file does the same.
    """

    name: str
    folder: Path
    base: str
    delta: Path | None
    lora: Path | None
    adapter: Path | None
    side_px: int
    prompts: tuple[str, ...]


def find_source(name: str, track: Track, run: Path | None, base: str | None) -> Source:
    """Find what a contribution trained last, or what lies in a folder.

    Args:
        name: The contribution.
        track: Whose newest training is taken when no folder is named.
        run: A folder of ``runs/``: of a run, of one of its seeds, or of ``nox -s train``.
        base: Another base than the training says.

    Raises:
        UsageError: There is no training, or it left nothing that can be exported.
    """
    folder = newest_training(track, name) if run is None else training_in(run)
    plan = read_plan(folder / PLAN_FILE)
    delta, lora, adapter = (
        path if path.is_file() else None
        for path in (folder / DELTA_FILE, folder / LORA_FILE, folder / ADAPTER_FILE)
    )
    if delta is None and lora is None:
        raise UsageError(
            f"What {name} trained is no change of the base's weights, so no file can hold it.",
            where=str(folder),
            fix="Draw with it: nox -s generate -- " + name,
        )
    prompts = tuple(str(one) for one in _list(plan.get("prompts"))) or track.file.texts
    return Source(
        name=name,
        folder=folder,
        base=base or str(plan.get("base") or track.base_model),
        delta=delta,
        lora=lora,
        adapter=adapter,
        side_px=side_of(plan) or track.file.resolution,
        prompts=prompts[:2],
    )


def origins_of(source: Source) -> dict[str, object]:
    """Return whose hooks and settings trained it, as the headers of its files say; or nothing."""
    for path in (source.adapter, source.delta, source.lora):
        if path is None:
            continue
        try:
            header = read_header(path, size_limit=None).metadata
            return {
                name: json.loads(header[f"hub.{name}"]) for name in ("origins", "settings_from")
            }
        except (HubError, KeyError, ValueError):
            continue  # an older file; what is damaged is refused where its tensors are read
    return {}


def newest_training(track: Track, name: str) -> Path:
    """Return the folder of the newest training on a track.

    Raises:
        UsageError: There is none.
    """
    adapter = newest_adapter(track.file.name, name)
    if adapter is None:
        raise UsageError(
            f"{name} has not been trained on the track {track.file.name}.",
            fix=f"nox -s contribution -- {name} --track {track.file.name}; or name the folder of "
            f"another training: --run {paths.RUNS.name}/trained/{name}",
        )
    return adapter.parent


def training_in(run: Path) -> Path:
    """Return the folder with the files: the one that is named, or the first seed below it.

    Raises:
        UsageError: It holds no training.
    """
    candidates = [run, *sorted(run.glob("train/seed-*")), *sorted(run.glob("seed-*"))]
    for folder in candidates:
        if any((folder / file).is_file() for file in (DELTA_FILE, LORA_FILE)):
            return folder
    raise UsageError(
        f"There is no {DELTA_FILE} and no {LORA_FILE} in this folder or in its seeds.",
        where=str(run),
        fix="Name a folder such as runs/robot/Example1/<key> or runs/trained/Example1.",
    )


def read_plan(path: Path) -> dict[str, object]:
    """Return what a long training wrote down about itself, or nothing.

    Raises:
        UsageError: The file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        plan = json.loads(path.read_bytes())
        if not isinstance(plan, dict):
            raise ValueError("it is no JSON object")
        return plan
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The plan of this training is damaged: {error}", where=str(path)) from (
            error
        )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def side_of(plan: dict[str, object]) -> int | None:
    """Return the resolution that a plan states, in pixels."""
    side = plan.get("resolution")
    return side if isinstance(side, int) and 8 <= side <= 4096 else None
