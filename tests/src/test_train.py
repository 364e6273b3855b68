"""train.py, encode.py, draws.py: what is predicted, from what, and that it is learnt."""

from __future__ import annotations

import functools
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch.utils.data import DataLoader

from src.dataset import collate, make_dataset
from src.lora import apply_lora_to_model, make_lora
from src.train import diffusion_loss, draw_step, train, train_loop
from tests.src.support import CAPTIONS, all_moved, copy_pipeline, open_dataset, snapshot
from toolkit.core.settings import LoraConfig, TrainConfig
from toolkit.picture_sets.encoded import EncodedCaptions, encode_pictures, tokenize
from toolkit.training_runs.draws import generator_of, pictures_of

SCALE = 0.18215

# The base is random: attention alone could hardly make it predict anything.
MANY_LAYERS = LoraConfig(
    rank=8,
    target_modules=(
        *("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"),
        *("time_emb_proj", "linear_1", "linear_2"),
    ),
)


@pytest.fixture
def noise_scheduler(pipeline):
    return DDPMScheduler.from_config(pipeline.scheduler.config)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {
        "latents": torch.randn((2, 4, 8, 8), generator=generator),
        "encoder_hidden_states": torch.randn((2, 24, 32), generator=generator),
        "noise": torch.randn((2, 4, 8, 8), generator=generator),
        "timesteps": torch.tensor([0, 999]),
    }


class Spy:
    """Stands in for the U-Net's forward: remembers what it is given, then calls the real one."""

    def __init__(self, unet, monkeypatch):
        self.noisy_latents, self.timesteps, self.embeddings = [], [], []
        forward = unet.forward

        def watched(sample, timestep, encoder_hidden_states, *args, **kwargs):
            self.noisy_latents.append(sample.detach().clone())
            self.timesteps.append(timestep.clone())
            self.embeddings.append(encoder_hidden_states.detach().clone())
            return forward(sample, timestep, encoder_hidden_states, *args, **kwargs)

        monkeypatch.setattr(unet, "forward", watched)


# --- the loss -----------------------------------------------------------------------------------


def test_loss_is_the_mean_squared_error_of_the_noise_in_float64(pipeline, noise_scheduler, batch):
    loss = diffusion_loss(pipeline.unet, noise_scheduler, **batch)

    # The same from the definition: SD's betas, epsilon prediction, double precision.
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alpha_bar = np.cumprod(1 - betas)[batch["timesteps"].numpy()].reshape(2, 1, 1, 1)
    latents, noise = batch["latents"].double(), batch["noise"].double()
    noisy = torch.from_numpy(np.sqrt(alpha_bar)) * latents
    noisy = noisy + torch.from_numpy(np.sqrt(1 - alpha_bar)) * noise
    unet = pipeline.unet.double()
    prediction = unet(noisy, batch["timesteps"], batch["encoder_hidden_states"].double()).sample
    expected = ((prediction - noise) ** 2).mean()
    assert loss.dtype == torch.float32
    assert abs(loss.item() - expected.item()) < 1e-5 * expected.item()


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_unet_that_predicts_the_target_has_no_loss(batch, prediction_type):
    scheduler = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction_type,
    )
    targets = {
        "epsilon": batch["noise"],
        "v_prediction": scheduler.get_velocity(
            batch["latents"], batch["noise"], batch["timesteps"]
        ),
    }

    def oracle(noisy_latents, timesteps, encoder_hidden_states):
        return SimpleNamespace(sample=targets[prediction_type])

    assert diffusion_loss(oracle, scheduler, **batch) == 0


def test_a_base_that_predicts_pictures_is_refused(pipeline, batch):
    scheduler = DDPMScheduler(prediction_type="sample")
    with pytest.raises(ValueError, match="'sample'"):
        diffusion_loss(pipeline.unet, scheduler, **batch)


def test_the_training_scheduler_has_sds_betas(noise_scheduler):
    assert noise_scheduler.alphas_cumprod[-1] == pytest.approx(4.66e-3, rel=1e-2)


# --- the frozen models --------------------------------------------------------------------------


def test_captions_reach_the_unet_as_the_pipeline_itself_encodes_them(pipeline):
    texts = EncodedCaptions(pipeline, CAPTIONS)
    dropped = torch.tensor([False, False, False, True])
    own = texts(torch.arange(4), dropped)
    expected, _ = pipeline.encode_prompt([*CAPTIONS[:3], ""], "cpu", 1, False)
    torch.testing.assert_close(own, expected)


def test_tokens_are_padded_and_cut_to_the_models_length(pipeline):
    assert tokenize(pipeline.tokenizer, ["a", "word " * 99]).shape == (2, 24)


def test_each_picture_passes_the_vae_once_without_gradients(pipeline, data_dir, monkeypatch):
    seen = []
    encode = pipeline.vae.encode

    def watched(pixel_values):
        assert not torch.is_grad_enabled()
        seen.append(len(pixel_values))
        return encode(pixel_values)

    monkeypatch.setattr(pipeline.vae, "encode", watched)
    encoded = encode_pictures(pipeline.vae, open_dataset(make_dataset, data_dir))
    assert seen == [1] * 4
    assert encoded.shapes == [(4, 8, 8)] * 4
    assert encoded.captions == list(CAPTIONS)
    assert all((std > 0).all() for std in encoded.stds)


def test_a_text_encoder_that_is_trained_is_called_anew(pipeline):
    apply_lora_to_model(pipeline.text_encoder, target_modules=["q_proj"])
    texts = EncodedCaptions(pipeline, CAPTIONS)
    hidden = texts(torch.arange(2), torch.zeros(2, dtype=torch.bool))
    assert hidden.requires_grad


# --- the draws ----------------------------------------------------------------------------------


def test_a_generator_belongs_to_seed_and_step():
    keys = list(itertools.product((0, 1, 2**31 - 1), range(4), (0, 1, 2, 2**20), (0, 1)))
    firsts = {torch.randn(1, generator=generator_of(*key)).item() for key in keys}
    assert len(firsts) == len(keys)


def test_a_step_does_not_depend_on_the_steps_before(noise_scheduler, train_config):
    def draw(step):
        return draw_step(step, [(4, 8, 8)] * 4, noise_scheduler, train_config)

    for step in range(1, 5):
        draw(step)
    late = draw(5)
    for first, second in zip(late, draw(5), strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(late.noise, draw(6).noise)


@pytest.mark.parametrize(("count", "batch_size"), [(4, 2), (5, 3), (1, 4), (3, 8), (9, 8)])
def test_every_picture_comes_once_before_any_comes_again(count, batch_size):
    config = TrainConfig(steps=1, batch_size=batch_size, seed=3)
    shapes = [(4, 8, 8)] * count
    steps = [pictures_of(step, shapes, config) for step in range(1, 2 * count + 1)]
    assert all(len(step) == batch_size for step in steps)
    seen = torch.cat(steps).tolist()
    for first in range(0, len(seen), count):
        assert sorted(seen[first : first + count]) == list(range(count))


def test_timesteps_are_uniform_and_captions_dropped_as_often_as_asked(noise_scheduler):
    config = TrainConfig(steps=1, batch_size=8, caption_dropout=0.25)
    shapes = [(1, 1, 1)] * 9
    draws = [draw_step(step, shapes, noise_scheduler, config) for step in range(1, 501)]
    timesteps = torch.cat([draw.timesteps for draw in draws]).double()
    assert timesteps.min() >= 0
    assert timesteps.max() <= 999
    counts = torch.histc(timesteps, bins=10, min=0, max=1000)
    assert ((counts - 400).abs() < 100).all(), counts  # five standard deviations
    dropped = torch.cat([draw.caption_dropped for draw in draws]).double().mean()
    assert dropped == pytest.approx(0.25, abs=0.035)
    for kind in ("noise", "posterior_noise"):
        values = torch.cat([getattr(draw, kind) for draw in draws])
        assert values.std() == pytest.approx(1, abs=0.05)


# --- the hook of both implementations -----------------------------------------------------------


def run(main, pipeline, data_dir, lora_config, train_config, reporter):
    torch.manual_seed(train_config.seed)
    dataset = open_dataset(main.make_dataset, data_dir)
    adapter = main.make_lora(pipeline, lora_config)
    return adapter, main.train(pipeline, dataset, adapter, train_config, reporter)


def test_training_moves_the_adapter_and_not_one_bit_of_the_base(
    main, pipeline, data_dir, lora_config, train_config, reporter
):
    names = ("unet", "vae", "text_encoder")
    before = {name: snapshot(getattr(pipeline, name)) for name in names}
    adapter, result = run(main, pipeline, data_dir, lora_config, train_config, reporter)
    for name in names:
        after = getattr(pipeline, name).state_dict()
        for key, tensor in before[name].items():
            assert torch.equal(after[key], tensor), key
    assert all_moved(adapter.children())
    assert all(p.dtype == torch.float32 for p in adapter.parameters())
    assert reporter.steps == [1, 2, 3]
    assert list(result.losses) == reporter.losses


def test_only_the_adapters_parameters_are_optimised(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    optimised = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        optimised.append({id(p) for group in self.param_groups for p in group["params"]})
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    adapter, _ = run(main, pipeline, data_dir, lora_config, train_config, reporter)
    assert optimised == [{id(p) for p in adapter.parameters()}] * 3


def test_latents_are_scaled(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    """With latents that are all K, the mean of the noisy ones is sqrt(alpha_bar) * scale * K."""
    constant = 20.0
    spy = Spy(pipeline.unet, monkeypatch)

    def encode(pixel_values):
        mean = torch.full((len(pixel_values), 4, 8, 8), constant)
        posterior = SimpleNamespace(mean=mean, std=torch.zeros_like(mean), sample=lambda: mean)
        return SimpleNamespace(latent_dist=posterior)

    monkeypatch.setattr(pipeline.vae, "encode", encode)
    config = train_config.model_copy(update={"steps": 6, "batch_size": 4})
    run(main, pipeline, data_dir, lora_config, config, reporter)
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    timesteps = torch.cat(spy.timesteps)
    x = scheduler.alphas_cumprod[timesteps].sqrt() * constant
    noisy = torch.cat(spy.noisy_latents).flatten(1)
    slope = (x @ noisy.mean(1)) / (x @ x)
    assert slope == pytest.approx(SCALE, abs=0.01)
    variance = noisy.var(1) / (1 - scheduler.alphas_cumprod[timesteps])
    assert variance.median() == pytest.approx(1, abs=0.15)
    assert len(timesteps.unique()) > 15


def test_latents_are_drawn_from_the_vaes_distribution_in_every_step(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    """With a deviation of 1 / scale the noisy latents have variance 1 whatever the timestep."""
    spy = Spy(pipeline.unet, monkeypatch)

    def encode(pixel_values):
        mean = torch.zeros((len(pixel_values), 4, 8, 8))
        posterior = SimpleNamespace(mean=mean, std=torch.full_like(mean, 1 / SCALE))
        return SimpleNamespace(latent_dist=posterior)

    monkeypatch.setattr(pipeline.vae, "encode", encode)
    config = train_config.model_copy(update={"steps": 6, "batch_size": 4})
    run(main, pipeline, data_dir, lora_config, config, reporter)
    noisy = torch.cat(spy.noisy_latents)
    assert noisy.var((1, 2, 3)).min() > 0.7
    assert torch.pdist(noisy.flatten(1)).min() > 1


def test_what_the_unet_has_to_predict_is_the_noise(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    """With latents known to be zero, noisy_latents / sqrt(1 - alpha_bar) is exactly the noise."""

    def encode(pixel_values):
        mean = torch.zeros((len(pixel_values), 4, 8, 8))
        posterior = SimpleNamespace(mean=mean, std=mean, sample=lambda: mean)
        return SimpleNamespace(latent_dist=posterior)

    alpha_bar = DDPMScheduler.from_config(pipeline.scheduler.config).alphas_cumprod
    forward = pipeline.unet.forward

    def oracle(sample, timestep, *args, **kwargs):
        output = forward(sample, timestep, *args, **kwargs)
        noise = sample / (1 - alpha_bar[timestep]).sqrt().view(-1, 1, 1, 1)
        output.sample = noise + 0 * output.sample
        return output

    monkeypatch.setattr(pipeline.vae, "encode", encode)
    monkeypatch.setattr(pipeline.unet, "forward", oracle)
    _, result = run(main, pipeline, data_dir, lora_config, train_config, reporter)
    assert max(result.losses) < 1e-8


def test_distinct_captions_reach_the_unet_as_distinct_embeddings(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    spy = Spy(pipeline.unet, monkeypatch)
    config = train_config.model_copy(update={"caption_dropout": 0.0, "batch_size": 4, "steps": 1})
    run(main, pipeline, data_dir, lora_config, config, reporter)
    (embeddings,) = spy.embeddings
    expected, _ = pipeline.encode_prompt(list(CAPTIONS), "cpu", 1, False)
    for row in embeddings:
        assert (row - expected).abs().amax((1, 2)).min() < 1e-5
    assert torch.pdist(embeddings.flatten(1)).min() > 1e-2


def test_every_caption_can_be_dropped(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    spy = Spy(pipeline.unet, monkeypatch)
    config = train_config.model_copy(update={"caption_dropout": 1.0, "steps": 1})
    run(main, pipeline, data_dir, lora_config, config, reporter)
    expected, _ = pipeline.encode_prompt([""] * 2, "cpu", 1, False)
    torch.testing.assert_close(spy.embeddings[0], expected)


def gradients_at_each_step(monkeypatch):
    """Return a list that fills with the whole gradient that each optimiser step is made with."""
    gradients = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        parts = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
        gradients.append(torch.cat(parts).clone())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    return gradients


def change_output(unet, monkeypatch, factors):
    """Multiply what the U-Net predicts in call i by factors[i]."""
    forward, factors = unet.forward, iter(factors)

    def changed(*args, **kwargs):
        output = forward(*args, **kwargs)
        output.sample = output.sample * next(factors)
        return output

    monkeypatch.setattr(unet, "forward", changed)


def test_gradients_are_really_clipped(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    gradients = gradients_at_each_step(monkeypatch)
    config = train_config.model_copy(update={"max_grad_norm": 1e-4})
    run(main, pipeline, data_dir, lora_config, config, reporter)
    assert [g.norm().item() for g in gradients] == pytest.approx([1e-4] * 3, rel=1e-2)


def test_gradients_of_one_step_are_gone_in_the_next(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    gradients = gradients_at_each_step(monkeypatch)
    change_output(pipeline.unet, monkeypatch, [1, 1, 0])
    run(main, pipeline, data_dir, lora_config, train_config, reporter)
    assert gradients[1].norm() > 0
    assert gradients[2].norm() == 0


def test_same_seed_is_bit_identical_and_another_differs(
    main, _pristine, data_dir, lora_config, train_config, reporter
):
    results = []
    for seed in (5, 5, 6):
        config = train_config.model_copy(update={"seed": seed})
        pipeline = copy_pipeline(_pristine)
        adapter, result = run(main, pipeline, data_dir, lora_config, config, reporter)
        results.append((result.losses, adapter.state_dict()))
    (losses, state), (losses_again, state_again), (other_losses, _) = results
    assert losses == losses_again
    assert all(torch.equal(state[key], state_again[key]) for key in state)
    assert losses != other_losses


def test_a_loss_that_is_not_finite_stops_the_training(
    main, pipeline, data_dir, lora_config, train_config, reporter, monkeypatch
):
    adapter = main.make_lora(pipeline, lora_config)
    before = snapshot(adapter)
    forward = pipeline.unet.forward

    def broken(*args, **kwargs):
        output = forward(*args, **kwargs)
        output.sample = output.sample * math.nan
        return output

    monkeypatch.setattr(pipeline.unet, "forward", broken)
    with pytest.raises((FloatingPointError, RuntimeError), match=r"Step 1: loss nan|non-finite"):
        main.train(
            pipeline, open_dataset(main.make_dataset, data_dir), adapter, train_config, reporter
        )
    assert reporter.steps == []
    assert all(torch.equal(adapter.state_dict()[key], before[key]) for key in before)


def test_one_picture_is_learnt(main, pipeline, data_dir, reporter):
    dataset = [open_dataset(main.make_dataset, data_dir)[0]]
    torch.manual_seed(0)
    adapter = main.make_lora(pipeline, MANY_LAYERS)
    config = TrainConfig(steps=45, batch_size=4, seed=0, learning_rate=1e-2, caption_dropout=0)
    losses = main.train(pipeline, dataset, adapter, config, reporter).losses
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])


# --- the loop of the first document -------------------------------------------------------------


def test_train_loop_learns_one_picture_and_prints_each_epoch(
    pipeline, data_dir, noise_scheduler, capsys
):
    dataset = [open_dataset(make_dataset, data_dir)[0]] * 4
    torch.manual_seed(0)
    adapter = make_lora(pipeline, MANY_LAYERS)
    before = snapshot(pipeline.unet)
    to_batch = functools.partial(collate, tokenizer=pipeline.tokenizer)
    loader = DataLoader(dataset, batch_size=4, collate_fn=to_batch)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    parts = (pipeline.unet, pipeline.text_encoder, pipeline.vae, noise_scheduler, optimizer)
    train_loop(loader, *parts, "cpu", 40)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 1/40, Loss: ")
    losses = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert len(losses) == 40
    assert sum(losses[-10:]) < 0.85 * sum(losses[:10])
    moved = {k for k, v in pipeline.unet.state_dict().items() if not torch.equal(v, before[k])}
    assert moved
    assert all(".lora." in key for key in moved)


def test_train_loop_scales_clips_and_zeroes(
    pipeline, data_dir, lora_config, noise_scheduler, monkeypatch, capsys
):
    adapter = make_lora(pipeline, lora_config)
    spy = Spy(pipeline.unet, monkeypatch)
    gradients = gradients_at_each_step(monkeypatch)
    change_output(pipeline.unet, monkeypatch, [1e4, 1e4, 0, 0])
    constant = torch.full((2, 4, 8, 8), 20.0)
    posterior = SimpleNamespace(sample=lambda: constant)
    monkeypatch.setattr(pipeline.vae, "encode", lambda _: SimpleNamespace(latent_dist=posterior))
    to_batch = functools.partial(collate, tokenizer=pipeline.tokenizer)
    loader = DataLoader(open_dataset(make_dataset, data_dir), batch_size=2, collate_fn=to_batch)
    optimizer = torch.optim.AdamW(adapter.parameters())
    parts = (pipeline.unet, pipeline.text_encoder, pipeline.vae, noise_scheduler, optimizer)
    torch.manual_seed(0)
    train_loop(loader, *parts, "cpu", 2)

    assert [g.norm().item() for g in gradients] == pytest.approx([1, 1, 0, 0], rel=1e-3)
    timesteps = torch.cat(spy.timesteps)
    x = noise_scheduler.alphas_cumprod[timesteps].sqrt() * 20.0
    slope = (x @ torch.cat(spy.noisy_latents).flatten(1).mean(1)) / (x @ x)
    assert slope == pytest.approx(SCALE, abs=0.015)
    assert len(timesteps.unique()) > 5
    expected, _ = pipeline.encode_prompt(list(CAPTIONS), "cpu", 1, False)
    torch.testing.assert_close(torch.cat(spy.embeddings[:2]), expected)
    capsys.readouterr()


def test_train_loop_says_how_to_tokenize(pipeline, data_dir, lora_config, noise_scheduler):
    adapter = make_lora(pipeline, lora_config)
    loader = DataLoader(open_dataset(make_dataset, data_dir), batch_size=2)
    optimizer = torch.optim.AdamW(adapter.parameters())
    parts = (pipeline.unet, pipeline.text_encoder, pipeline.vae, noise_scheduler, optimizer)
    with pytest.raises(TypeError, match="collate_fn"):
        train_loop(loader, *parts, "cpu", 1)


def test_an_adapter_on_the_text_encoder_is_trained_too(pipeline, data_dir, train_config, reporter):
    pipeline.unet.requires_grad_(False)
    apply_lora_to_model(pipeline.text_encoder, target_modules=["q_proj", "v_proj"])
    layers = [m.lora for m in pipeline.text_encoder.modules() if hasattr(m, "lora")]
    adapter = torch.nn.ModuleList(layers)
    train(pipeline, open_dataset(make_dataset, data_dir), adapter, train_config, reporter)
    assert all_moved(layers)
