"""Each `generate` of its own draws what an independent implementation draws."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from torch import nn

from src import generate as reference
from tests.src.support import build_pipeline
from toolkit.core.settings import GenerateConfig

CONFIG = GenerateConfig(num_inference_steps=8, guidance_scale=2.5, height=32, width=32, seed=3)
PROMPTS = ["a red robot", "a blue house"]


def module(name: str) -> Any:
    return importlib.import_module(f"CONTRIBUTIONS.{name}.src.generate")


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return build_pipeline()


def apart(one: list[Any], other: list[Any]) -> int:
    """Return the largest difference between two lists of pictures, of 255."""
    pairs = zip(one, other, strict=True)
    return max(int(np.abs(np.int16(a) - np.int16(b)).max()) for a, b in pairs)


def drawn(name: str, pipeline: Any, prompts: list[str], config: GenerateConfig = CONFIG) -> Any:
    return module(name).generate(pipeline, nn.Module(), prompts, config)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # diffusers, on new numpy
@pytest.mark.parametrize("steps", [1, 2, 8, 20])
def test_dpm_solver_takes_the_steps_of_diffusers(pipeline: Any, steps: int) -> None:
    config = CONFIG.model_copy(update={"num_inference_steps": steps})
    own = module("DPMSolver").draw(pipeline, "a red robot", 3, config)

    scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing="linspace"
    )
    before, pipeline.scheduler = pipeline.scheduler, scheduler
    try:
        (theirs,) = pipeline(
            "a red robot",
            num_inference_steps=steps,
            guidance_scale=config.guidance_scale,
            height=32,
            width=32,
            generator=torch.Generator().manual_seed(3),
            output_type="latent",
        ).images
    finally:
        pipeline.scheduler = before
    torch.testing.assert_close(own[0], theirs, atol=2e-4, rtol=2e-3)


def test_guidance_at_every_noise_level_is_the_reference_and_at_none_is_no_guidance(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = module("GuidanceInterval")
    usual = drawn("GuidanceInterval", pipeline, PROMPTS)
    full = reference.generate(pipeline, nn.Module(), PROMPTS, CONFIG)

    monkeypatch.setattr(interval, "LOW", 0.0)
    monkeypatch.setattr(interval, "HIGH", float("inf"))
    assert apart(drawn("GuidanceInterval", pipeline, PROMPTS), full) <= 1
    assert apart(usual, full) > 1

    monkeypatch.setattr(interval, "LOW", 1e9)
    plain = CONFIG.model_copy(update={"guidance_scale": 1.0})
    unguided = reference.generate(pipeline, nn.Module(), PROMPTS, plain)
    assert apart(drawn("GuidanceInterval", pipeline, PROMPTS), unguided) <= 1


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # diffusers, on new numpy
def test_guidance_in_an_interval_is_diffusers_with_the_scale_changed_meanwhile(
    pipeline: Any,
) -> None:
    interval, scheduler = module("GuidanceInterval"), pipeline.scheduler
    own = interval.draw(pipeline, "a red robot", 3, CONFIG)

    scheduler.set_timesteps(CONFIG.num_inference_steps)
    scales = []
    for t in scheduler.timesteps:
        variance = 1 - float(scheduler.alphas_cumprod[t])
        sigma = (variance / (1 - variance)) ** 0.5
        inside = interval.LOW < sigma <= interval.HIGH
        # A scale of 1 is no guidance; a little more, or they leave the empty prompt out for good.
        scales.append(CONFIG.guidance_scale if inside else 1 + 1e-9)
    assert scales[0] != scales[4] != scales[-1]  # both ends of the interval are passed

    def change(pipe: Any, step: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        pipe._guidance_scale = scales[min(step + 1, len(scales) - 1)]
        return tensors

    (theirs,) = pipeline(
        "a red robot",
        num_inference_steps=CONFIG.num_inference_steps,
        guidance_scale=scales[0],
        height=32,
        width=32,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
        callback_on_step_end=change,
    ).images
    torch.testing.assert_close(own[0], theirs, atol=2e-4, rtol=2e-3)


def test_a_prompt_without_weights_is_drawn_as_the_reference_draws_it(pipeline: Any) -> None:
    full = reference.generate(pipeline, nn.Module(), PROMPTS, CONFIG)
    assert apart(drawn("PromptWeighting", pipeline, PROMPTS), full) <= 1
    same = drawn("PromptWeighting", pipeline, ["a (red:1.0) robot", "a blue (house:1)"])
    assert apart(same, full) <= 1
    assert apart(drawn("PromptWeighting", pipeline, ["a (red:3) robot", PROMPTS[1]]), full) > 1


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("plain", [("plain", 1.0)]),
        ("a (red:1.5) robot", [("a ", 1.0), ("red", 1.5), (" robot", 1.0)]),
        ("(two words:.5)", [("", 1.0), ("two words", 0.5), ("", 1.0)]),
        ("a (robot) at 3:30", [("a (robot) at 3:30", 1.0)]),
    ],
)
def test_weights_are_read_and_everything_else_is_left_alone(
    prompt: str, expected: list[tuple[str, float]]
) -> None:
    assert module("PromptWeighting").fragments(prompt) == expected


@torch.no_grad()
def test_a_weight_moves_the_rows_of_its_words_alone(pipeline: Any) -> None:
    states = module("PromptWeighting").weighted_states
    plain, empty = states(pipeline, ["a red robot"])[0], states(pipeline, [""])[0]
    length = len(pipeline.tokenizer("a").input_ids)  # up to and with the token "end"
    first = length - 1
    count = len(pipeline.tokenizer("red", add_special_tokens=False).input_ids)
    rows = slice(first, first + count)
    for weight in (0.0, 0.5, 2.0):
        own = states(pipeline, [f"a (red:{weight}) robot"])[0]
        torch.testing.assert_close(own[rows], empty[rows] + weight * (plain - empty)[rows])
        torch.testing.assert_close(own[:first], plain[:first])
        torch.testing.assert_close(own[rows.stop :], plain[rows.stop :])


@pytest.mark.parametrize("name", ["DPMSolver", "GuidanceInterval", "PromptWeighting"])
def test_what_a_sampler_cannot_do_is_refused_with_a_sentence(name: str, pipeline: Any) -> None:
    with pytest.raises(ValueError, match="leave scheduler out"):
        drawn(name, pipeline, PROMPTS, CONFIG.model_copy(update={"scheduler": "ddim"}))
    with pytest.raises(ValueError, match="lora_scale"):
        drawn(name, pipeline, PROMPTS, CONFIG.model_copy(update={"lora_scale": 0.5}))
    assert drawn(name, pipeline, []) == []
