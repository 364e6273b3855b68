"""Every option of a training changes in the plan what it names, and nothing else; or is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from toolkit.core.errors import UsageError
from toolkit.core.settings import Settings
from toolkit.training_runs.command_line import parse_options
from toolkit.training_runs.options import resolve
from toolkit.training_runs.plan import RunPlan

# Option -> (words, what changes in the plan). What an option needs beside it stands in NEEDS.
OPTIONS: dict[str, tuple[str, set[str]]] = {
    "--data": ("other", {"data_dir"}),
    "--base": ("base-copy", {"base"}),
    "--resolution": ("32", {"resolution", "sampling.height", "sampling.width"}),
    "--cache": ("cache", {"cache_dir"}),
    "--flip": ("", {"dataset.flip"}),
    "--buckets": ("", {"dataset.buckets"}),
    "--repeats": ("3", {"dataset.repeats"}),
    "--shuffle-captions": ("", {"dataset.shuffle_captions"}),
    "--keep-tokens": ("2", {"dataset.keep_tokens"}),
    "--trigger-word": ("sks", {"dataset.trigger_word"}),
    "--preset": (
        "style",
        {
            *("preset", "train.steps", "train.lr_warmup_steps", "train.caption_dropout"),
            *("dataset.flip", "lora.rank"),
        },
    ),
    "--steps": ("77", {"train.steps"}),
    "--batch-size": ("2", {"train.batch_size"}),
    "--learning-rate": ("0.005", {"train.learning_rate"}),
    "--text-encoder-learning-rate": ("0.002", {"train.text_encoder_learning_rate"}),
    "--init": ("start.safetensors", {"init", "fingerprints.init", "lora.rank"}),
    "--rank": ("3", {"lora.rank"}),
    "--alpha": ("2", {"lora.alpha"}),
    "--train-text-encoder": ("", {"lora.train_text_encoder"}),
    "--optimizer": ("adafactor", {"train.optimizer"}),
    "--lr-schedule": ("linear", {"train.lr_schedule"}),
    "--lr-warmup-steps": ("9", {"train.lr_warmup_steps"}),
    "--caption-dropout": ("0.3", {"train.caption_dropout"}),
    "--min-snr-gamma": ("4", {"train.min_snr_gamma"}),
    "--noise-offset": ("0.07", {"train.noise_offset"}),
    "--seed": ("5", {"train.seed", "dataset.seed", "sampling.seed"}),
    "--mixed-precision": ("bf16", {"train.mixed_precision"}),
    "--gradient-accumulation-steps": ("2", {"train.gradient_accumulation_steps"}),
    "--gradient-checkpointing": ("", {"train.gradient_checkpointing"}),
    "--fast-layers": ("off", {"train.fast_layers"}),
    "--prompt": ("a-cat", {"prompts"}),
    "--num-inference-steps": ("7", {"sampling.num_inference_steps"}),
    "--guidance-scale": ("4.5", {"sampling.guidance_scale"}),
    "--negative-prompt": ("blur", {"sampling.negative_prompt"}),
    "--sample-every": ("11", {"sample_every"}),
    "--validate-every": ("12", {"validate_every"}),
    "--validation-share": ("0.25", {"validation_share"}),
    "--checkpoint-every": ("13", {"checkpoint_every"}),
    "--keep-checkpoints": ("4", {"keep_checkpoints"}),
    "--tensorboard": ("", {"tensorboard"}),
}
NEEDS = {
    "--keep-tokens": "--shuffle-captions",
    "--text-encoder-learning-rate": "--train-text-encoder",
    "--validation-share": "--validate-every 5",
    "--lr-warmup-steps": "--steps 60 --lr-warmup-steps 3",
    "--steps": "--lr-warmup-steps 3",
    "--fast-layers": "--fast-layers lora",
}
# Not of the plan, each with the file that tests it.
ELSEWHERE = {
    "--help": "src/test_main.py",
    "--out": "situations/tables/runs.py",
    "--config": "situations/tables/options.py",
    "--device": "situations/tables/options.py",
    "--resume": "src/test_main.py",
    "--fresh": "src/test_main.py",
}
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def plan_of(data_dir, base_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data_dir, "other")
    shutil.copytree(base_dir, "base-copy")
    name = "lora_unet_mid_block_attentions_0_proj_in"
    factors = {f"{name}.lora_down.weight": torch.ones(5, 16, 1, 1)}
    save_file(factors | {f"{name}.lora_up.weight": torch.ones(16, 5, 1, 1)}, "start.safetensors")

    def plan(words: str) -> RunPlan:
        usual = ["--base", str(base_dir), "--out", str(tmp_path / "out")]
        if "--data" not in words:
            usual += ["--data", str(data_dir)]
        options = parse_options([*usual, *words.split()])
        return resolve(options, "reference", Settings(), tmp_path / "out")

    return plan


def flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    parts = [flat(inner, f"{name}.{key}".strip(".")) for key, inner in value.items()]
    return {key: inner for part in parts for key, inner in part.items()}


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_an_option_changes_what_it_names_and_nothing_else(option, plan_of):
    value, wanted = OPTIONS[option]
    needs = NEEDS.get(option, "")
    before, after = (
        flat(plan_of(words).model_dump()) for words in (needs, f"{needs} {option} {value}")
    )
    assert {key for key in before | after if before.get(key) != after.get(key)} == wanted


def test_every_option_is_here(capsys):
    with pytest.raises(SystemExit):
        parse_options(["--help"])
    found = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert found == OPTIONS.keys() | ELSEWHERE.keys()
    for option, file in ELSEWHERE.items():
        assert option in (ROOT / "tests" / file).read_text(encoding="utf-8"), option


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("--fast-layers lora --mixed-precision bf16", "--fast-layers"),
        ("--keep-tokens 1", "--keep-tokens"),
        ("--steps 10 --lr-warmup-steps 10", "warm-up"),
        ("--text-encoder-learning-rate 1e-4", "--text-encoder-learning-rate"),
        ("--validation-share 0.2", "--validation-share"),
        ("--guidance-scale 1 --negative-prompt blur", "--negative-prompt"),
        ("--steps 10 --sample-every 11", "--sample-every"),
        ("--steps 10 --validate-every 11", "--validate-every"),
    ],
)
def test_an_option_without_effect_is_refused(words, option, plan_of):
    with pytest.raises(UsageError, match="without effect") as caught:
        plan_of(words)
    assert option in caught.value.what


def test_two_options_without_effect_are_named_at_once(plan_of):
    with pytest.raises(UsageError) as caught:
        plan_of("--keep-tokens 1 --validation-share 0.2")
    assert "--keep-tokens" in caught.value.what
    assert "--validation-share" in caught.value.what
