"""What the harness tests build with."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import pytest

from harness import paths
from harness.contributions.record import Contribution, ContributionFile
from harness.protocol.row import Row
from toolkit.core.hashing import content_hash

FIXTURES = paths.ROOT / "tests" / "fixtures" / "contributions"

_packages = itertools.count()


def write_contribution(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    hooks: tuple[str, ...],
    name: str = "Foo",
    package: str | None = None,
) -> Contribution:
    """Write a contribution below a fresh top-level package and describe it.

    A package name of its own per call, or Python would answer a second import from its cache.
    """
    package = package or f"hub_test_package_{next(_packages)}"
    folder = tmp_path / package / name
    for file, text in files.items():
        path = folder / "src" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return Contribution(
        file=ContributionFile.model_validate(
            {"name": name, "authors": ("a",), "summary": "a test contribution", "hooks": hooks}
        ),
        path=f"{package}/{name}",
        module=f"{package}.{name}.src.main",
        content_hash=content_hash(folder),
    )


BASE_LOSS = 0.8


def figures(loss: float, **changes: object) -> dict[str, object]:
    """Figures of a model with this held-out loss on four pictures, to be changed."""
    gain = (BASE_LOSS - loss) / BASE_LOSS
    own: dict[str, object] = {
        "heldout": {"mean": loss, "bands": (1.2 * loss, loss, 0.8 * loss), "pictures": (loss,) * 4},
        "gain": gain,
        "train_gain": gain + 0.02,
        "overfit_gap": 0.02,
        "drift": 0.01,
        "class_drift": 0.02,
        "picture_drift": 0.05,
        "pictures": {
            "similarity": 0.5,
            "prompt_adherence": 1.0,
            "memorisation": -0.01,
            "copies": 0.0,
        },
    }
    return own | changes


def example_row(**changes: object) -> Row:
    """A good row, to be changed."""
    fields: dict[str, object] = {
        "track": "robot",
        "contribution": "Foo",
        "authors": ("a",),
        "summary": "a test contribution",
        "origins": {
            "make_dataset": "reference",
            "make_lora": "Foo",
            "train": "reference",
            "generate": "reference",
        },
        "content_hash": "sha256:aa",
        "reference_hash": "sha256:bb",
        "protocol_hash": "sha256:cc",
        "status": "ok",
        "base": figures(0.8),
        "scores": [
            {
                "seed": 0,
                "own": figures(0.5),
                "reference": figures(0.5),
                "merge_error": 1e-6,
                "train_seconds": 2.0,
            }
        ],
        "costs": {
            "train_seconds": 2.0,
            "reference_seconds": 1.0,
            "steps_per_second": 75.0,
            "worker_seconds": 20.0,
            "worker_cpu_seconds": 18.0,
            "peak_memory_bytes": 700_000_000,
            "reference_parameters": 500,
            "reference_bytes": 2000,
        },
        "verdict": {
            "outcome": "no clear difference",
            "gain": 0.375,
            "reference_gain": 0.375,
            "difference": 0.0,
            "interval": None,
            "sentence": "Foo lowers the loss.",
        },
        "losses": (1.0, 0.9, 0.8),
        "trainable_parameters": 1000,
        "adapter_bytes": 4000,
        "changed_modules": 4,
        "machine": {
            "python": "3.11.7",
            "packages": {"torch": "2.13.0"},
            "system": "Linux",
            "processor": "a processor",
            "cores": 2,
            "memory_gib": 8.0,
            "threads": 1,
            "sandbox": "process",
        },
        "created_at": "2026-11-22T12:00:00Z",
    }
    return Row.model_validate(fields | changes)
