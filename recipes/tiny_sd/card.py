"""The model card: written from the measurements, so that it can not disagree with them."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

from toolkit.core.atomic import write_bytes

from .export import PROVENANCE
from .files import read_json
from .packages import read_packages
from .vocabulary import BACKGROUNDS, STYLES, spoken, taught_concepts

TEMPLATE = Path(__file__).with_name("card_template.md")


def write_card(folder: Path) -> None:
    """Write ``README.md`` beside the model from ``evaluation.json`` and ``training.json``."""
    report, training = read_json(folder / "evaluation.json"), read_json(folder / PROVENANCE)
    best = report["recommended"]
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        scale=best["guidance_scale"],
        steps=best["num_inference_steps"],
        quality=quality_table(report),
        guidance=guidance_table(report),
        psnr=f"{report['autoencoder']['psnr_db_mean']:.1f}",
        psnr_worst=f"{report['autoencoder']['psnr_db_worst']:.1f}",
        tracks=track_figures(report["autoencoder"]["tracks_psnr_db_mean"]),
        held_out=report["autoencoder"]["held_out_pictures"],
        sample_s=f"{report['speed']['sample_8_pictures_s']:.2f}",
        lora_s=f"{report['speed']['lora_rank_4_batch_8_step_s']:.3f}",
        threads=report["speed"]["threads"],
        candidates=report["candidates"],
        prompts=report["prompts"],
        decoded_top5=f"{report['against_decoded_drawings']['concept_top5']:.0%}",
        decoded_style=f"{report['against_decoded_drawings']['style']:.0%}",
        backgrounds=", ".join(BACKGROUNDS),
        styles=", ".join(STYLES),
        concepts=", ".join(spoken(name) for name in taught_concepts()),
        concept_count=len(taught_concepts()),
        packages=package_lines(),
        seeds=", ".join(f"{key} {value}" for key, value in training["seeds"].items()),
        corpus_sha256=training["corpus_sha256"],
        vae_pictures=f"{training['vae_pictures']:,}",
        decoder_pictures=f"{training['decoder_pictures']:,}",
        unet_samples=f"{training['unet_samples']:,}",
        hashes="\n".join(f"{value}  {key}" for key, value in training["files_sha256"].items()),
        shown=shown_prompts(report["shown_prompts"]),
    )
    write_bytes(folder / "README.md", text.encode())


def quality_table(report: dict[str, Any]) -> str:
    """Lay out the main figures beside chance and the best possible."""
    measured = report["guidance"][report["recommended"]["setting"]]
    rows = [
        ("background colour is the prompted one", "background"),
        (f"prompted concept in the judge's top 5 of {report['candidates']}", "concept_top5"),
        (f"prompted concept is the judge's first of {report['candidates']}", "concept_top1"),
        ("nearest drawing of the concept is in the prompted style", "style"),
    ]
    lines = ["| measure | this model | chance | real drawings |", "| --- | --- | --- | --- |"]
    for label, key in rows:
        figures = (measured[key], report["chance"][key], report["real_drawings"][key])
        lines.append(f"| {label} | " + " | ".join(f"{value:.0%}" for value in figures) + " |")
    return "\n".join(lines)


def track_figures(decibels: dict[str, float]) -> str:
    """Say how well each track's pictures come back, for example ``robot 27.1``."""
    return ", ".join(f"{name} {value:.1f}" for name, value in decibels.items())


def guidance_table(report: dict[str, Any]) -> str:
    """Lay out the guidance scales against each other."""
    lines = ["| guidance scale | background | concept top 5 | concept top 1 | style | prompts |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for setting, figures in report["guidance"].items():
        keys = ("background", "concept_top5", "concept_top1", "style")
        shares = " | ".join(f"{figures[key]:.0%}" for key in keys)
        lines.append(f"| {setting} | {shares} | {figures['prompts']} |")
    return "\n".join(lines)


def package_lines() -> str:
    """List the packages with their authors, licences and hashes."""
    lines = [
        "| package | pictures by | licence | sha256 of the tarball |",
        "| --- | --- | --- | --- |",
    ]
    for package in read_packages().values():
        name = f"`{package.name}` {package.version}"
        lines.append(f"| {name} | {package.author} | {package.licence} | `{package.sha256}` |")
    return "\n".join(lines)


def shown_prompts(prompts: list[str]) -> str:
    """Number the prompts of the picture, row by row."""
    return "\n".join(f"{number}. {prompt}" for number, prompt in enumerate(prompts, start=1))


def print_table(report: dict[str, Any]) -> None:
    """Print what the card will say."""
    autoencoder, speed = report["autoencoder"], report["speed"]
    print(f"autoencoder: {autoencoder['psnr_db_mean']:.2f} dB on held-out names")
    print(quality_table(report))
    print()
    print(guidance_table(report))
    print()
    print(f"8 pictures, 20 steps: {speed['sample_8_pictures_s']:.2f} s, {speed['threads']} threads")
    print(f"one rank-4 LoRA step, batch 8: {speed['lora_rank_4_batch_8_step_s']:.3f} s")
