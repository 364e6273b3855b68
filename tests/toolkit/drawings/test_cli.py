"""python -m src.generate, from a call to pictures that can be made again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from src.generate import BATCH_SIZE, generate
from src.lora import make_lora
from tests.src.conftest import _pristine, pipeline
from tests.src.support import build_pipeline
from tests.src.test_lora import perturb
from tests.src.test_main import run_python
from toolkit.core.settings import GenerateConfig, LoraConfig
from toolkit.drawings import cli
from toolkit.drawings.metadata import SCHEDULERS, read_drawing, save_picture
from toolkit.drawings.sampling import sampling
from toolkit.lora_files.adapters import load_adapter, save_adapter

__all__ = ["_pristine", "pipeline"]

# LMS and Heun hand NumPy a tensor in a way that NumPy 2 will stop supporting.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    build_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def loras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loras")
    for number, text_encoder in enumerate([False, True]):
        pipeline = build_pipeline()
        torch.manual_seed(number)
        adapter = make_lora(pipeline, LoraConfig(train_text_encoder=text_encoder))
        perturb(pipeline.unet)
        perturb(pipeline.text_encoder)
        save_adapter(adapter, folder / f"lora{number}.safetensors")
    return folder


@pytest.fixture
def draw(base, tmp_path, capsys):
    """Call main and return the names of the files it says it wrote."""

    def call(*arguments, out="out", code=0):
        options = ["--base", str(base), "--steps", "2", "--out", str(tmp_path / out)]
        if "--again" in arguments:
            options = ["--out", str(tmp_path / out)]
        assert cli.main(generate, BATCH_SIZE, [*options, *map(str, arguments)]) == code
        captured = capsys.readouterr()
        if code:
            return captured.err
        return [tmp_path / out / line.rpartition("/")[2] for line in captured.out.splitlines()]

    return call


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_picture_is_drawn_again_from_its_own_text_alone(draw, loras, tmp_path):
    files = draw(
        *("--prompt", "a red circle", "--prompt", "a dog", "--count", "3", "--seed", "11"),
        *("--lora", f"{loras / 'lora0.safetensors'}:0.8", "--lora", loras / "lora1.safetensors"),
        *("--negative", "blur", "--guidance", "4", "--scale", "0.9", "--scheduler", "euler_a"),
        *("--width", "48", "--height", "64"),
    )
    assert [path.name for path in files] == [
        *(f"a-red-circle-{seed}.png" for seed in (11, 12, 13)),
        *(f"a-dog-{seed}.png" for seed in (14, 15, 16)),
        "grid.png",
    ]
    # The sixth is of the second batch; moved elsewhere, nothing but its text is left.
    moved = tmp_path / "moved.png"
    files[5].rename(moved)
    (again,) = draw("--again", moved, out="again")
    assert np.array_equal(pixels(again), pixels(moved))
    assert again.name == "a-dog-16.png"
    assert read_drawing(again) == read_drawing(moved)
    assert not np.array_equal(pixels(files[3]), pixels(files[4]))


def test_the_text_of_the_png_is_what_decides(draw, tmp_path):
    (path,) = draw("--prompt", "a")
    for change in ({"seed": 9}, {"num_inference_steps": 3}, {"scheduler": "heun"}):
        with Image.open(path) as picture:
            picture.load()
            text = json.loads(picture.text["hub"])
        text["config"] |= change
        info = PngInfo()
        info.add_itxt("hub", json.dumps(text))
        Image.new("RGB", (8, 8)).save(tmp_path / "edited.png", pnginfo=info)
        (again,) = draw("--again", tmp_path / "edited.png", out="again")
        assert not np.array_equal(pixels(again), pixels(path))


def test_loras_and_their_weights_count(draw, loras):
    lora = loras / "lora0.safetensors"
    plain, zero, off, full, half = (
        pixels(draw("--prompt", "a", *more, out=name)[0])
        for name, more in {
            "plain": [],
            "zero": ["--lora", f"{lora}:0"],
            "off": ["--lora", lora, "--scale", "0"],
            "full": ["--lora", lora],
            "half": ["--lora", f"{lora}:0.5"],
        }.items()
    )
    assert np.array_equal(plain, zero)
    assert np.array_equal(plain, off)
    assert not np.array_equal(plain, full)
    assert not np.array_equal(half, full)


def test_a_lora_file_draws_what_the_trained_adapter_draws(draw, loras, base, tmp_path):
    pipeline = build_pipeline()
    adapter = make_lora(pipeline, LoraConfig(train_text_encoder=True))
    load_adapter(adapter, loras / "lora1.safetensors")
    config = GenerateConfig(num_inference_steps=2, seed=3)
    (live,) = generate(pipeline, adapter, ["a dog"], config)
    (file,) = draw("--prompt", "a dog", "--seed", "3", "--lora", loras / "lora1.safetensors")
    assert np.abs(pixels(file).astype(int) - np.asarray(live).astype(int)).max() <= 1


def test_a_changed_lora_or_base_is_refused_when_drawing_again(draw, loras, tmp_path, base):
    own = tmp_path / "own.safetensors"
    own.write_bytes((loras / "lora0.safetensors").read_bytes())
    (path,) = draw("--prompt", "a", "--lora", own)
    own.write_bytes((loras / "lora1.safetensors").read_bytes())
    assert "is not the file that" in draw("--again", path, out="again", code=2)
    own.unlink()
    assert "not there any more" in draw("--again", path, out="again", code=2)

    (path,) = draw("--prompt", "a")
    assert "would replace" in draw("--again", path, code=2)
    text = read_drawing(path).model_copy(update={"base_sha256": "0" * 64})
    save_picture(Image.new("RGB", (8, 8)), path, text)
    assert "is not the one that" in draw("--again", path, out="again", code=2)
    save_picture(Image.new("RGB", (8, 8)), path, text.model_copy(update={"contribution": "Foo"}))
    assert "nox -s generate -- Foo" in draw("--again", path, out="again", code=2)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--prompt", "a", "--lora", "nowhere"], 2, "no LoRA file nowhere"),
        (["--prompt", "a", "--base", "nowhere"], 1, "no base model in nowhere"),
        (["--prompt", "a", "--steps", "0"], 2, "--steps: Input should be greater"),
        (["--prompt", "a", "--width", "60"], 2, "width: Input should be a multiple of 8"),
        (["--prompt", "a", "--scheduler", "eulr"], 2, "scheduler: Input should be 'pndm', 'ddim'"),
        (["--again", "nowhere.png"], 2, "cannot be read"),
    ],
)
def test_mistakes_are_named(options, code, message, capsys):
    assert cli.main(generate, BATCH_SIZE, options) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--prompt", "a", "--count", "0"]])
def test_a_call_without_anything_to_draw_says_how_to_call(options, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.parse_options(options)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_it_runs_as_a_program_and_help_does_not_import_torch():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['generate', '--help']\n"
        "try:\n"
        "    runpy.run_module('src.generate', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    print(stop.code, 'torch' in sys.modules)\n"
    )
    assert run_python("-c", code).stdout.splitlines()[-1] == "0 False"


def test_a_sampler_whose_package_is_missing_is_refused_with_the_way_to_get_it(draw, monkeypatch):
    monkeypatch.setattr("toolkit.core.settings.find_spec", lambda name: None)
    said = draw("--prompt", "a", "--scheduler", "lms", code=2)
    assert "lms needs the package scipy: python harness/environment.py -m pip install scipy" in said


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.needs("scipy")) if name == "lms" else name
        for name in SCHEDULERS
    ],
)
def test_every_scheduler_draws_and_keeps_the_bases_noise(name, pipeline):
    # A base that does not mention clip_sample: DDIM's own default would be True.
    pipeline.scheduler.register_to_config(prediction_type="v_prediction")
    config = GenerateConfig(num_inference_steps=3, scheduler=name, seed=2)
    own = pipeline.scheduler
    with sampling(pipeline, config):
        used = pipeline.scheduler
        assert type(used).__name__ == SCHEDULERS[name]
        assert torch.equal(used.betas, own.betas)
        assert used.config.prediction_type == "v_prediction"
        assert not getattr(used.config, "clip_sample", False)
    assert pipeline.scheduler is own
    adapter = torch.nn.ModuleDict()
    pictures = generate(pipeline, adapter, ["a", "b"], config)
    alone = generate(pipeline, adapter, ["b"], config.model_copy(update={"seed": 3}))
    difference = np.asarray(pictures[1], dtype=int) - np.asarray(alone[0], dtype=int)
    assert np.abs(difference).max() <= 1
