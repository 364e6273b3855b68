"""The sweep over learning rates: what it holds back, what it reuses, what it refuses to answer."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.commands.sweep import measure, read_rates, show
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.track import Track, load_track
from harness.runs.studies.rate_sweep import (
    Sweep,
    Trial,
    choose,
    read_sweep,
    split,
    subject_hash,
    with_rate,
)
from tests.harness.forked import fork_children
from tests.harness.scoring.support import small_track
from tests.harness.worker.test_worker import Silent
from toolkit.core.errors import UsageError
from toolkit.core.settings import LoraConfig


@pytest.fixture(scope="module")
def track(random_base: Path) -> Track:
    file = small_track(steps=2, batch_size=2, base_model=str(random_base))
    return dataclasses.replace(load_track("robot"), file=file)


def sweep(
    track: Track, rates: tuple[float, ...], known: Sweep | None = None, name: str = "reference"
) -> Sweep:
    return measure(registry.load_any(name), track, rates, (0,), 2, known, Silent())


def test_rates_are_trained_measured_and_gone_on_with(
    track: Track,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fork_children(monkeypatch)
    first = sweep(track, (1e-4, 1e-2))
    assert [trial.learning_rate for trial in first.trials] == [1e-4, 1e-2]
    assert first.at_edge  # of two rates each is an edge
    assert first.chosen == min(first.trials, key=lambda trial: trial.mean).learning_rate
    assert Sweep.model_validate_json(first.model_dump_json()) == first

    again = sweep(track, (1e-4, 1e-3, 1e-2), first)
    assert [trial for trial in again.trials if trial.learning_rate != 1e-3] == list(first.trials)
    # The second call left the folders of the rates that were known alone.
    folder = next(runs.glob("*/sweep/*"))
    answer = Path("seed-0") / "answer.json"
    assert (folder / "0.001" / answer).stat().st_mtime > max(
        (folder / rate / answer).stat().st_mtime for rate in ("0.0001", "0.01")
    )

    show(again, registry.load_reference(), Console(width=200))
    told = capsys.readouterr().out
    assert "<- best" in told
    assert "3 held-back training pictures" in told


def test_held_out_pictures_are_nowhere_in_a_sweep(track: Track, tmp_path: Path) -> None:
    names = split(track.train_dir, tmp_path)
    training = sorted(path.name for path in (track.train_dir / "Images").iterdir())
    assert names == tuple(training[2::3])
    for part in ("train", "heldback"):
        for picture in (tmp_path / part / "Images").iterdir():
            original = track.train_dir / "Images" / picture.name
            assert picture.read_bytes() == original.read_bytes()
            assert (tmp_path / part / "ImageCaptions" / f"{picture.stem}.txt").is_file()
    assert {path.name for path in (tmp_path / "train" / "Images").iterdir()} == set(training) - {
        *names
    }


def test_two_pictures_are_too_few_to_hold_one_back(tmp_path: Path) -> None:
    (tmp_path / "Images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "Images" / name).touch()
    with pytest.raises(UsageError, match="there are only 2"):
        split(tmp_path, tmp_path / "out")


def test_a_rate_that_failed_is_told_and_never_chosen() -> None:
    trials = [
        Trial(learning_rate=1e-3, losses=(0.2,)),
        Trial(learning_rate=1e-2, losses=(0.1,)),
        Trial(learning_rate=1e-1, fault="the loss is not finite at step 3"),
    ]
    assert choose(trials) == (1e-2, False)
    with pytest.raises(UsageError, match="not finite at step 3"):
        choose(trials[2:])


def test_a_training_that_reads_no_learning_rate_is_told_so() -> None:
    same = [Trial(learning_rate=rate, losses=(0.2,)) for rate in (1e-3, 1e-2)]
    with pytest.raises(UsageError, match=r"does not read config\.learning_rate"):
        choose(same)


@given(
    st.lists(
        st.tuples(st.floats(1e-6, 1), st.floats(0, 10)), min_size=2, unique_by=lambda pair: pair[0]
    )
)
def test_the_chosen_rate_has_the_lowest_loss_and_edges_are_told(
    pairs: list[tuple[float, float]],
) -> None:
    trials = [Trial(learning_rate=rate, losses=(loss,)) for rate, loss in pairs]
    if len({loss for _, loss in pairs}) == 1:
        return  # says that nothing was read; see above
    best, at_edge = choose(trials)
    assert dict(pairs)[best] == min(loss for _, loss in pairs)
    rates = sorted(rate for rate, _ in pairs)
    assert at_edge == (best in (rates[0], rates[-1]))


def test_a_sweep_holds_for_any_rate_and_for_no_other_setting() -> None:
    reference = registry.load_reference()

    def changed(lora: LoraConfig) -> Contribution:
        settings = reference.file.settings.model_copy(update={"lora": lora})
        file = reference.file.model_copy(update={"settings": settings})
        return reference.model_copy(update={"file": file})

    assert subject_hash(with_rate(reference, 0.5)) == subject_hash(reference)
    assert subject_hash(changed(LoraConfig(rank=8))) != subject_hash(reference)


def test_rates_are_read_as_a_sorted_list_or_refused_with_a_word() -> None:
    assert read_rates("3e-3,1e-3") == (1e-3, 3e-3)
    with pytest.raises(argparse.ArgumentTypeError, match="is not a list such as"):
        read_rates("fast")
    with pytest.raises(argparse.ArgumentTypeError, match="between 0 and 1"):
        read_rates("1e-3,2")


def test_a_damaged_sweep_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Foo.json"
    assert read_sweep(path) is None
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"(?s)no sweep.*Foo\.json"):
        read_sweep(path)
