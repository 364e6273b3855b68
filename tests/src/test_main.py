"""main.py, utils.py, scraping.py: the command line, from a folder of pictures to files."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler
from PIL import Image

from harness import hookspecs
from src.dataset import make_dataset
from src.generate import scaled
from src.lora import make_lora
from src.main import load_pipeline, main
from src.train import diffusion_loss, train
from src.utils import seed_everything
from tests.src.support import IMPLEMENTATIONS, build_pipeline, open_dataset
from toolkit.core.settings import HOOK_NAMES, LoraConfig, TrainConfig
from toolkit.lora_files.adapters import load_adapter
from toolkit.picture_sets.encoded import EncodedCaptions, encode_pictures

ROOT = Path(__file__).resolve().parents[2]
REAL_BASE = ROOT / "models" / "tiny-sd"
REFERENCE_FILES = sorted((ROOT / "src").glob("*.py"))
SEED_FILES = {"main", "dataset", "lora", "train", "generate", "scraping", "utils"}


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    # In half precision, as models are shipped.
    build_pipeline().to(torch.float16).save_pretrained(folder)
    return folder


@pytest.fixture
def arguments(data_dir, base_dir, tmp_path):
    out = ["--out", str(tmp_path / "out")]
    return ["--data", str(data_dir), "--base", str(base_dir), *out, "--steps", "2"]


def run_python(*arguments, **kwargs):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )


def test_a_run_writes_an_adapter_and_samples_and_the_same_again(
    arguments, base_dir, tmp_path, capsys
):
    more = ["--prompt", "a", "--prompt", "b", "--num-inference-steps", "2", "--rank", "2"]
    assert main(arguments + more) == 0
    out = tmp_path / "out"
    results = ("adapter.safetensors", "samples.png", "plan.json", "log.jsonl")
    assert all((out / name).is_file() for name in results)
    with Image.open(out / "samples.png") as sheet:
        assert sheet.width > 2 * 128 > sheet.height / 2
    told = capsys.readouterr().err
    assert "2/2  loss" in told
    assert "2 steps of 4 pictures; adamw" in told
    assert "Memory: about" in told
    adapter = make_lora(load_pipeline(base_dir), LoraConfig(rank=2))
    notes = load_adapter(adapter, out / "adapter.safetensors")
    assert (notes["ss_steps"], notes["ss_network_dim"], notes["ss_num_train_images"]) == (
        *("2", "2", "4"),
    )
    assert len(notes["hub.base_sha256"]) == 64
    # All but queries and keys of a single pixel, where attention has nothing to choose from.
    moved = [bool(layer.lora_B.abs().sum() > 0) for layer in adapter.children()]
    assert sum(moved) > 0.9 * len(moved)

    first = {name: (out / name).read_bytes() for name in results[:3]}
    assert main([*arguments, *more, "--fresh"]) == 0
    assert {name: (out / name).read_bytes() for name in first} == first


def test_a_base_in_half_precision_is_trained_in_float32(base_dir):
    pipeline = load_pipeline(base_dir)
    for model in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--data", "nowhere"], 1, "no folder nowhere"),
        (["--base", "nowhere"], 1, "no base model in nowhere"),
        (["--steps", "0"], 2, "steps: Input should be greater"),
        (["--rank", "0"], 2, "rank: Input should be greater"),
        (["--resolution", "60"], 2, "--resolution: Input should be a multiple of 8"),
        (["--resume"], 2, "no run to go on with"),
        (["--validation-share", "0.9", "--validate-every", "1"], 1, "leaves none to train on"),
        (["--mixed-precision", "fp16"], 1, "cannot train in fp16"),
        (["--device", "cuda"], 1, "no CUDA graphics card"),
        (["--optimizer", "adamw8bit"], 1, "python -m pip install bitsandbytes"),
        (["--learning-rate", "1", "--steps", "20"], None, ""),
    ],
)
def test_mistakes_are_named_on_stderr(arguments, options, code, message, capsys):
    if "--data" in options:  # which is typed once
        place = arguments.index("--data")
        arguments = [*arguments[:place], *arguments[place + 2 :]]
    result = main([*arguments, *options, "--num-inference-steps", "1"])
    if code is not None:
        assert result == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_ctrl_c_before_the_first_step_is_not_a_traceback(arguments, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("src.main.train", interrupted)
    assert main(arguments) == 130
    assert "Stopped" in capsys.readouterr().err


def test_out_of_memory_names_the_next_thing_to_try(arguments, monkeypatch, capsys):
    def exhausted(*args, **kwargs):
        torch.empty(2**58)  # a real refusal of the allocator

    monkeypatch.setattr("src.main.train", exhausted)
    assert main(arguments) == 1
    assert "Try --gradient-accumulation-steps" in capsys.readouterr().err


def test_help_and_misspelt_options_do_not_import_torch():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['main', sys.argv[1]]\n"
        "try:\n"
        "    runpy.run_module('src.main', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    print(stop.code, 'torch' in sys.modules)\n"
    )
    assert run_python("-c", code, "--help").stdout.splitlines()[-1] == "0 False"
    assert run_python("-c", code, "--stesp").stdout.splitlines()[-1] == "2 False"


def test_run_as_a_file_it_says_how_to_run_it():
    result = run_python("src/main.py")
    assert result.returncode != 0
    assert "python -m src.main" in result.stderr + result.stdout


def test_example1_runs_by_itself(data_dir, base_dir, tmp_path):
    options = ["--data", str(data_dir), "--base", str(base_dir), "--steps", "1"]
    out = ["--out", str(tmp_path / "picture.png")]
    result = run_python("-m", "CONTRIBUTIONS.Example1.src.main", *options, *out)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (64, 64)


def test_a_contribution_with_its_own_pictures_says_so_when_asked_to_scrape():
    result = run_python("-m", "CONTRIBUTIONS.Example1.src.scraping")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Images" in result.stderr
    assert len(result.stderr.splitlines()) == 1


# --- how the folder is written ------------------------------------------------------------------


@pytest.mark.parametrize("package", IMPLEMENTATIONS)
def test_the_seven_files_of_the_first_document_are_there(package):
    folder = ROOT / package.replace(".", "/")
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert names == SEED_FILES if package == "src" else names >= SEED_FILES


def test_the_reference_is_read_in_an_hour():
    lines = [path.read_text(encoding="utf-8").splitlines() for path in REFERENCE_FILES]
    assert sum(map(len, lines)) <= 900


@pytest.mark.parametrize("package", IMPLEMENTATIONS)
@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_hooks_are_marked_and_have_the_contracts_parameters(package, hook):
    function = getattr(importlib.import_module(f"{package}.main"), hook)
    assert function.sdlora_impl
    assert function.__module__.startswith(f"{package}.")
    specified = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    parameters = list(inspect.signature(function).parameters)
    # A hook may ask for less; the reference asks for everything.
    assert parameters == (specified if package == "src" else specified[: len(parameters)])


@pytest.mark.parametrize("path", REFERENCE_FILES, ids=lambda path: path.name)
def test_reference_files_are_short_and_import_little(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            code = node.body[1:] if ast.get_docstring(node) else node.body
            lines = code[-1].end_lineno - code[0].lineno + 1 if code else 0
            assert lines <= 50, f"{node.name} has {lines} lines of code"
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert not node.module.startswith(("src", "CONTRIBUTIONS"))
            if node.module.startswith("harness"):
                assert node.module == "harness"  # hookimpl and TrainResult
    for word in ("model_pred", "x_t", "torchvision"):
        assert word not in text


def test_example1_imports_nothing_of_the_reference():
    for path in (ROOT / "CONTRIBUTIONS/Example1/src").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module.split(".")[0] != "src"


# --- helpers ------------------------------------------------------------------------------------


def test_seeding_covers_torch():
    seed_everything(3)
    first = torch.rand(2)
    seed_everything(3)
    assert torch.equal(torch.rand(2), first)


# --- with the trained base ----------------------------------------------------------------------


@pytest.mark.skipif(not (REAL_BASE / "model_index.json").is_file(), reason="models/tiny-sd missing")
def test_the_shipped_pictures_are_learnt_on_the_shipped_base(reporter):
    seed_everything(0)
    pipeline = load_pipeline(REAL_BASE)
    dataset = open_dataset(make_dataset, ROOT / "src" / "Dataset")
    adapter = make_lora(pipeline, LoraConfig())
    train(pipeline, dataset, adapter, TrainConfig(steps=30, batch_size=8, seed=0), reporter)

    # With and without the LoRA on the very same noise: the loss itself jumps with the timesteps.
    encoded = encode_pictures(pipeline.vae, dataset)
    mean, captions = torch.stack(encoded.means), encoded.captions
    everything = torch.arange(len(captions))
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    losses = []
    for lora_scale in (0.0, 1.0):
        with torch.no_grad(), scaled(adapter, lora_scale):
            loss = diffusion_loss(
                pipeline.unet,
                noise_scheduler,
                mean * pipeline.vae.config.scaling_factor,
                EncodedCaptions(pipeline, captions)(everything, everything < 0),
                torch.randn(mean.shape, generator=torch.Generator().manual_seed(1)),
                torch.linspace(50, 950, len(captions)).long(),
            )
        losses.append(loss.item())
    assert losses[1] < 0.97 * losses[0]
