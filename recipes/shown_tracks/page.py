"""The measured figures as tables of ``docs/tracks.md``, so that no figure is typed there."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from harness import paths
from harness.protocol.statistics.intervals import t_interval
from harness.protocol.statistics.share import share_interval
from toolkit.core import atomic

FOLDER: Final = Path(__file__).with_name("measured")
PAGE: Final = paths.ROOT / "docs" / "tracks.md"
WRITTEN_BY: Final = "Written by `python -m recipes.shown_tracks.page`; do not edit."
STEP: Final = paths.ROOT / "benchmarks" / "results" / "base_step.json"
BEGIN, END = f"<!-- measured: begin. {WRITTEN_BY} -->", "<!-- measured: end -->"
BY_EYE: Final = FOLDER / "by_eye.json"
BASE, REAL, REFERENCE = "base", "real pictures", "reference"
SHOWN = "+"


def measured() -> dict[str, Any]:
    """Return what was measured, by track."""
    files = [path for path in sorted(FOLDER.glob("*.json")) if path != BY_EYE]
    return {path.stem: json.loads(path.read_bytes()) for path in files}


def first_seed(variant: dict[str, Any]) -> dict[str, Any]:
    """Return a variant's figures of the seed that its sheet shows."""
    figures: dict[str, Any] = next(iter(variant["seeds"].values()))
    return figures


def hits_of(found: dict[str, Any], row: str) -> list[bool]:
    """Return the judge's hits of one row of a track's sheet."""
    figures = found[row] if row in (BASE, REAL) else first_seed(found["variants"][row])
    return [bool(hit) for hit in figures["hits"]]


def agreement() -> tuple[int, int, int, int]:
    """Compare the judge with the eye, picture by picture, where the eye saw these pictures.

    Returns:
        Pictures; those on which both agree; those that only the judge, and that only the eye took
        for what was taught.
    """
    tracks, pairs = measured(), list[tuple[bool, bool]]()
    for track, looked_at in json.loads(BY_EYE.read_bytes())["tracks"].items():
        if looked_at["protocol"] != tracks[track]["protocol"]:
            continue  # pictures of other weights
        for row, marks in looked_at["rows"].items():
            seen = [mark == SHOWN for mark in marks]
            pairs += zip(hits_of(tracks[track], row), seen, strict=True)
    return (
        len(pairs),
        sum(judge == seen for judge, seen in pairs),
        sum(judge and not seen for judge, seen in pairs),
        sum(seen and not judge for judge, seen in pairs),
    )


def tables() -> str:
    """Return the block of the page."""
    tracks = measured()
    lines = [
        "| track | budget | base | seeds | reference | held-out gain | real pictures "
        "| processor time |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in tracks.items():
        seeds = found["variants"][REFERENCE]["seeds"].values()
        hits = [hit for one in seeds for hit in one["hits"]]
        low, high = share_interval(sum(hits), len(hits)) or (0.0, 1.0)
        gain, cpu_s = (fmean(one[key] for one in seeds) for key in ("gain", "cpu_s"))
        lines.append(
            f"| `{name}` | {found['steps']} steps of {found['batch_size']} "
            f"| {found[BASE]['hit_rate']:.0%} "
            f"| {len(seeds)} | {sum(hits) / len(hits):.0%} ({low:.0%} to {high:.0%}) | {gain:+.1%} "
            f"| {found[REAL]['hit_rate']:.0%} | {cpu_s:.0f} s |"
        )
    for name, found in tracks.items():
        if len(found["variants"]) > 1:
            lines += ["", *variants_table(name, found["variants"])]
    count, agreed, judge_only, eye_only = agreement()
    if count:
        lines += [
            "",
            f"Of {count} drawn pictures that were also looked at, judge and eye agree on {agreed} "
            f"({agreed / count:.0%}). The judge alone counts {judge_only}, the eye alone "
            f"{eye_only} ([by_eye.json](../recipes/shown_tracks/measured/by_eye.json)).",
        ]
    step = json.loads(STEP.read_bytes())
    own, first = step["step_s"]["tiny-sd-next"], step["step_s"]["tiny-sd"]
    lines += [
        "",
        f"A LoRA step of batch 8 takes {step['step_ratio']:.2f} times as long on this base as on "
        f"the first one, both in turn on one core: {own:.2f} s and {first:.2f} s of processor time "
        "(`python -m benchmarks.base_step`).",
    ]
    return "\n".join(lines)


def variants_table(track: str, variants: dict[str, Any]) -> list[str]:
    """Return a track's ranks and rates; of several seeds with intervals, paired by seed.

    Hits are counted over the pictures of all seeds.
    """
    reference = variants[REFERENCE]["seeds"]
    lines = [
        f"On `{track}`; the difference is to the reference in points of gain, paired by seed, with "
        "Student's 95 % interval where there are several seeds:",
        "",
        "| variant | seeds | held-out gain | difference | overfit gap | hit rate | drift |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for label, variant in variants.items():
        seeds = variant["seeds"]
        said = f"rank {variant['rank']}, rate x 1 (reference)" if label == REFERENCE else label
        paired = [seeds[one]["gain"] - reference[one]["gain"] for one in seeds if one in reference]
        hits = [hit for one in seeds.values() for hit in one["hits"]]
        gain, train_gain, drift = (
            fmean(one[key] for one in seeds.values()) for key in ("gain", "train_gain", "drift")
        )
        lines.append(
            f"| {said} | {len(seeds)} | {gain:+.1%} "
            f"| {'' if label == REFERENCE else difference(paired)} "
            f"| {train_gain - gain:+.1%} | {sum(hits) / len(hits):.0%} | {drift:.3f} |"
        )
    return lines


def difference(paired: list[float]) -> str:
    """Return the mean of paired differences of shares in points, with its interval."""
    interval = t_interval(paired)
    if interval is None:
        return f"{100 * fmean(paired):+.1f}"
    low, high = interval
    return f"{100 * fmean(paired):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def with_tables(page: str) -> str:
    """Return the page with today's block."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the block into the page."""
    atomic.write_text(PAGE, with_tables(PAGE.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
