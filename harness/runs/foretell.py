"""How long a training will take and how much memory it will need, before it is started.

The base's own pace is measured here for a moment, as for an own track; how much longer than the
reference a contribution trains is known from its recorded row.
"""

from __future__ import annotations

from harness import paths
from harness.protocol import row_files
from harness.protocol.track import DEFAULT_TRACK
from harness.runs.graph.memory import memory_bytes, weights_of
from harness.runs.many.view import spoken
from harness.runs.own.pace import Pace, measure
from toolkit.base_models.load import locate
from toolkit.training_runs.plan import RunPlan

GIB = 2**30
TIMES_OF_GUIDANCE = 2  # passes of the U-Net for one denoising step of a sample


def foretell(plan: RunPlan, device: str, threads: int) -> str:
    """Measure the base and say in a sentence what a training will take.

    Args:
        plan: Of the training.
        device: Where it will compute.
        threads: As many as its worker will have.

    Raises:
        BaseModelError: The base cannot be loaded, or does not predict noise.
        EnvironmentFault: There is no such device.
    """
    base = locate(plan.base)
    parts = plan.train.gradient_accumulation_steps
    rows = -(-plan.train.batch_size // parts)
    pace = measure(base, device, plan.resolution, rows, threads)
    memory = memory_bytes(weights_of(base), None) + pace.activation_bytes
    ratio = known_ratio(plan.name)
    return (
        f"Estimate: about {spoken(seconds_of(plan, pace, ratio))} and "
        f"{memory / GIB:.1f} GiB of memory. Measured: the base makes a step of "
        f"{plan.train.batch_size} pictures in {pace.step_s * plan.train.batch_size:.2f} s on "
        f"{device}; on the board {plan.name} takes {ratio:.2f} times as long."
    )


def seconds_of(plan: RunPlan, pace: Pace, ratio: float) -> float:
    """Return how long a training will probably take, with its samples.

    Args:
        plan: Of the training.
        pace: Of the base on this device.
        ratio: Time of the contribution's training, as a multiple of the reference's.
    """
    steps = plan.train.steps * plan.train.batch_size * pace.step_s * ratio
    # The base's samples are drawn first, the training's every so often and at the end.
    sheets = 2 + (plan.train.steps // plan.sample_every if plan.sample_every else 0)
    passes = TIMES_OF_GUIDANCE * plan.sampling.num_inference_steps * len(plan.prompts)
    return pace.load_s + steps + sheets * passes * pace.forward_s


def known_ratio(name: str) -> float:
    """Return the time of a training as a multiple of the reference's; 1 where it is not known."""
    path = paths.RESULTS / DEFAULT_TRACK / f"{name}.json"
    if not path.is_file():
        return 1.0
    costs = row_files.read_row(path).costs
    return (costs.time_ratio if costs else None) or 1.0
