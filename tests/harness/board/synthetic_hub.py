"""A hub of made-up contributions and rows, through the real records, to try the board's size on."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from harness import paths
from harness.commands.new import write_folder
from harness.contributions import registry
from harness.protocol import row_files
from harness.protocol.row import Row
from harness.protocol.track import BOARD_FILE, load_track, shown_names
from harness.runs.page import SHEET_SIDE_PX
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME
from toolkit.images.sheet import comparison_sheet

BASE_LOSS = 0.125
REFERENCE_GAIN = 0.33
PLACES = ("ROOT", "CONTRIBUTIONS", "CONTROLS", "TRACKS", "RESULTS", "REGISTRY", "RUNS")


@contextmanager
def hub_at(root: Path) -> Iterator[Path]:
    """Let the harness work on an empty hub at ``root``, with the real reference and base model."""
    before = {place: getattr(paths, place) for place in PLACES}
    real = paths.ROOT
    (root / "CONTRIBUTIONS").mkdir(parents=True)
    (root / "models").symlink_to(real / "models", target_is_directory=True)
    (root / "docs").mkdir()
    (root / "tracks").mkdir()
    (root / "tracks" / BOARD_FILE).write_text("tracks = []\n", encoding="utf-8")
    for page in ("README.md", "docs/findings.md", "docs/learning_rates.md"):
        (root / page).write_text((real / page).read_text(encoding="utf-8"), encoding="utf-8")
    changed = {
        "ROOT": root,
        "CONTRIBUTIONS": root / "CONTRIBUTIONS",
        "CONTROLS": root / "tracks" / "controls",
        "TRACKS": root / "tracks",
        "RESULTS": root / "leaderboard" / "results",
        "REGISTRY": root / "registry.toml",
        "RUNS": root / "runs",
    }
    try:
        for place, path in changed.items():
            setattr(paths, place, path)
        yield root
    finally:
        for place, path in before.items():
            setattr(paths, place, path)


def add_track(real_tracks: Path, name: str, title: str, *, shown: bool = True) -> None:
    """Add a copy of the robot track under another name; on the board, unless in preparation."""
    folder = paths.TRACKS / name
    shutil.copytree(real_tracks / "robot", folder)
    file = folder / "track.toml"
    text = file.read_text(encoding="utf-8").replace('name = "robot"', f'name = "{name}"', 1)
    start = text.index("title = ")
    end = text.index("\n", start)
    file.write_text(f'{text[:start]}title = "{title}"{text[end:]}', encoding="utf-8")
    if shown:
        listed = [*shown_names(), name]
        (paths.TRACKS / BOARD_FILE).write_text(f"tracks = {json.dumps(listed)}\n", "utf-8")


def add_contribution(name: str, summary: str = "", based_on: tuple[str, ...] = ()) -> None:
    """Add the scaffold under a name."""
    folder = paths.CONTRIBUTIONS / name
    write_folder(folder, name)
    file = folder / "contribution.toml"
    lines = file.read_text(encoding="utf-8").splitlines()
    if summary:
        lines = [f'summary = "{summary}"' if line.startswith("summary") else line for line in lines]
    if based_on:
        parents = ", ".join(f'"{parent}"' for parent in based_on)
        lines = [line for line in lines if not line.startswith("based_on")]
        place = next(i for i, line in enumerate(lines) if line.startswith("summary")) + 1
        lines.insert(place, f"based_on = [{parents}]")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def figures(gain: float, chance: random.Random) -> dict[str, Any]:
    """Return the figures of one trained model that has this gain."""
    mean = BASE_LOSS * (1 - gain)
    return {
        "heldout": {"mean": mean, "bands": [2 * mean, 0.8 * mean, 0.2 * mean]},
        "gain": gain,
        "train_gain": gain + 0.05,
        "overfit_gap": 0.05,
        "drift": max(0.0, 0.02 + 0.1 * gain + chance.gauss(0, 0.004)),
        "class_drift": 0.03,
        "picture_drift": 0.1,
        "pictures": {
            "similarity": min(1.0, 0.5 + gain / 2 + chance.gauss(0, 0.02)),
            "prompt_adherence": 0.75,
            "memorisation": chance.gauss(0, 0.02),
            "copies": 0.0,
            "hits": (True, True, True, False),
        },
    }


def make_row(track: str, name: str, gain: float, seed: int = 0, **changes: Any) -> Row:
    """Return a good row of today's files with about this gain, to be changed."""
    chance = random.Random(f"{track} {name} {seed}")
    loaded = load_track(track)
    contribution = registry.load(name)
    seeds = loaded.file.seeds
    noise = [chance.gauss(0, 0.002) for _ in seeds]
    shift = random.Random(track)
    references = [REFERENCE_GAIN + shift.gauss(0, 0.002) for _ in seeds]
    own = [references[i] + gain - REFERENCE_GAIN + noise[i] for i in range(len(seeds))]
    if name == REFERENCE_NAME:
        own = references
    differences = [a - b for a, b in zip(own, references, strict=True)]
    mean = sum(differences) / len(differences)
    half = 0.0025
    outcome = "no clear difference"
    if abs(mean) > half:
        outcome = "better" if mean > 0 else "worse"
    steps = loaded.file.steps
    fields: dict[str, Any] = {
        "track": track,
        "contribution": name,
        "authors": contribution.file.authors,
        "summary": contribution.file.summary,
        "origins": contribution.origins,
        "settings_from": contribution.settings_from,
        "content_hash": contribution.content_hash,
        "reference_hash": registry.load_reference().content_hash,
        "protocol_hash": protocol_hash(track),
        "status": "ok",
        "base": figures(0.0, chance),
        "scores": [
            {
                "seed": seed,
                "own": figures(own[i], chance),
                "reference": figures(references[i], chance),
                "merge_error": 2e-7,
                "train_seconds": 15.0,
            }
            for i, seed in enumerate(seeds)
        ],
        "verdict": {
            "outcome": "is the reference" if name == REFERENCE_NAME else outcome,
            "gain": sum(own) / len(own),
            "reference_gain": sum(references) / len(references),
            "difference": mean,
            "interval": (mean - half, mean + half),
            "sentence": f"{name} differs from the reference by {100 * mean:+.1f} points.",
        },
        "costs": {
            "train_seconds": 15.0 * (1 + abs(chance.gauss(0, 0.3))),
            "reference_seconds": 15.0,
            "steps_per_second": 13.0,
            "worker_seconds": 50.0,
            "worker_cpu_seconds": 48.0,
            "peak_memory_bytes": 900_000_000,
            "reference_parameters": 100_000,
            "reference_bytes": 400_000,
        },
        "losses": [0.12 * (0.4 + 0.6 * 0.98**i) + chance.gauss(0, 0.01) for i in range(steps)],
        "trainable_parameters": 1000 * chance.randint(20, 400),
        "adapter_bytes": 4000 * chance.randint(20, 400),
        "changed_modules": 64,
        "machine": {
            "python": "3.12.3",
            "packages": {"torch": "2.13.0", "diffusers": "0.42.1"},
            "system": "Linux",
            "processor": "a processor",
            "cores": 4,
            "memory_gib": 16.0,
            "threads": 1,
            "sandbox": "bubblewrap",
        },
        "origin": "ci",
        "created_at": datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=chance.randint(0, 400)),
    }
    return Row.model_validate(fields | changes)


_hashes: dict[tuple[Path, str], str] = {}


def protocol_hash(track: str) -> str:
    """Return a track's hash; it is over a base model of many megabytes, so once is enough."""
    key = (paths.TRACKS, track)
    if key not in _hashes:
        _hashes[key] = load_track(track).protocol_hash()
    return _hashes[key]


def record(row: Row, sheet: bytes | None = None) -> None:
    """Put a row, and a sheet, where the board looks for them."""
    path = row_files.recorded_path(row)
    row_files.write_row(path, row)
    if sheet is not None:
        path.with_suffix(".webp").write_bytes(sheet)


def make_sheet(track: str, hue: int = 0, columns: int = 5) -> bytes:
    """Return a sheet of plain colours in the layout of real ones."""
    import io

    file = load_track(track).file
    titles = ("trained on", "base", "reference", "own", "its own generate")[:columns]
    cells = [
        (
            title,
            [
                Image.new("HSV", (64, 64), ((hue + 60 * i + 16 * j) % 256, 160, 220)).convert("RGB")
                for j in range(len(file.shown))
            ],
        )
        for i, title in enumerate(titles)
    ]
    picture = comparison_sheet(cells, [file.texts[i] for i in file.shown], SHEET_SIDE_PX)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=70)
    return buffer.getvalue()


def fill(real_tracks: Path, count: int, tracks: int = 3) -> None:
    """Fill the hub with ``count`` contributions on ``tracks`` tracks, some of them in trouble."""
    chance = random.Random(1)
    names = [f"track{i}" for i in range(tracks)]
    for i, name in enumerate(names):
        add_track(real_tracks, name, f"Track number {i + 1}")
    for number in range(count):
        parents = (f"Idea{number // 3}",) if number > 3 else ()
        add_contribution(f"Idea{number}", f"Made-up idea number {number} of many.", parents)
    for name in names:
        sheets = [make_sheet(name, hue) for hue in range(0, 256, 32)]
        record(make_row(name, REFERENCE_NAME, REFERENCE_GAIN), sheets[0])
        for number in range(count):
            one = f"Idea{number}"
            if number % 20 == 7:
                continue  # pending
            own = HOOK_NAMES[: number % 5]
            origins = {hook: one if hook in own else REFERENCE_NAME for hook in HOOK_NAMES}
            changes: dict[str, Any] = {"origins": origins}
            if number % 20 == 3:
                error = {"kind": "HookError", "what": "make_lora raised", "fix": "Mend it."}
                changes |= {"status": "failed", "verdict": None, "scores": (), "error": error}
            if number % 20 == 11:
                changes |= {"content_hash": "sha256:older"}
            gain = REFERENCE_GAIN + chance.gauss(0, 0.01)
            row = make_row(name, one, gain, **changes)
            record(row, sheets[number % len(sheets)] if row.status == "ok" else None)
