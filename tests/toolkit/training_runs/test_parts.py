"""The parts of training_runs, one by one, on real files and a real pipeline."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from src.dataset import make_dataset
from src.generate import generate
from src.lora import make_lora
from src.train import train
from tests.src.support import Steps, open_dataset
from toolkit.core.errors import EnvironmentFault, UsageError
from toolkit.core.native_size import native_size_px
from toolkit.core.reporting import TrainState
from toolkit.core.settings import GenerateConfig, LoraConfig, Settings, TrainConfig
from toolkit.training_runs import memory
from toolkit.training_runs.checkpoints import Checkpoints
from toolkit.training_runs.command_line import parse_options
from toolkit.training_runs.fingerprint import base_fingerprint
from toolkit.training_runs.journal import Journal
from toolkit.training_runs.line import Line
from toolkit.training_runs.options import resolve
from toolkit.training_runs.own_folder import clear
from toolkit.training_runs.plan import FREE_TO_CHANGE, differences, schedule_note
from toolkit.training_runs.presets import PRESETS, clamp, fast_layers_for
from toolkit.training_runs.samples import Samples, undisturbed
from toolkit.training_runs.stopping import StopRequest
from toolkit.training_runs.validation import Validation, split_dataset

IDENTITY = {"train.seed": 1, "train.steps": 9, "lora.target_modules": ("to_q",)}


def state_of(number):
    return TrainState({"adapter.a": torch.full((3,), float(number))}, {"losses": [0.1, number]})


# --- checkpoints --------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was_and_the_last_few_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2, print)
    for step in (1, 2, 3):
        checkpoints.write(step, state_of(step), IDENTITY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000002", "step-000003"]
    found = checkpoints.newest(IDENTITY)
    assert found.step == 3
    assert found.state.values == {"losses": [0.1, 3]}
    assert torch.equal(found.state.tensors["adapter.a"], torch.full((3,), 3.0))


@pytest.mark.parametrize("damage", ["cut", "changed", "no guard"])
def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, damage):
    told = []
    checkpoints = Checkpoints(tmp_path, 3, told.append)
    for step in (1, 2):
        newest = checkpoints.write(step, state_of(step), IDENTITY)
    weights = newest / "state.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-5])
    elif damage == "changed":
        weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    else:
        (newest / "whole.json").unlink()
    assert checkpoints.newest(IDENTITY).step == 1
    assert "step-000002" in told[0]


def test_a_checkpoint_of_other_settings_says_what_changed(tmp_path):
    checkpoints = Checkpoints(tmp_path, 1, print)
    checkpoints.write(1, state_of(1), IDENTITY)
    with pytest.raises(UsageError, match=r"train\.seed was 1, now 2"):
        checkpoints.newest(IDENTITY | {"train.seed": 2})


def test_what_a_killed_process_left_half_written_is_no_checkpoint(tmp_path):
    (tmp_path / ".step-000009.tmp").mkdir()
    assert Checkpoints(tmp_path, 1, print).newest(IDENTITY) is None


# --- log ----------------------------------------------------------------------------------------


def test_the_log_forgets_steps_that_are_made_again_and_lines_that_were_cut(tmp_path):
    journal = Journal(tmp_path, tensorboard=False)
    for step in (1, 2, 3):
        journal.write(step, loss=step / 2)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    journal.forget_after(2)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
    ]


def test_tensorboard_gets_the_same_figures_or_is_said_to_be_missing(tmp_path):
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(EnvironmentFault, match="tensorboard is not installed"):
            Journal(tmp_path, tensorboard=True)
        return
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(tmp_path, tensorboard=True)
    journal.write(7, loss=0.25)
    journal.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(7, 0.25)]


def test_the_line_has_rate_time_left_and_memory(capsys):
    line = Line(20)
    line.start(10)
    for step in range(11, 21):
        line.show(step, 0.5, 3 * 2**29)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith("20/20  loss 0.5000  ")
    assert lines[-1].endswith("steps/s  0:00 left  1.5 GiB")


# --- stopping -----------------------------------------------------------------------------------


def test_the_first_signal_is_remembered_and_the_second_stops(capsys):
    with StopRequest() as stop:
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert "Once more stops at once" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stop_file_asks_too_and_other_processes_leave_signals_to_the_first(tmp_path):
    with StopRequest(tmp_path / "stop", is_main=False) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert not stop.asked
        (tmp_path / "stop").touch()
        assert stop.asked


# --- validation and samples ---------------------------------------------------------------------


@pytest.fixture
def adapter(pipeline):
    torch.manual_seed(0)
    return make_lora(pipeline, LoraConfig(rank=2))


def test_the_grid_gives_the_same_loss_each_time_and_touches_no_generator(
    pipeline, adapter, data_dir
):
    from contextlib import nullcontext

    dataset = open_dataset(make_dataset, data_dir)
    validation = Validation(pipeline, dataset, nullcontext())
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = validation.loss()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(9)
    assert validation.loss() == first
    assert Validation(pipeline, dataset, nullcontext()).loss() == first
    with torch.no_grad():
        next(iter(adapter.children())).lora_B.add_(1.0)
    assert validation.loss() != first


def test_held_back_pictures_are_not_trained_on_nor_are_their_copies(data_dir):
    dataset = open_dataset(make_dataset, data_dir, flip=True, repeats=3)
    seen, held = split_dataset(dataset, 0.25, seed=0)
    assert (len(seen), len(held)) == (18, 6)
    names = [{dataset.name_of(i) for i in part.indices} for part in (seen, held)]
    assert not names[0] & names[1]
    assert split_dataset(dataset, 0.25, seed=0)[1].indices == held.indices
    assert split_dataset(dataset, 0.0, seed=0) == (dataset, dataset)
    with pytest.raises(ValueError, match="leaves none to train on"):
        split_dataset(dataset, 0.95, seed=0)


def test_samples_disturb_nothing_and_show_the_base_beside(pipeline, adapter, tmp_path):
    from contextlib import nullcontext

    def draw(prompts, config):
        torch.rand(5)
        return generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=config)

    config = GenerateConfig(num_inference_steps=1)
    samples = Samples(pipeline, draw, ["a", "b"], config, tmp_path, nullcontext())
    pipeline.unet.train()
    before = torch.get_rng_state()
    samples.draw_base()
    with torch.no_grad():
        for layer in adapter.children():
            layer.lora_B.add_(0.5)
    path = samples.draw_sheet(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert pipeline.unet.training
    assert not pipeline.vae.training
    assert path.name == "step-000004.png"
    with Image.open(path) as sheet:
        base, tuned = (sheet.crop((x, 18, x + 128, 146)) for x in (6, 140))
        assert base.tobytes() != tuned.tobytes()
    kept = (tmp_path / "base-0.png").read_bytes()
    samples.draw_base()  # the base's are drawn once
    assert (tmp_path / "base-0.png").read_bytes() == kept


def test_parts_that_were_put_aside_are_fetched_for_a_drawing(pipeline):
    pipeline.vae.to(torch.device("meta"))
    pipeline.unet.to(torch.device("meta"))
    pipeline.text_encoder.to(torch.device("meta"))
    with undisturbed(pipeline):
        assert pipeline.vae.device == pipeline.unet.device


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", [0, memory.SMALL_BYTES], ids=["fake tensors", "real ones"])
def test_the_estimate_of_activations_is_what_autograd_keeps(pipeline, adapter, small, monkeypatch):
    monkeypatch.setattr(memory, "SMALL_BYTES", small)
    kept = {}
    weights = {id(p) for p in pipeline.unet.parameters()}

    def count(tensor):
        if id(tensor) not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        output = pipeline.unet(
            torch.randn(3, 4, 8, 8),
            torch.zeros(3, dtype=torch.long),
            encoder_hidden_states=torch.randn(3, 24, 32),
        )
    assert output.sample.requires_grad
    estimated = memory.saved_bytes(pipeline, 3, 64, "no")
    assert estimated == pytest.approx(sum(kept.values()), rel=0.05)


def test_the_estimate_adds_up_and_falls_with_parts_and_checkpointing(pipeline, adapter):
    def needs(**settings):
        return memory.estimate(pipeline, adapter, TrainConfig(batch_size=4, **settings), 64)

    plain = needs()
    assert plain.needed == plain.in_use + plain.activations + plain.adapter + plain.packed
    assert 0 < plain.packed < sum(4 * p.numel() for p in pipeline.unet.parameters())
    assert plain.adapter == 16 * sum(p.numel() for p in adapter.parameters())
    assert needs(gradient_accumulation_steps=4).activations < plain.activations / 3
    assert needs(gradient_checkpointing=True).activations < 0.7 * plain.activations
    assert "GiB at the peak of a step" in plain.sentence()


def test_the_next_thing_to_try_goes_from_harmless_to_harmful():
    config = TrainConfig(batch_size=2)
    advice = [memory.next_thing_to_try(config, 512, on_card=True)]
    for change in (
        {"gradient_accumulation_steps": 2},
        {"gradient_checkpointing": True},
        {"mixed_precision": "bf16"},
    ):
        config = config.model_copy(update=change)
        advice.append(memory.next_thing_to_try(config, 512, on_card=True))
    words = ["--gradient-accumulation", "--gradient-checkpointing", "--mixed-precision"]
    assert all(
        word in text for word, text in zip([*words, "--resolution 384"], advice, strict=True)
    )
    assert "--rank" in memory.next_thing_to_try(config, 64, on_card=True)


# --- what is typed becomes a plan ---------------------------------------------------------------


def plan_of(data_dir, base_dir, *typed, settings=None):
    options = parse_options(["--data", str(data_dir), "--base", str(base_dir), *typed])
    return resolve(options, "Foo", settings or Settings(), data_dir.parent / "none")


def test_steps_come_from_the_number_of_pictures():
    assert [PRESETS["subject"].steps(n) for n in (1, 9, 50)] == [500, 900, 2000]
    assert PRESETS["style"].steps(10) == 1000
    assert PRESETS["smoke"].steps(500) == 10


def test_the_fast_form_is_the_one_that_wins_where_memory_is_enough():
    assert fast_layers_for(64, 64) == "lora"  # a small base: packing gains nothing
    assert fast_layers_for(512, 512, 16 << 30) == "all"
    assert fast_layers_for(512, 256, 4 << 30) == "lora"
    assert fast_layers_for(512, 768, 16 << 30) == "lora"  # never measured


def test_a_plan_takes_the_fast_form_unless_somebody_says_otherwise(data_dir, base_dir):
    assert plan_of(data_dir, base_dir).train.fast_layers == "lora"
    assert plan_of(data_dir, base_dir, "--fast-layers", "off").train.fast_layers == "off"
    assert clamp(3.6, 0, 3) == 3


def test_what_is_typed_wins_over_a_contribution_and_that_over_the_preset(data_dir, base_dir):
    settings = Settings.model_validate({"lora": {"rank": 3}, "train": {"weight_decay": 0.5}})
    plain = plan_of(data_dir, base_dir)
    assert (plain.lora.rank, plain.train.weight_decay) == (8, 0.01)
    its_own = plan_of(data_dir, base_dir, settings=settings)
    assert (its_own.lora.rank, its_own.train.weight_decay) == (3, 0.5)
    typed = plan_of(data_dir, base_dir, "--rank", "5", settings=settings)
    assert typed.lora.rank == 5


def test_a_tiny_base_is_trained_faster_and_shorter_than_sd(data_dir, base_dir, tmp_path):
    tiny = plan_of(data_dir, base_dir)
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"sample_size": 64}')
    small = ("--resolution", "64")  # the pictures are too small for more
    large = plan_of(data_dir, tmp_path, *small)
    assert (native_size_px(base_dir), native_size_px(tmp_path)) == (64, 512)
    assert (tiny.train.steps, large.train.steps) == (125, 500)
    assert tiny.train.learning_rate == pytest.approx(10 * large.train.learning_rate)
    settings = Settings.model_validate({"train": {"learning_rate": 2e-3}})
    scaled = plan_of(data_dir, tmp_path, *small, settings=settings)
    assert scaled.train.learning_rate == pytest.approx(2e-4)


def test_the_identity_leaves_out_what_changes_nothing(data_dir, base_dir):
    plan = plan_of(data_dir, base_dir).identity()
    longer = plan_of(data_dir, base_dir, "--steps", "999", "--gradient-checkpointing").identity()
    assert differences(plan, longer) == []
    assert "planned for 125 steps and now goes to 999" in schedule_note(plan, longer, 7)
    assert schedule_note(plan, plan, 7) == ""
    assert set(FREE_TO_CHANGE) <= set(TrainConfig.model_fields)
    other = plan_of(data_dir, base_dir, "--lr-schedule", "constant").identity()
    assert differences(plan, other) == ["train.lr_schedule was cosine, now constant"]


def test_a_base_is_known_by_what_is_in_it(base_dir, tmp_path):
    before = base_fingerprint(base_dir)
    moved = shutil.copytree(base_dir, tmp_path / "moved")
    (moved / "README.md").write_text("x")
    assert base_fingerprint(moved) == before
    file, renamed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    weights = {"unet": torch.zeros(1 << 20), "vae": torch.zeros(1 << 18)}
    save_file(weights, file)
    save_file(weights, renamed)
    assert base_fingerprint(file) == base_fingerprint(renamed)
    save_file(weights | {"vae": torch.ones(1 << 18)}, renamed)  # the head and the size stay
    assert base_fingerprint(file) != base_fingerprint(renamed)


def test_pictures_that_differ_are_named(data_dir, base_dir):
    plan = plan_of(data_dir, base_dir).identity()
    names = sorted(plan["pictures"])
    now = {**dict.fromkeys(names[1:], "x"), "new.png": "y"}
    said = differences(plan, plan | {"pictures": now})
    assert said[:2] == ["new.png is new", f"{names[0]} is not used any more"]
    assert all(name in " ".join(said) for name in names)


def test_fresh_removes_what_a_run_left_and_nothing_else(tmp_path):
    mine = ["checkpoints/best.pt", "samples/me.png", "holiday.jpg", "tensorboard/notes.txt"]
    left = ["checkpoints/step-000001/a", "samples/base-0.png", "samples/step-000001.png"]
    left += ["log.jsonl", "tensorboard/events.out.tfevents.1", "job-0001/job.json"]
    for name in (*mine, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    clear(tmp_path)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == set(mine)
    clear(tmp_path)  # no run's folder any more
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(mine)


def test_frozen_models_leave_the_device_while_training(pipeline, adapter, data_dir):
    """The meta device stands for a card: what is put aside comes back to where the U-Net is."""
    seen = []
    original = torch.nn.Module.to

    def watched(self, *args, **kwargs):
        if self is pipeline.vae or self is pipeline.text_encoder:
            seen.append((type(self).__name__, str(args[0])))
        return original(self, *args, **kwargs)

    torch.nn.Module.to = watched
    try:
        config = TrainConfig(steps=1, batch_size=1)
        train(pipeline, open_dataset(make_dataset, data_dir), adapter, config, Steps())
    finally:
        torch.nn.Module.to = original
    names = [name for name, _ in seen[-4:]]
    assert sorted(names[:2]) == sorted(names[2:]) == ["AutoencoderKL", "CLIPTextModel"]
