"""What the harness tests build with."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

import pytest

from harness import paths
from harness.records import Contribution, ContributionFile, Row
from harness.registry import content_hash

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


def example_row(**changes: object) -> Row:
    """A good row, to be changed."""
    loss = {"mean": 0.5, "bands": (0.6, 0.5, 0.4)}
    fields: dict[str, object] = {
        "track": "robot",
        "contribution": "Foo",
        "authors": ("a",),
        "summary": "a test contribution",
        "own_hooks": ("make_lora",),
        "content_hash": "sha256:aa",
        "reference_hash": "sha256:bb",
        "protocol_hash": "sha256:cc",
        "status": "ok",
        "base": {"mean": 0.8, "bands": (0.9, 0.8, 0.7)},
        "scores": [
            {
                "seed": 0,
                "heldout": loss,
                "reference": loss,
                "gain": 0.375,
                "reference_gain": 0.375,
                "merge_error": 1e-6,
                "train_seconds": 2.0,
            }
        ],
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
