"""Where drawing begins with so many steps, read off a base's scheduler before it is loaded.

With "leading" spacing, which Stable Diffusion 1.x has, n steps are 1000 // n timesteps apart, the
last of them at 1 (``steps_offset``). So 501 steps begin at timestep 501, in half as much noise as
the picture is started from, and 1000 begin beyond the last timestep.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from toolkit.core.errors import UsageError
from toolkit.core.settings import GenerateConfig, SchedulerName

# Those that divide the way into one part more than they have steps.
ONE_MORE: Final[tuple[SchedulerName, ...]] = ("dpm++_2m", "unipc")
ONE_MORE_CLASSES: Final = ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
# Those that look between timesteps, so that one beyond the last is no fault.
BETWEEN: Final[tuple[SchedulerName, ...]] = ("euler", "euler_a", "lms", "heun")
LEADING_BY_DEFAULT: Final = ("PNDMScheduler", "DDIMScheduler", "DDPMScheduler")
# Of the way: drawing that begins later has less noise to remove than the picture has.
BEGINS_LATE: Final = 0.9


def scheduler_config(base: Path) -> dict[str, Any]:
    """Return a base's scheduler, that of Stable Diffusion 1.x if the base does not say."""
    try:
        found = json.loads((base / "scheduler/scheduler_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else {"_class_name": "PNDMScheduler", "steps_offset": 1}


def first_timestep(steps: int, scheduler: SchedulerName | None, base: Path) -> int | None:
    """Return the timestep at which drawing begins; None with another spacing than leading."""
    config = scheduler_config(base)
    kind = str(config.get("_class_name"))
    default = "leading" if kind in LEADING_BY_DEFAULT else "other"
    if config.get("timestep_spacing", default) != "leading":
        return None
    one_more = scheduler in ONE_MORE if scheduler else kind in ONE_MORE_CLASSES
    parts = steps + one_more
    # More parts than timesteps cannot be apart at all: then it begins beyond the last one.
    apart = max(1, int(config.get("num_train_timesteps", 1000)) // parts)
    return (parts - 1) * apart + int(config.get("steps_offset", 0))


def refuse_steps(config: GenerateConfig, base: Path) -> None:
    """Refuse a number of steps with which a sampler fails or draws black.

    Raises:
        UsageError: It begins beyond the last timestep; says how many steps work.
    """
    first = first_timestep(config.num_inference_steps, config.scheduler, base)
    total = int(scheduler_config(base).get("num_train_timesteps", 1000))
    if first is None or first < total or config.scheduler in BETWEEN:
        return
    most = config.num_inference_steps
    while (first_timestep(most, config.scheduler, base) or 0) >= total:
        most -= 1
    raise UsageError(
        f"{config.num_inference_steps} steps of {config.scheduler or 'the own sampler'} begin "
        f"at timestep {first}, and the base has {total}, from 0.",
        where="--steps",
        fix=f"Take {most} or fewer; more than 50 hardly ever show.",
    )


def late_note(config: GenerateConfig, base: Path) -> str:
    """Say when a number of steps begins in less noise than it should; "" otherwise."""
    steps = config.num_inference_steps
    first = first_timestep(steps, config.scheduler, base)
    total = int(scheduler_config(base).get("num_train_timesteps", 1000))
    if first is None or first >= BEGINS_LATE * total:
        return ""
    better = next(
        (
            n
            for distance in range(1, total)
            for n in (steps - distance, steps + distance)
            if 10 <= n < total and (first_timestep(n, config.scheduler, base) or 0) >= 0.95 * total
        ),
        30,
    )
    return (
        f"note: {steps} steps begin at timestep {first} of {total}, in less noise than the picture "
        f"has: expect flat or blurred pictures. {better} steps begin where they should."
    )
