"""How much each contribution trains, and how finely that is measured."""

from __future__ import annotations

from typing import NamedTuple

from harness.protocol.track_file import GridSpec, Sampling, TrackFile
from harness.runs.own.pace import Pace
from toolkit.core.settings import GenerateConfig
from toolkit.training_runs.presets import PRESETS, TINY_BELOW_PX, train_settings

SEEDS, QUICK_SEEDS = 5, 3
# Longer trainings are cut: a contest has dozens of them. Not below a quarter of what `train` does,
# or it would judge how methods begin.
LONGEST_TRAINING_S = 1800.0
LEAST_SHARE = 0.25
# A worker may be this much slower than foretold before it is stopped.
PATIENCE = 20
LEAST_TIMEOUT_S = 600

TIMESTEPS = tuple(range(25, 1000, 50))
GRID_SEED = 20261122
# Pictures x noises that make the grid fine enough: the robot track has 16.
ENOUGH_NOISES = 16
# Items of the trusted sampler and the grid at once, where the base is large: memory only.
SMALL_BATCH = 4
GUIDANCE, TINY_GUIDANCE = 7.5, 3.0

LOADS = 3  # processes that load the base in a run: worker, pace of the reference, scorer


class Budget(NamedTuple):
    """The budget of a track."""

    steps: int
    batch_size: int
    cut_from: int | None  # the steps that `nox -s train` would take, if they would last too long


def budget_of(pictures: int, native_px: int, resolution: int, pace: Pace) -> Budget:
    """Choose steps and batch as `nox -s train` does, or fewer where the device is slow.

    Args:
        pictures: How many are taught.
        native_px: What the base was trained with.
        resolution: Of the pictures, pixels.
        pace: Of the device.
    """
    settings = train_settings(PRESETS["subject"], pictures, native_px, resolution)
    steps, batch_size = int(settings["steps"]), int(settings["batch_size"])
    affordable = int(LONGEST_TRAINING_S / (pace.step_s * batch_size))
    if affordable >= steps:
        return Budget(steps, batch_size, None)
    return Budget(max(affordable, round(LEAST_SHARE * steps)), batch_size, steps)


def batch_of(pictures: int, native_px: int, resolution: int) -> int:
    """Return the pictures per step, before the pace is known."""
    return int(train_settings(PRESETS["subject"], pictures, native_px, resolution)["batch_size"])


def grid_of(heldout: int, native_px: int) -> GridSpec:
    """Return the grid of the held-out loss."""
    return GridSpec(
        timesteps=TIMESTEPS,
        noises_per_picture=max(1, round(ENOUGH_NOISES / heldout)),
        seed=GRID_SEED,
        batch_size=64 if native_px < TINY_BELOW_PX else SMALL_BATCH,
    )


def sampling_of(native_px: int) -> Sampling:
    """Return how the trusted sampler draws."""
    tiny = native_px < TINY_BELOW_PX
    return Sampling(
        guidance_scale=TINY_GUIDANCE if tiny else GUIDANCE, batch_size=16 if tiny else SMALL_BATCH
    )


def timeout_of(steps: int, batch_size: int, prompts: int, pace: Pace) -> int:
    """Return the wall time that one worker may take, seconds.

    One trains; another loads what was trained, draws all prompts with the contribution's own
    ``generate`` and compares. Of a short training on a large base that is the longer one.
    """
    training = steps * batch_size * pace.step_s
    drawing = own_passes(prompts) * pace.forward_s
    return max(LEAST_TIMEOUT_S, round(PATIENCE * (pace.load_s + max(training, drawing))))


def own_passes(prompts: int) -> int:
    """Return the passes that a contribution's own drawing takes; twice for guidance."""
    return 2 * GenerateConfig().num_inference_steps * prompts


def seconds_of_run(
    track: TrackFile, pace: Pace, taught: int, heldout: int, seeds: int, ratio: float = 1.0
) -> float:
    """Foretell how long one run of a contribution takes in one process at a time.

    Args:
        track: Budget, grid and prompts.
        pace: Of the device.
        taught: Pictures taught.
        heldout: Pictures held out.
        seeds: Trainings.
        ratio: Time of the contribution's training, as a multiple of the reference's.
    """
    training = track.steps * track.batch_size * pace.step_s
    timesteps = len(track.grid.timesteps)
    items = timesteps * heldout * track.grid.noises_per_picture
    # Training pictures and drift are measured on every second timestep, with one noise.
    unrelated = len(track.of_kind("neighbour", "unrelated"))
    items += (timesteps // 2) * (taught + unrelated)
    # Twice for guidance; every picture by the trusted sampler, and once by the contribution itself.
    own = own_passes(len(track.prompts))
    drawn = 2 * track.sampling.num_inference_steps * len(track.prompts)
    models = seeds + 1  # the base is measured, too
    measuring = (items + drawn) * models + own
    return (
        training * (seeds * ratio + 1)  # once more the reference, for the clock
        + measuring * pace.forward_s
        + LOADS * pace.load_s
    )
