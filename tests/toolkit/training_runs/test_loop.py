"""What stands around the loop of src/train.py: each setting does what it says, and how a step is
computed changes nothing.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from src.dataset import make_dataset
from src.lora import apply_lora_to_model, make_lora
from src.train import diffusion_loss, draw_step, train
from tests.src.support import Steps, all_moved, copy_pipeline, open_dataset
from toolkit.core.errors import DataSetError, EnvironmentFault
from toolkit.core.reporting import TrainState
from toolkit.core.settings import LoraConfig, TrainConfig
from toolkit.picture_sets.encoded import EncodedCaptions, encode_pictures
from toolkit.training_runs.draws import group_by_size, pictures_of
from toolkit.training_runs.objective import min_snr_weights
from toolkit.training_runs.optimizers import LIBRARIES, build_optimizer, lr_factor

ROOT = Path(__file__).resolve().parents[3]
SD_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.fixture
def trained(_pristine, data_dir):
    """Train a LoRA with some settings and return it with its losses."""

    def run(lora=None, reporter=None, dataset=None, **settings):
        pipeline = copy_pipeline(_pristine)
        torch.manual_seed(0)
        adapter = make_lora(pipeline, lora or LoraConfig())
        config = TrainConfig(**{"steps": 2, "batch_size": 4, "seed": 5} | settings)
        dataset = dataset or open_dataset(make_dataset, data_dir)
        result = train(pipeline, dataset, adapter, config, reporter or Steps())
        return adapter, result.losses

    return run


def vector(adapter):
    return torch.cat([p.detach().flatten() for p in adapter.parameters()])


# --- how a step is computed ---------------------------------------------------------------------


def test_a_batch_in_parts_is_the_same_step(trained):
    whole, losses = trained(batch_size=4)
    for parts in (2, 3, 4):
        adapter, own = trained(batch_size=4, gradient_accumulation_steps=parts)
        assert own == pytest.approx(losses, rel=1e-5)
        assert (vector(adapter) - vector(whole)).abs().max() < 1e-5


def test_gradient_checkpointing_computes_more_and_changes_nothing(trained, monkeypatch):
    calls = Counter()
    forward = torch.nn.functional.group_norm

    def counted(*args, **kwargs):
        calls["group_norm"] += 1
        return forward(*args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "group_norm", counted)
    plain, losses = trained()
    without = calls["group_norm"]
    calls.clear()
    adapter, own = trained(gradient_checkpointing=True)
    assert calls["group_norm"] > 1.3 * without
    assert own == losses
    assert torch.equal(vector(adapter), vector(plain))


@pytest.mark.parametrize("fast", ["lora", "all"])
def test_fast_layers_change_nothing_but_the_number_of_operations(trained, fast):
    lora = LoraConfig(train_text_encoder=True)
    plain, losses = trained(lora)
    with profiled() as plain_calls:
        trained(lora)
    with profiled() as fast_calls:
        adapter, own = trained(lora, fast_layers=fast)
    assert fast_calls() < 0.9 * plain_calls()
    assert own == pytest.approx(losses, rel=1e-5)
    assert (vector(adapter) - vector(plain)).abs().max() < 1e-5


@contextmanager
def profiled():
    """Count the operations that torch is asked for inside the block."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
        yield lambda: len(found.events())


def test_a_text_encoder_is_trained_under_checkpointing_too(_pristine, data_dir):
    states = []
    for checkpointing in (False, True):
        pipeline = copy_pipeline(_pristine)
        pipeline.unet.requires_grad_(False)
        torch.manual_seed(0)
        apply_lora_to_model(pipeline.text_encoder, target_modules=["q_proj"])
        layers = [m.lora for m in pipeline.text_encoder.modules() if hasattr(m, "lora")]
        adapter = torch.nn.ModuleList(layers)
        config = TrainConfig(steps=2, batch_size=2, gradient_checkpointing=checkpointing)
        train(pipeline, open_dataset(make_dataset, data_dir), adapter, config, Steps())
        assert all_moved(layers)
        states.append(vector(adapter))
    assert torch.equal(*states)


def test_the_lora_stays_in_float32_while_the_base_computes_in_bfloat16(trained):
    plain, losses = trained()
    adapter, own = trained(mixed_precision="bf16")
    assert {p.dtype for p in adapter.parameters()} == {torch.float32}
    assert own != losses
    assert own == pytest.approx(losses, rel=2e-2)
    # A bfloat16 weight of A would not have moved: its neighbours are further away than one update.
    moved = vector(adapter) != vector(trained(steps=1)[0])
    assert moved.float().mean() > 0.9
    assert (vector(adapter) - vector(plain)).abs().max() < 5e-3


def test_float16_on_a_processor_is_refused(trained):
    with pytest.raises(ValueError, match="fp16"):
        trained(mixed_precision="fp16")


def test_a_batch_that_cannot_be_shared_out_is_refused(trained):
    with pytest.raises(ValueError, match="batch_size 4 or more"):
        trained(batch_size=2, gradient_accumulation_steps=4)


PROCESS = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from safetensors.torch import save_file
from toolkit.core.settings import LoraConfig, TrainConfig
from src.dataset import make_dataset
from src.lora import make_lora
from src.train import train
from tests.src.support import Steps, build_pipeline, open_dataset

pipeline = build_pipeline()
torch.manual_seed(0)
adapter = make_lora(pipeline, LoraConfig())
config = TrainConfig(steps=3, batch_size=4, seed=5, max_grad_norm=0.01)
result = train(pipeline, open_dataset(make_dataset, Path(sys.argv[1])), adapter, config, Steps())
from accelerate import PartialState
tensors = {k: v.contiguous() for k, v in adapter.state_dict().items()}
tensors["losses"] = torch.tensor(result.losses, dtype=torch.float64)
path = f"{sys.argv[2]}-{PartialState().process_index}.safetensors"
save_file(tensors, path, metadata={"processes": str(PartialState().num_processes)})
"""


def test_two_processes_make_the_steps_of_one(trained, data_dir, tmp_path):
    """With the same global batch; in float32 only the order of additions differs."""
    script = tmp_path / "process.py"
    script.write_text(textwrap.dedent(PROCESS), encoding="utf-8")
    # `--multi_gpu` is the launcher's word for several processes, on a processor too.
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    launch += ["--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    done = subprocess.run(
        [*launch, str(script), str(data_dir), str(tmp_path / "rank")],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    adapter, losses = trained(steps=3, max_grad_norm=0.01)
    for rank in (0, 1):
        path = tmp_path / f"rank-{rank}.safetensors"
        with safe_open(path, "pt") as file:
            assert file.metadata() == {"processes": "2"}
        two = load_file(path)
        assert two.pop("losses").tolist() == pytest.approx(losses, rel=1e-5)
        for key, tensor in adapter.state_dict().items():
            assert (two[key] - tensor).abs().max() < 1e-5, key


# --- what is learnt -----------------------------------------------------------------------------


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weights_are_those_of_the_paper(prediction_type, gamma):
    scheduler = DDPMScheduler(**SD_BETAS, prediction_type=prediction_type)
    timesteps = torch.tensor([0, 10, 250, 999])
    weights = min_snr_weights(scheduler, timesteps, gamma).tolist()
    for timestep, weight in zip(timesteps.tolist(), weights, strict=True):
        betas = [
            (0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * t / 999) ** 2 for t in range(timestep + 1)
        ]
        alpha_bar = math.prod(1 - beta for beta in betas)
        snr = alpha_bar / (1 - alpha_bar)
        below = snr if prediction_type == "epsilon" else snr + 1
        assert weight == pytest.approx(min(snr, gamma) / below, rel=1e-3)


def test_min_snr_weighs_the_loss(pipeline, trained):
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    generator = torch.Generator().manual_seed(0)
    noise, latents = (torch.randn((2, 4, 8, 8), generator=generator) for _ in range(2))
    text = torch.randn((2, 24, 32), generator=generator)
    timesteps = torch.tensor([0, 400])

    def loss(rows, gamma):
        parts = (latents[rows], text[rows], noise[rows], timesteps[rows])
        return diffusion_loss(pipeline.unet, scheduler, *parts, gamma).item()

    weights = min_snr_weights(scheduler, timesteps, 5.0)
    singles = torch.tensor([loss([0], None), loss([1], None)])
    assert loss([0, 1], 5.0) == pytest.approx((weights * singles).mean().item(), rel=1e-4)
    assert trained(min_snr_gamma=5.0)[1] != trained()[1]


def test_zero_terminal_snr_with_epsilon_is_refused(pipeline, data_dir):
    pipeline.scheduler.register_to_config(rescale_betas_zero_snr=True, prediction_type="epsilon")
    adapter = make_lora(pipeline, LoraConfig())
    config = TrainConfig(steps=1, min_snr_gamma=5)
    with pytest.raises(ValueError, match="zero terminal SNR"):
        train(pipeline, open_dataset(make_dataset, data_dir), adapter, config, Steps())


def test_zero_terminal_snr_with_v_prediction_has_finite_weights():
    scheduler = DDPMScheduler(
        **SD_BETAS, prediction_type="v_prediction", rescale_betas_zero_snr=True
    )
    assert min_snr_weights(scheduler, torch.arange(1000), 5.0).isfinite().all()


def test_noise_offset_moves_whole_channels_and_nothing_else():
    scheduler = DDPMScheduler(**SD_BETAS)
    plain = TrainConfig(steps=1, batch_size=64)
    shifted = plain.model_copy(update={"noise_offset": 0.5})
    without = draw_step(1, [(4, 8, 8)], scheduler, plain)
    with_it = draw_step(1, [(4, 8, 8)], scheduler, shifted)
    difference = with_it.noise - without.noise
    assert difference.std((2, 3)).max() < 1e-6
    assert difference.mean((2, 3)).std() == pytest.approx(0.5, rel=0.15)
    assert all(
        torch.equal(getattr(with_it, part), getattr(without, part))
        for part in ("pictures", "caption_dropped", "posterior_noise", "timesteps")
    )


def test_dropout_of_a_step_does_not_depend_on_the_global_generator(trained, monkeypatch):
    class Disturbing(Steps):
        def step(self, step, loss):
            super().step(step, loss)
            torch.rand(7)

    lora = LoraConfig()
    dropout = torch.nn.Dropout(0.5)
    forward = torch.nn.functional.linear
    monkeypatch.setattr(torch.nn.functional, "linear", lambda x, *rest: forward(dropout(x), *rest))
    assert trained(lora, steps=3)[1] == trained(lora, steps=3, reporter=Disturbing())[1]


# --- the optimiser ------------------------------------------------------------------------------


def test_schedules_have_the_values_of_their_formulas():
    config = TrainConfig(steps=10, lr_warmup_steps=4)
    rising = [0.25, 0.5, 0.75, 1.0]

    def factors(schedule):
        own = config.model_copy(update={"lr_schedule": schedule})
        return [lr_factor(step, own) for step in range(1, 11)]

    assert factors("constant") == pytest.approx([*rising, *[1.0] * 6])
    assert factors("linear") == pytest.approx([*rising, *[1 - i / 6 for i in range(6)]])
    cosine = [(1 + math.cos(math.pi * i / 6)) / 2 for i in range(6)]
    assert factors("cosine") == pytest.approx([*rising, *cosine])


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [("cosine", get_cosine_schedule_with_warmup), ("linear", get_linear_schedule_with_warmup)],
)
def test_schedules_without_warm_up_are_those_of_transformers(schedule, theirs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = theirs(optimizer, 0, 7)
    config = TrainConfig(steps=7, lr_schedule=schedule)
    for step in range(1, 8):
        assert lr_factor(step, config) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()


def test_the_optimiser_is_given_the_scheduled_rate_and_the_weight_decay(trained, monkeypatch):
    seen = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        seen.extend(group["lr"] for group in self.param_groups)
        assert {group["weight_decay"] for group in self.param_groups} == {0.25}
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    trained(steps=3, learning_rate=1e-2, lr_schedule="linear", lr_warmup_steps=1, weight_decay=0.25)
    assert seen == pytest.approx([1e-2, 1e-2, 5e-3])


def test_the_text_encoder_has_a_learning_rate_of_its_own(pipeline):
    adapter = make_lora(pipeline, LoraConfig())
    apply_lora_to_model(pipeline.text_encoder, target_modules=["q_proj"])
    text = [m.lora for m in pipeline.text_encoder.modules() if hasattr(m, "lora")]
    adapter.add_module("text", torch.nn.ModuleList(text))

    def rates(**settings):
        config = TrainConfig(learning_rate=1e-3, **settings)
        groups = build_optimizer(pipeline, adapter, config).param_groups
        return {id(p): group["lr"] for group in groups for p in group["params"]}

    theirs = {id(p) for layer in text for p in layer.parameters()}
    for key, rate in rates(text_encoder_learning_rate=1e-5).items():
        assert rate == (1e-5 if key in theirs else 1e-3)
    assert set(rates()) == {id(p) for p in adapter.parameters()}
    assert set(rates().values()) == {1e-3}


def test_an_adapter_without_trainable_parameters_is_refused(pipeline):
    adapter = make_lora(pipeline, LoraConfig()).requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter to train"):
        build_optimizer(pipeline, adapter, TrainConfig())


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_each_optimiser_trains_or_says_what_to_install(name, trained):
    module, _, package, _ = LIBRARIES[name]
    rate = 1.0 if name == "prodigy" else 1e-3
    try:
        __import__(module)
    except ImportError:
        with pytest.raises(EnvironmentFault, match=f"python -m pip install {package}"):
            trained(optimizer=name)
        return
    adapter, _ = trained(optimizer=name, learning_rate=rate)
    assert all_moved(adapter.children())


# --- pictures of several sizes ------------------------------------------------------------------

SHAPES = [(4, 8, 8)] * 5 + [(4, 6, 10)] * 2 + [(4, 10, 6)]


def test_a_batch_has_one_size_and_all_pictures_come_equally_often():
    config = TrainConfig(steps=1, batch_size=3, seed=1)
    seen = Counter()
    for step in range(1, 2 * len(SHAPES) + 1):
        pictures = pictures_of(step, SHAPES, config).tolist()
        assert len({SHAPES[i] for i in pictures}) == 1
        assert len(pictures) == 3
        seen.update(pictures)
    assert set(seen.values()) == {6}
    assert [len(group) for group in group_by_size(SHAPES)] == [2, 5, 1]


def test_training_on_several_sizes_is_the_same_each_time(trained):
    generator = torch.Generator().manual_seed(0)
    sizes = [(64, 64), (48, 80), (48, 80), (80, 48), (64, 64)]
    dataset = [
        (torch.rand((3, *size), generator=generator) * 2 - 1, f"caption {i}")
        for i, size in enumerate(sizes)
    ]
    first, losses = trained(dataset=dataset, steps=5, batch_size=2)
    second, again = trained(dataset=dataset, steps=5, batch_size=2)
    assert losses == again
    assert torch.equal(vector(first), vector(second))


def test_a_cache_folder_changes_nothing_and_spares_the_vae(pipeline, tmp_path, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    sizes = [(64, 64), (48, 80), (64, 64), (64, 64)]
    dataset = [(torch.rand((3, *size), generator=generator), f"text {size}") for size in sizes]
    plain = encode_pictures(pipeline.vae, dataset)
    texts = EncodedCaptions(pipeline, plain.captions)
    for _ in range(2):
        cached = encode_pictures(pipeline.vae, dataset, tmp_path)
        assert cached.captions == plain.captions
        assert all(map(torch.equal, cached.means + cached.stds, plain.means + plain.stds))
        kept = EncodedCaptions(pipeline, plain.captions, tmp_path).kept
        assert torch.equal(kept, texts.kept)
        monkeypatch.setattr(pipeline.vae, "encode", None)


def test_a_picture_that_the_vae_cannot_encode_is_named(pipeline):
    dataset = [(torch.zeros((3, 64, 64)), "good"), (torch.full((3, 64, 64), torch.nan), "bad")]
    with pytest.raises(DataSetError, match="latents of item 1 are not finite"):
        encode_pictures(pipeline.vae, dataset)


# --- to stop and go on --------------------------------------------------------------------------


class Keeper(Steps):
    """A reporter that keeps the state of one step the way a file would."""

    def __init__(self, state=None, keep_at=0):
        super().__init__()
        self.state, self.keep_at, self.cache_dir = state, keep_at, None

    def resume(self):
        return self.state

    def checkpoint(self, step, make_state):
        if step == self.keep_at:
            state = make_state()
            tensors = {key: tensor.clone() for key, tensor in state.tensors.items()}
            self.state = TrainState(tensors, json.loads(json.dumps(state.values)))


@pytest.mark.parametrize("name", ["adamw", "adafactor"])
def test_a_resumed_training_ends_bit_for_bit_where_an_uninterrupted_one_does(trained, name):
    settings = {"steps": 4, "optimizer": name, "lr_schedule": "cosine"}
    keeper = Keeper(keep_at=2)
    whole, losses = trained(reporter=keeper, **settings)
    later = Keeper(keeper.state)
    resumed, own = trained(reporter=later, **settings)
    assert later.steps == [3, 4]
    assert own == losses
    assert torch.equal(vector(resumed), vector(whole))


def test_a_finished_training_is_not_made_again(trained):
    keeper = Keeper(keep_at=2)
    whole, losses = trained(reporter=keeper)
    later = Keeper(keeper.state)
    resumed, own = trained(reporter=later)
    assert later.steps == []
    assert own == losses
    assert torch.equal(vector(resumed), vector(whole))


# --- every setting is read ----------------------------------------------------------------------


@pytest.mark.parametrize("field", sorted(TrainConfig.model_fields))
def test_every_setting_is_read_somewhere(field):
    files = [*(ROOT / "src").glob("*.py"), *(ROOT / "toolkit" / "training_runs").glob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in files]
    assert any(f"config.{field}" in source for source in sources), field
