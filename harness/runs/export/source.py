"""Which files a training left, and on which base it was trained. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness import paths
from harness.protocol.track import DEFAULT_TRACK, load_track, track_names
from harness.runs.folders import newest_adapter
from harness.worker.jobs import ADAPTER_FILE, DELTA_FILE
from toolkit.core.errors import HubError, UsageError
from toolkit.core.idle import refuse_idle
from toolkit.core.settings import LoraConfig
from toolkit.lora_files.header import read_header

LORA_FILE, PLAN_FILE = "lora.safetensors", "plan.json"
OWN = "trained"  # below runs/: what `nox -s train` left


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
        settings: What the adapter was made with; None: the contribution's own settings.
    """

    name: str
    folder: Path
    base: str
    delta: Path | None
    lora: Path | None
    adapter: Path | None
    side_px: int
    prompts: tuple[str, ...]
    settings: LoraConfig | None = None


def find_source(name: str, track: str | None, run: Path | None, base: str | None) -> Source:
    """Find what a contribution trained last, or what lies in a folder.

    Args:
        name: The contribution.
        track: Whose newest training is taken when no folder is named; None: the newest of all, on
            tracks and on the user's own pictures. Of a folder that does not say it: its track.
        run: A folder of ``runs/``: of a run, of one of its seeds, or of ``nox -s train``.
        base: Another base than the training says.

    Raises:
        UsageError: There is no training, or the track is known otherwise.
    """
    folder = newest_training(name, track) if run is None else training_in(run)
    plan = read_plan(folder / PLAN_FILE)
    known = run is not None and bool(plan or track_of(folder))
    refuse_idle({"--track beside a --run that says what it was trained on": known and bool(track)})
    own_track = load_track(track or track_of(folder) or DEFAULT_TRACK)
    delta, lora, adapter = (
        path if path.is_file() else None
        for path in (folder / DELTA_FILE, folder / LORA_FILE, folder / ADAPTER_FILE)
    )
    prompts = tuple(str(one) for one in _list(plan.get("prompts"))) or own_track.file.texts
    return Source(
        name=name,
        folder=folder,
        base=base or str(plan.get("base") or own_track.base_model),
        delta=delta,
        lora=lora,
        adapter=adapter,
        side_px=side_of(plan) or own_track.file.resolution,
        prompts=prompts[:2],
        settings=settings_of(plan, folder),
    )


def require_change(source: Source) -> None:
    """Make sure that a training changed the base's weights, which is all that a file can hold.

    Raises:
        UsageError: It did not.
    """
    if source.delta is None and source.lora is None:
        raise UsageError(
            f"What {source.name} trained is no change of the base's weights, so no file can hold "
            "it.",
            where=str(source.folder),
            fix="Draw with it: nox -s generate -- " + source.name,
        )


def refuse_of_another(source: Source) -> None:
    """Refuse a folder whose files say that another contribution trained them.

    Written under this one's name, they would say what is not so.

    Raises:
        UsageError: Names the other one.
    """
    whose = header_of(source).get("hub.name", source.name)
    if whose != source.name:
        raise UsageError(
            f"This folder holds a training of {whose}, not of {source.name}.",
            where=str(source.folder),
            fix=f"nox -s export -- {whose} --run {source.folder}",
        )


def refuse_another_adapter(source: Source, make_lora: str) -> None:
    """Refuse a folder whose adapter another contribution's ``make_lora`` built.

    Args:
        source: The training.
        make_lora: Whose ``make_lora`` would build the adapter that it is loaded into.

    Raises:
        UsageError: Names the other one.
    """
    header = header_of(source)
    origins = json.loads(header.get("hub.origins", "{}"))
    built = origins.get("make_lora", make_lora)
    if built != make_lora:
        whose = header.get("hub.name", built)
        raise UsageError(
            f"This folder holds a training of {whose}, whose adapter {source.name} cannot load.",
            where=str(source.folder),
            fix=f"nox -s generate -- {whose} --run {source.folder} --prompt ...",
        )


def header_of(source: Source) -> dict[str, str]:
    """Return what the header of a training's files says, of the first that says anything."""
    for path in (source.adapter, source.delta, source.lora):
        try:
            header = read_header(path, size_limit=None).metadata if path else {}
        except HubError:
            continue  # what is damaged is refused where its tensors are read
        if "hub.name" in header:
            return header
    return {}


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


def newest_training(name: str, track: str | None) -> Path:
    """Return the folder of a contribution's newest training, on one track or anywhere.

    Raises:
        UsageError: There is none.
    """
    found = trainings(name, track)
    if not found:
        where = f" on the track {track}" if track else ""
        raise UsageError(
            f"{name} has not been trained{where}.",
            fix=f"nox -s contribution -- {name} --track {track or DEFAULT_TRACK}; or name the "
            f"folder of another training: --run {paths.RUNS.name}/trained/{name}",
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent


def trainings(name: str, track: str | None = None) -> list[Path]:
    """Return the adapter files of a contribution's newest training on each track, and its own."""
    tracks = [track] if track else track_names()
    found = [path for one in tracks if (path := newest_adapter(one, name)) is not None]
    own = paths.RUNS / OWN / name / ADAPTER_FILE
    return [*found, own] if track is None and own.is_file() else found


def track_of(folder: Path) -> str | None:
    """Return the track below whose folder of ``runs/`` a training lies, if it does."""
    place = folder.resolve()
    if not place.is_relative_to(paths.RUNS):
        return None
    first = place.relative_to(paths.RUNS).parts[:1]
    return first[0] if first and first[0] in track_names() else None


def training_in(run: Path) -> Path:
    """Return the folder with the files: the one that is named, or the first seed below it.

    From the root on: a worker, which draws with them, stands in a folder of its own.

    Raises:
        UsageError: It holds no training.
    """
    candidates = [run, *sorted(run.glob("train/seed-*")), *sorted(run.glob("seed-*"))]
    for folder in candidates:
        if any((folder / file).is_file() for file in (DELTA_FILE, LORA_FILE, ADAPTER_FILE)):
            return folder.resolve()
    raise UsageError(
        f"There is no {DELTA_FILE}, {LORA_FILE} or {ADAPTER_FILE} in this folder or its seeds.",
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


def settings_of(plan: dict[str, object], folder: Path) -> LoraConfig | None:
    """Return what the adapter of a long training was made with.

    Raises:
        UsageError: The plan is damaged.
    """
    if "lora" not in plan:
        return None
    try:
        return LoraConfig.model_validate_json(json.dumps(plan["lora"]))
    except ValidationError as error:
        what = f"The plan of this training is damaged: {error.errors()[0]['msg']}"
        raise UsageError(what, where=str(folder / PLAN_FILE)) from error


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def side_of(plan: dict[str, object]) -> int | None:
    """Return the resolution that a plan states, in pixels."""
    side = plan.get("resolution")
    return side if isinstance(side, int) and 8 <= side <= 4096 else None
