"""Each `train` of its own does what its formula says, held against an independent computation."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.lora import make_lora
from tests.src.support import build_pipeline
from toolkit.core.settings import LoraConfig, TrainConfig

RATE = 1e-2


class Toy(torch.utils.data.Dataset[tuple[Tensor, str]]):
    """Three pictures: a bright square on a dark ground, each of another colour."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        pixels = torch.full((3, 64, 64), -0.5)
        pixels[index, 16:48, 16:48] = 1.0
        return pixels, f"a sks thing number {index}"


class Quiet:
    def step(self, step: int, loss: float) -> None:
        pass


@pytest.fixture(scope="module")
def base() -> Any:
    return build_pipeline()


def module(name: str) -> Any:
    return importlib.import_module(f"CONTRIBUTIONS.{name}.src.train")


def settings(steps: int, batch: int = 2) -> TrainConfig:
    return TrainConfig(steps=steps, batch_size=batch, learning_rate=RATE, weight_decay=0.0)


def prepared(base: Any) -> tuple[Any, nn.Module]:
    """Return a copy of the base and a fresh LoRA in it, always the same."""
    pipeline = copy.deepcopy(base)
    torch.manual_seed(0)
    return pipeline, make_lora(pipeline, LoraConfig(rank=2, target_modules=("to_q", "to_v")))


def trained(name: str, base: Any, steps: int, batch: int = 2) -> tuple[tuple[float, ...], Any]:
    """Train a fresh LoRA for a few steps; return the losses and the parameters by name."""
    pipeline, adapter = prepared(base)
    result = module(name).train(pipeline, Toy(), adapter, settings(steps, batch), Quiet())
    return result.losses, {name: p.detach() for name, p in adapter.named_parameters()}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> str:
    """A contribution whose loop is the plain one once its mask is switched off."""
    monkeypatch.setattr(module("MaskedLoss"), "OUTSIDE", 1.0)
    return "MaskedLoss"


def test_ema_hands_over_the_average_that_diffusers_takes(base: Any, plain: str) -> None:
    from diffusers.training_utils import EMAModel

    start = {name: p.detach().clone() for name, p in prepared(base)[1].named_parameters()}
    # Their warm-up is ours with these numbers, but for their first step, which forgets the start.
    theirs = EMAModel(
        list(start.values()), module("EMA").DECAY, use_ema_warmup=True, inv_gamma=10, power=1
    )
    theirs.optimization_step = 1
    for step in (1, 2, 3):
        # What needs no gradient they copy instead.
        theirs.step([nn.Parameter(p) for p in trained(plain, base, step)[1].values()])
    own = trained("EMA", base, 3)[1]
    assert list(own) == list(start)
    for value, expected in zip(own.values(), theirs.shadow_params, strict=True):
        torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)


def test_lora_plus_is_the_optimiser_of_peft(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from peft.optimizers import create_loraplus_optimizer

    own = trained("LoRAPlus", base, 4)[1]

    plus, adamw = module("LoRAPlus"), torch.optim.AdamW
    pipeline, adapter = prepared(base)

    def theirs(groups: Any, weight_decay: float) -> torch.optim.Optimizer:
        return create_loraplus_optimizer(
            adapter,
            adamw,
            lr=RATE,
            loraplus_lr_ratio=plus.RATIO,
            loraplus_weight_decay=weight_decay,
        )

    monkeypatch.setattr(plus.torch.optim, "AdamW", theirs)
    plus.train(pipeline, Toy(), adapter, settings(4), Quiet())
    for name, value in adapter.named_parameters():
        torch.testing.assert_close(value.detach(), own[name], atol=1e-6, rtol=1e-5)


def test_lora_plus_moves_b_sixteen_times_as_far_as_adamw_does(base: Any, plain: str) -> None:
    # AdamW's first step has the length of the learning rate, whatever the gradient.
    faster, usual = trained("LoRAPlus", base, 1)[1], trained(plain, base, 1)[1]
    # In a layer of one pixel attention has no choice: its queries get no gradient to speak of.
    moved = [n for n, p in usual.items() if n.endswith("lora_B") and p.abs().max() > RATE / 2]
    assert moved
    for name in moved:
        torch.testing.assert_close(faster[name].abs().max(), 16 * usual[name].abs().max())
        assert float(usual[name].abs().max()) == pytest.approx(RATE, rel=0.05)


def test_lora_plus_refuses_an_adapter_without_a_second_matrix(base: Any) -> None:
    with pytest.raises(ValueError, match="lora_B"):
        module("LoRAPlus").train(base, Toy(), nn.Linear(2, 2), TrainConfig(steps=1), Quiet())


def test_middle_timesteps_are_those_of_diffusers_logit_normal_density(
    base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers.training_utils import compute_density_for_timestep_sampling

    seen = timesteps_of("MiddleTimesteps", base, monkeypatch)
    theirs = 1000 * compute_density_for_timestep_sampling(
        "logit_normal", 100_000, logit_mean=0.0, logit_std=1.0
    )
    shares = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    torch.testing.assert_close(seen.quantile(shares), theirs.quantile(shares), atol=40, rtol=0)


def timesteps_of(name: str, base: Any, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Return the timesteps of 1200 samples, drawn without running a U-Net."""
    found: list[Tensor] = []

    class Answer:
        def __init__(self, sample: Tensor) -> None:
            self.sample = sample

    pipeline = copy.deepcopy(base)
    adapter = nn.ParameterDict({"lora_B": nn.Parameter(torch.zeros(1))})

    def answer(sample: Tensor, timesteps: Tensor, *_: Any) -> Answer:
        found.append(timesteps.float())
        return Answer(sample + adapter["lora_B"])

    monkeypatch.setattr(pipeline.unet, "forward", answer)
    module(name).train(pipeline, Toy(), adapter, TrainConfig(steps=12, batch_size=100), Quiet())
    return torch.cat(found)


def test_a_mask_of_ones_is_the_plain_loss_and_the_border_is_found(base: Any, plain: str) -> None:
    assert trained(plain, base, 2)[0] == trained("EMA", base, 2)[0]
    pixels, _ = Toy()[1]
    mask = module("MaskedLoss").unlike_border(pixels)
    expected = torch.zeros(64, 64)
    expected[16:48, 16:48] = 1
    assert torch.equal(mask, expected)


def test_masked_loss_is_the_weighted_mean_of_the_squared_errors(
    base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With nothing but the square counting, errors outside of it change nothing: a U-Net that
    # answers 0 has as its loss the mean of noise^2 inside. The noise is the loop's own.
    masked = module("MaskedLoss")
    seen: dict[str, Tensor] = {}
    adapter = nn.ParameterDict({"lora_B": nn.Parameter(torch.zeros(1))})
    pipeline = copy.deepcopy(base)

    class Answer:
        def __init__(self, sample: Tensor) -> None:
            self.sample = sample

    real = masked.DDPMScheduler.add_noise

    def add_noise(self: Any, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        seen["noise"] = noise
        result: Tensor = real(self, latents, noise, timesteps)
        return result

    monkeypatch.setattr(masked.DDPMScheduler, "add_noise", add_noise)
    monkeypatch.setattr(
        pipeline.unet, "forward", lambda sample, *_: Answer(sample * 0 + adapter["lora_B"])
    )
    monkeypatch.setattr(masked, "OUTSIDE", 0.0)
    config = TrainConfig(steps=1, batch_size=3)
    (loss,) = masked.train(pipeline, Toy(), adapter, config, Quiet()).losses
    inside = seen["noise"][:, :, 2:6, 2:6]  # 16 to 48 of 64 pixels are 2 to 6 of 8 latents
    assert loss == pytest.approx(float(inside.square().mean()), rel=1e-5)


def test_pyramid_noise_has_variance_one_and_alike_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pyramid = module("PyramidNoise")
    random = torch.Generator().manual_seed(0)
    noise = pyramid.pyramid_noise(torch.Size((2000, 4, 8, 8)), random)
    assert float(noise.var()) == pytest.approx(1, abs=0.01)
    # Two neighbours share all coarse levels: 0.4^2 + 0.4^4 + 0.4^6 of the variance.
    shared = sum(0.4 ** (2 * level) for level in (1, 2, 3))
    alike = float((noise[..., 0] * noise[..., 1]).mean())
    assert alike == pytest.approx(shared / (1 + shared), abs=0.01)

    monkeypatch.setattr(pyramid, "DISCOUNT", 0.0)
    white = pyramid.pyramid_noise(torch.Size((2, 4, 8, 8)), torch.Generator().manual_seed(1))
    expected = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(white, expected)


def test_prior_preservation_asks_for_the_base_and_nothing_else(
    base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = module("PriorPreservation")
    # All samples teach the class: an untrained adapter is the base, so nothing is to be learned.
    monkeypatch.setattr(prior, "SHARE", 1.0)
    losses, _ = trained("PriorPreservation", base, 2)
    assert losses == pytest.approx((0, 0), abs=1e-9)

    pipeline = copy.deepcopy(base)
    # In the text encoder, too: the base's answer is that to the base's own reading of the caption.
    config = LoraConfig(rank=2, target_modules=("to_q", "to_v"), train_text_encoder=True)
    adapter = make_lora(pipeline, config)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_()
    layers = [layer for layer in adapter.modules() if hasattr(layer, "lora_scale")]
    length = base.tokenizer.model_max_length
    input_ids = base.tokenizer(
        ["a robot", "a car"], padding="max_length", max_length=length, return_tensors="pt"
    ).input_ids
    noisy, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([3, 700])
    with torch.no_grad():
        states = base.text_encoder(input_ids)[0]
        expected = base.unet(noisy, timesteps, states).sample
        assert not torch.allclose(
            pipeline.unet(noisy, timesteps, states).sample, expected, atol=1e-3
        )
        assert not torch.allclose(pipeline.text_encoder(input_ids)[0], states, atol=1e-3)
    answer = prior.base_answer(pipeline, layers, noisy, timesteps, input_ids)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)
    assert {layer.lora_scale for layer in layers} == {1.0}


def test_the_class_of_a_caption_is_the_caption_without_the_rare_word(base: Any) -> None:
    prior = module("PriorPreservation")
    assert prior.class_of("a sks robot, on a table") == "a robot, on a table"
    assert prior.class_of("a green anchor") == ""
    with pytest.raises(ValueError, match="cannot be switched off"):
        prior.train(base, Toy(), nn.Linear(2, 2), TrainConfig(steps=1), Quiet())


def quadratic(parameter: Tensor, step: int) -> Tensor:
    """Return the gradient of a bowl that shakes a little, another one at every step."""
    centre = torch.tensor([1.0, -2.0, 0.5]) + 0.3 * torch.sin(torch.arange(3.0) + step)
    return parameter.detach() - centre


@pytest.mark.needs("schedulefree")
def test_schedule_free_is_the_authors_package_step_by_step() -> None:
    schedulefree = importlib.import_module("schedulefree")
    own, theirs = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
    warmup = module("ScheduleFree").WARMUP
    optimizer = module("ScheduleFree").ScheduleFreeAdamW([own], 0.1, 0.01)
    other = schedulefree.AdamWScheduleFree(
        [theirs], lr=0.1, weight_decay=0.01, warmup_steps=warmup, foreach=False
    )
    other.train()
    for step in range(40):
        own.grad, theirs.grad = quadratic(own, step), quadratic(theirs, step)
        optimizer.step()
        other.step()
        torch.testing.assert_close(own, theirs, atol=1e-5, rtol=1e-4)
    optimizer.finish()
    other.eval()
    torch.testing.assert_close(own, theirs, atol=1e-5, rtol=1e-4)


def test_schedule_free_is_algorithm_1_of_the_paper() -> None:
    own = nn.Parameter(torch.zeros(3))
    optimizer = module("ScheduleFree").ScheduleFreeAdamW([own], 0.1, 0.0)
    x = z = square = torch.zeros(3)
    total = 0.0
    for t in range(1, 31):
        y = 0.1 * z + 0.9 * x
        torch.testing.assert_close(own.detach(), y, atol=1e-5, rtol=1e-4)
        gradient = quadratic(y, t)
        own.grad = gradient.clone()
        optimizer.step()
        square = 0.999 * square + 0.001 * gradient**2
        rate = 0.1 * min(1, t / 10)
        z = z - rate * gradient / ((square / (1 - 0.999**t)).sqrt() + 1e-8)
        total += rate**2
        x = (1 - rate**2 / total) * x + rate**2 / total * z
    optimizer.finish()
    torch.testing.assert_close(own.detach(), x, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        *("EMA", "LoRAPlus", "MaskedLoss", "MiddleTimesteps", "PriorPreservation"),
        *("PyramidNoise", "ScheduleFree"),
    ],
)
def test_a_training_moves_the_adapter_and_repeats_itself(name: str, base: Any) -> None:
    losses, weights = trained(name, base, 4)
    again, same = trained(name, base, 4)
    assert losses == again
    assert all(torch.equal(weights[key], same[key]) for key in weights)
    assert any(bool(value.abs().sum() > 0) for key, value in weights.items() if "lora_B" in key)


@pytest.mark.parametrize("name", ["EMA", "LoRAPlus", "MiddleTimesteps", "ScheduleFree"])
def test_pictures_of_two_sizes_are_refused_with_a_sentence(name: str, base: Any) -> None:
    class Mixed(Toy):
        def __getitem__(self, index: int) -> tuple[Tensor, str]:
            pixels, caption = super().__getitem__(index)
            return (pixels[:, :, :56] if index else pixels), caption

    adapter = nn.ParameterDict({"lora_B": nn.Parameter(torch.zeros(1))})
    with pytest.raises(ValueError, match="pictures of one size"):
        module(name).train(base, Mixed(), adapter, TrainConfig(steps=1), Quiet())
