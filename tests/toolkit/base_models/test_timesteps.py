"""timesteps.py says what diffusers' own schedulers do."""

from __future__ import annotations

import json

import diffusers
import pytest

from harness import paths
from toolkit.base_models.timesteps import first_timestep, late_note, refuse_steps, scheduler_config
from toolkit.core.errors import UsageError
from toolkit.core.settings import GenerateConfig
from toolkit.drawings.metadata import SCHEDULERS

BASE = paths.ROOT / "models" / "tiny-sd"
WITHOUT_SCIPY = sorted(set(SCHEDULERS) - {"lms"})


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers
@pytest.mark.parametrize("name", WITHOUT_SCIPY)
@pytest.mark.parametrize("steps", [1, 2, 7, 30, 333, 334, 500, 501, 998])
def test_drawing_begins_where_it_is_said_to(name, steps):
    settings = dict(diffusers.PNDMScheduler.from_config(scheduler_config(BASE)).config)
    settings.pop("_use_default_values", None)  # as toolkit/drawings/sampling.py does
    scheduler = getattr(diffusers, SCHEDULERS[name]).from_config(settings)
    scheduler.set_timesteps(steps)
    assert first_timestep(steps, name, BASE) == int(scheduler.timesteps[0])


def test_other_spacings_always_begin_at_the_end(tmp_path):
    config = scheduler_config(BASE) | {"timestep_spacing": "trailing"}
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler/scheduler_config.json").write_text(json.dumps(config))
    assert first_timestep(501, "ddim", tmp_path) is None
    refuse_steps(GenerateConfig(num_inference_steps=1000, scheduler="ddim"), tmp_path)


@pytest.mark.parametrize(("steps", "begins"), [(501, 501), (334, 667)])
def test_steps_that_begin_late_are_mentioned_with_better_ones(steps, begins):
    note = late_note(GenerateConfig(num_inference_steps=steps), BASE)
    assert f"{steps} steps begin at timestep {begins} of 1000" in note
    assert f"{ {501: 500, 334: 333}[steps] } steps begin where they should" in note
    assert late_note(GenerateConfig(num_inference_steps=30), BASE) == ""


@pytest.mark.parametrize("name", WITHOUT_SCIPY)
def test_what_is_refused_is_what_fails(name):
    for steps in (997, 998, 999, 1000):
        config = GenerateConfig(num_inference_steps=steps, scheduler=name)
        fails = steps > {"dpm++_2m": 998, "unipc": 998}.get(name, 999)
        if fails and name not in ("euler", "euler_a", "heun"):
            with pytest.raises(UsageError, match="begin at timestep"):
                refuse_steps(config, BASE)
        else:
            refuse_steps(config, BASE)
