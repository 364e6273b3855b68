"""What people would use instead, with the same settings as far as it has them.

Peers are run from their own sources by path, unchanged, and never copied in. All train rank 4 in
float32 with AdamW at 1e-4 on the U-Net; diffusers' and PEFT's examples choose fewer layers than the
hub and kohya do, and offer no choice.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import paths

PROGRAMS = paths.ROOT / "benchmarks" / "programs"
BASE, PICTURES = paths.ROOT / "models" / "tiny-sd", paths.TRACKS / "robot" / "train"
DIFFUSERS, PEFT, KOHYA = "diffusers' example", "PEFT's example", "kohya's sd-scripts"
PEERS = (DIFFUSERS, PEFT, KOHYA)


@dataclass(frozen=True)
class Program:
    """One way to train.

    Args:
        name: For the table.
        arguments: What follows the interpreter; ``{out}`` is the folder for what it writes.
        python: The interpreter.
        noted: Whether it runs under ``note_steps.py``. A program that trains in a sandbox cannot,
            and has no figures for its steps.
    """

    name: str
    arguments: tuple[str, ...]
    python: str = sys.executable
    noted: bool = True


def peers(options: argparse.Namespace, batch: int, folder: Path) -> list[Program]:
    """Return the peers whose paths were given."""
    steps, found = options.steps, []
    if options.diffusers:
        data = as_image_folder(folder / "imagefolder")
        found.append(diffusers_program(options.diffusers, options.python, data, steps, batch))
    if options.peft:
        found.append(peft_program(options.peft, options.python, steps, batch))
    if options.kohya:
        data = as_kohya_folder(folder / "kohya")
        found.append(kohya_program(options.kohya, options.kohya_python, data, steps, batch))
    return found


def diffusers_program(script: Path, python: str, data: Path, steps: int, batch: int) -> Program:
    """Return diffusers' own example with the same settings, as far as it has them."""
    arguments = (
        *("--pretrained_model_name_or_path", str(BASE), "--train_data_dir", str(data)),
        *("--output_dir", "{out}", "--max_train_steps", str(steps), "--seed", "0"),
        *("--resolution", "64", "--train_batch_size", str(batch), "--rank", "4"),
        *("--learning_rate", "1e-4", "--checkpointing_steps", "100000"),
    )
    return Program(DIFFUSERS, (str(script.resolve()), *arguments), python)


def peft_program(script: Path, python: str, steps: int, batch: int) -> Program:
    """Return PEFT's own example; it knows one prompt for all pictures."""
    arguments = (
        *("--pretrained_model_name_or_path", str(BASE), "--output_dir", "{out}"),
        *("--instance_data_dir", str(PICTURES / "Images"), "--instance_prompt", "a sks robot"),
        *("--use_lora", "--lora_r", "4", "--lora_alpha", "4", "--no_tracemalloc", "--seed", "0"),
        *("--resolution", "64", "--train_batch_size", str(batch), "--max_train_steps", str(steps)),
        *("--learning_rate", "1e-4", "--lr_scheduler", "constant", "--num_dataloader_workers", "0"),
        *("--checkpointing_steps", "100000"),
    )
    return Program(PEFT, (str(script.resolve()), *arguments), python)


def kohya_program(folder: Path, python: str, data: Path, steps: int, batch: int) -> Program:
    """Return kohya's trainer with cached latents."""
    arguments = (
        *(str(PROGRAMS / "kohya.py"), str(folder.resolve()), str(BASE)),
        *("--pretrained_model_name_or_path", str(BASE), "--output_dir", "{out}"),
        *("--train_data_dir", str(data), "--caption_extension", ".txt", "--seed", "0"),
        *("--network_module", "networks.lora", "--network_dim", "4", "--network_alpha", "4"),
        *("--network_train_unet_only", "--learning_rate", "1e-4", "--optimizer_type", "AdamW"),
        *("--resolution", "64", "--train_batch_size", str(batch), "--max_train_steps", str(steps)),
        *("--mixed_precision", "no", "--save_model_as", "safetensors", "--sdpa"),
        *("--cache_latents", "--max_data_loader_n_workers", "0"),
    )
    return Program(KOHYA, arguments, python)


def as_image_folder(folder: Path) -> Path:
    """Copy the track's pictures into the form that diffusers' example reads."""
    folder.mkdir(parents=True)
    lines = []
    for file in sorted((PICTURES / "Images").iterdir()):
        shutil.copy(file, folder)
        caption = PICTURES / "ImageCaptions" / f"{file.stem}.txt"
        text = caption.read_text(encoding="utf-8").strip()
        lines.append(json.dumps({"file_name": file.name, "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def as_kohya_folder(folder: Path) -> Path:
    """Copy the track's pictures and captions into the form that kohya reads; return its parent."""
    inner = folder / "1_robot"  # once per epoch
    inner.mkdir(parents=True)
    for part in ("Images", "ImageCaptions"):
        for file in (PICTURES / part).iterdir():
            shutil.copy(file, inner)
    return folder
