"""What `nox -s base_model -- --fit` concludes from losses; the training itself takes minutes."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from harness import paths
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.worker.jobs import DELTA_FILE, seed_folder
from tests.proofs.fit_for_purpose import __main__ as fit

BASE = 0.4


def gains(losses: list[float]) -> list[float]:
    return [(BASE - loss) / BASE for loss in losses]


WORSE = [0.310, 0.312, 0.308, 0.311, 0.309]
BETTER = [0.300, 0.301, 0.299, 0.302, 0.298]
NOISY = [0.290, 0.312, 0.296, 0.306, 0.289]


def test_a_steady_difference_is_told_apart_and_the_order_is_by_gain() -> None:
    summary = fit.summarise(
        load_track(DEFAULT_TRACK), BASE, {"b": gains(BETTER), "a": gains(WORSE)}
    )
    assert list(summary["neighbours"]) == ["b - a"]
    pair = summary["neighbours"]["b - a"]
    assert pair["mean"] == pytest.approx(0.01 / BASE)
    assert pair["told_apart"]
    assert summary["gain"]["a"]["mean"] == pytest.approx(0.09 / BASE)


def test_a_difference_that_changes_sign_with_the_seed_is_not_told_apart() -> None:
    summary = fit.summarise(
        load_track(DEFAULT_TRACK), BASE, {"b": gains(BETTER), "noisy": gains(NOISY)}
    )
    assert [pair["told_apart"] for pair in summary["neighbours"].values()] == [False]
    console = Console(file=StringIO(), width=200)
    fit.show(summary, console)
    assert "NOT told apart" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_random_adapter_has_the_trained_ones_names_shapes_and_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    track = load_track(DEFAULT_TRACK)
    learned, made = (fit.folder_of(track, v) / "train" for v in (fit.RANKS[-1], fit.RANDOM))
    trained = {"a.weight": torch.full((4, 3), 0.5), "b.weight": torch.zeros(2, 2)}
    for seed in fit.SEEDS:
        folder = seed_folder(learned, seed)
        folder.mkdir(parents=True)
        save_file(trained, folder / DELTA_FILE)
    fit.write_random_adapters(track)
    drawn = [load_file(seed_folder(made, seed) / DELTA_FILE) for seed in fit.SEEDS]
    for one in drawn:
        assert {key: value.shape for key, value in one.items()} == {
            key: value.shape for key, value in trained.items()
        }
        for key, value in one.items():
            assert value.norm() == pytest.approx(float(trained[key].norm()))
    assert not torch.equal(drawn[0]["a.weight"], drawn[1]["a.weight"])
