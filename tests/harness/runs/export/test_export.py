"""Exported files, loaded by the libraries they are for, draw what is drawn inside the hub."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import PeftModel
from safetensors import safe_open

from harness import paths
from harness.commands import cli
from harness.protocol.base_model import load_pipeline
from harness.runs.export.writing import NOTE, NOTE_FILE
from tests.harness.runs.export.conftest import Trained
from toolkit.lora_files.read import read_lora

LORA_FORMS = ("kohya", "diffusers", "svd-lora")
# float16 factors: in shares of the range from black to white, mean over all pixels.
SAME_PICTURE = 2e-3


def export(trained: Trained, out, *options):
    return cli.main(["export", "reference", *trained.arguments, "--out", str(out), *options])


def picture(pipeline):
    """Draw by diffusers alone, without the hub's sampler."""
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(5)
    drawn = pipeline(
        ["a red dog"],
        num_inference_steps=4,
        guidance_scale=2.0,
        height=64,
        width=64,
        generator=generator,
        output_type="np",
    )
    return drawn.images[0]


def apart(one, other):
    return float(np.abs(one - other).mean())


def note_of(path):
    if path.is_dir():
        return json.loads((path / NOTE_FILE).read_text(encoding="utf-8"))
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[NOTE])


@pytest.mark.parametrize("form", LORA_FORMS)
def test_a_lora_loads_in_diffusers_and_draws_the_same(form, plain, tmp_path):
    out = tmp_path / "x.safetensors"
    assert export(plain, out, "--format", form, "--no-pictures") == 0
    other = load_pipeline(plain.base)
    other.load_lora_weights(str(tmp_path), weight_name=out.name)
    wanted = picture(plain.pipeline)
    trained = apart(picture(load_pipeline(plain.base)), wanted)
    assert trained > 5 * SAME_PICTURE
    note = note_of(out)
    assert note["left_out"] == []
    if form == "svd-lora":
        assert note["made"].startswith("singular values")
        assert note["relative_error"] <= 0.05
        assert apart(picture(other), wanted) < trained / 5
    else:
        assert apart(picture(other), wanted) < SAME_PICTURE
        assert note["made"] == "its own factors"
        assert note["relative_error"] < 1e-3
        assert note["ranks"] == {"3": len(note["layer_errors"])}
    assert list(tmp_path.iterdir()) == [out]


def test_the_difference_of_pictures_is_told_and_written_down(plain, tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    assert export(plain, out) == 0
    note = note_of(out)
    assert note["picture_difference"] < SAME_PICTURE < note["picture_change_by_training"]
    assert f"{note['picture_difference']:.3%}" in capsys.readouterr().out
    # Whose hooks and settings they were goes along.
    assert note["origins"] == {"make_lora": "DoRA"}
    assert note["settings_from"] == {"lora": "DoRA"}


def test_the_scale_of_a_plain_lora_is_found_again(plain, tmp_path):
    out = tmp_path / "x.safetensors"
    assert export(plain, out, "--no-pictures", "--dtype", "fp32") == 0
    lora = read_lora(out)
    assert set(lora.alphas()) == {6.0}
    assert {layer.scale for layer in lora.layers.values()} == {2.0}
    assert any(name.startswith("text_encoder.") for name in lora.layers)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
def test_a_peft_folder_loads_in_peft_and_draws_the_same(plain, tmp_path):
    out = tmp_path / "folder"
    assert export(plain, out, "--format", "peft", "--no-pictures") == 0
    for part in ("unet", "text_encoder"):
        files = {"adapter_config.json", "adapter_model.safetensors"}
        assert {path.name for path in (out / part).iterdir()} == files
    other = load_pipeline(plain.base)
    unet = PeftModel.from_pretrained(other.unet, out / "unet").merge_and_unload()
    text = PeftModel.from_pretrained(other.text_encoder, out / "text_encoder").merge_and_unload()
    parts = {**other.components, "unet": unet, "text_encoder": text}
    other = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    assert apart(picture(other), picture(plain.pipeline)) < SAME_PICTURE


def test_a_merged_model_holds_everything_to_the_last_digits(odd, tmp_path):
    out = tmp_path / "model"
    assert export(odd, out, "--format", "merged") == 0
    other = StableDiffusionPipeline.from_pretrained(out)
    for name, parameter in odd.pipeline.unet.named_parameters():
        torch.testing.assert_close(other.unet.get_parameter(name), parameter, rtol=0, atol=1e-6)
    assert apart(picture(other), picture(odd.pipeline)) < 1e-5
    assert note_of(out)["picture_difference"] < 1e-5


def test_another_kind_becomes_the_smallest_lora_that_keeps_the_error(full, tmp_path):
    out, less = tmp_path / "x.safetensors", tmp_path / "less.safetensors"
    assert export(full, out, "--error", "0.3", "--no-pictures") == 0
    note = note_of(out)
    assert 0.15 < note["relative_error"] <= 0.3
    assert set(note["layer_errors"]) == set(read_lora(out).layers)
    rank = int(note["made"].rpartition(" ")[2])
    assert export(full, less, "--rank", str(rank - 1), "--no-pictures") == 0
    assert note_of(less)["relative_error"] > 0.3
    assert any(layer.kind == "conv" for layer in read_lora(out).layers.values())
    other = load_pipeline(full.base)
    other.load_lora_weights(str(tmp_path), weight_name=out.name)
    found = apart(picture(other), picture(full.pipeline))
    assert found < apart(picture(load_pipeline(full.base)), picture(full.pipeline))


@pytest.mark.parametrize("form", ["kohya", "peft"])
def test_what_a_format_cannot_hold_is_refused_with_a_list(form, odd, tmp_path, capsys):
    out = tmp_path / ("x" if form == "peft" else "x.safetensors")
    assert export(odd, out, "--format", form) != 0
    told = capsys.readouterr().err
    assert "norm1.weight" in told
    assert "--format merged" in told
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_allowed_stands_in_the_header(odd, tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    assert export(odd, out, "--allow-loss", "--no-pictures") == 0
    note = note_of(out)
    assert any("norm1.weight" in name for name in note["left_out"])
    assert any(name.endswith(".bias") for name in note["left_out"])
    assert 0 < note["left_out_share"] < 1
    assert f"left out: {note['left_out'][0]}" in capsys.readouterr().out


def test_a_long_training_leaves_its_lora_and_its_plan(plain, base, tmp_path):
    trained, again = tmp_path / "trained", tmp_path / "again.safetensors"
    trained.mkdir()
    lora = trained / "lora.safetensors"
    assert export(plain, lora, "--no-pictures", "--dtype", "fp32") == 0
    plan = {"base": str(base), "resolution": 64, "prompts": ["a green circle"]}
    (trained / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    command = ["export", "reference", "--run", str(trained), "--out", str(again)]
    assert cli.main(command) == 0
    assert note_of(again)["prompts"] == ["a green circle"]
    assert note_of(again)["picture_difference"] < SAME_PICTURE


def test_faults_come_before_the_work(plain, tmp_path, capsys):
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    (broken / "delta.safetensors").write_bytes(b"no such file")
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"mine")
    folder = tmp_path / "folder"
    (folder / "mine").mkdir(parents=True)
    run = ["--run", str(empty)]
    wrong = {
        "no delta.safetensors": run,
        "not a safetensors file": ["--run", str(broken), "--base", str(plain.base)],
        "exists already": [*plain.arguments, "--out", str(taken)],
        "no export wrote": [
            *(*plain.arguments, "--format", "merged", "--force", "--out", str(folder)),
        ],
        "end in .safetensors": [*plain.arguments, "--out", str(tmp_path / "x.pt")],
        "no base model": ["--run", str(plain.folder), "--base", str(tmp_path / "nowhere")],
    }
    for words, arguments in wrong.items():
        if "--out" not in arguments:
            arguments = [*arguments, "--out", str(tmp_path / "new.safetensors")]
        assert cli.main(["export", "reference", *arguments]) != 0
        assert words in capsys.readouterr().err
    assert taken.read_bytes() == b"mine"
    assert (folder / "mine").is_dir()
    assert not (tmp_path / "new.safetensors").exists()


def test_a_training_that_is_not_there_is_named_with_the_command_that_makes_it(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    assert cli.main(["export", "Example1"]) != 0
    assert "nox -s contribution -- Example1" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--rank", "0"], ["--error", "1"], ["--format", "pt"]])
def test_wrong_calls_end_with_two(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["export", "reference", *wrong])
    assert caught.value.code == 2


def test_help_imports_no_torch():
    code = (
        "import sys; from harness.commands import cli\n"
        "try: cli.main(['export', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=paths.ROOT, capture_output=True)
