"""One export from beginning to end: read, fit into the format, write, prove, say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.protocol.track_file import Sampling
from harness.runs.export import DEFAULT_ERROR, proof, writing
from harness.runs.export.change import Change, read_change
from harness.runs.export.plain import plain_lora
from harness.runs.export.shrink import Nearness, nearness, shrunk, singular_values, smallest_rank
from harness.runs.export.source import Source, origins_of
from harness.runs.export.writing import ExportFormat
from toolkit.base_models.identity import base_hash
from toolkit.base_models.load import load_pipeline
from toolkit.core.errors import UsageError
from toolkit.core.idle import refuse_idle
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.write import DtypeName

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

SHOWN = 8


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Args:
        form: The format.
        out: Where to write.
        rank: Of the LoRA; None takes the smallest that keeps the error.
        error: ||left out|| / ||change|| that a rank of None may leave; None takes DEFAULT_ERROR.
        dtype: Of the tensors.
        allow_loss: Write although something cannot be held.
        pictures: Draw with the file and compare.
        sampling: How.
        prompts: What.
    """

    form: ExportFormat
    out: Path
    rank: int | None
    error: float | None
    dtype: DtypeName
    allow_loss: bool
    pictures: bool
    sampling: Sampling
    prompts: tuple[str, ...]


def export(source: Source, wish: Wish, say: Callable[[str], None]) -> dict[str, object]:
    """Write one file or folder; return what its header says.

    Raises:
        HubError: The files do not fit the base, the format does not hold them, an option has no
            effect on it, or the written file does something else.
    """
    base = load_pipeline(source.base)
    change = read_change(source, base)
    say(f"{len(change.layers)} layers changed; read from {source.folder}")
    note: dict[str, object] = {
        "contribution": source.name,
        "base": Path(source.base).name,
        "base_sha256": base_hash(base),
        "format": wish.form,
        "resolution": source.side_px,
        **origins_of(source),
    }
    if wish.form == "merged":
        return write_whole_model(base, change, source, wish, note, say)
    refuse_loss(change, wish)
    lora, how = fit(change, source, wish, base)
    note |= {"made": how, "left_out": sorted(change.others)}
    if change.others:
        note["left_out_share"] = rounded(change.others_share)
    with writing.in_one_move(wish.out) as draft:
        writing.write_export(lora, draft, wish.form, wish.dtype, note)
        written = read_lora(draft, change.layout)
        near = nearness(change, written)
        note |= figures(near, written)
        found = proof.loaded(base, draft, wish.form)
        proof.require_same_weights(base, found, written, draft)
        if wish.pictures:
            note |= compare(base, change, found, source, wish)
        writing.write_export(lora, draft, wish.form, wish.dtype, note)
    say(f"{wish.out}: {sentence(how, near, written)}")
    return note


def write_whole_model(
    base: StableDiffusionPipeline,
    change: Change,
    source: Source,
    wish: Wish,
    note: dict[str, object],
    say: Callable[[str], None],
) -> dict[str, object]:
    """Write the base with everything added: this format holds it all."""
    with writing.in_one_move(wish.out) as draft:
        writing.write_merged(writing.with_change(base, change), draft, wish.dtype, note)
        if wish.pictures:
            note |= compare(base, change, proof.loaded(base, draft, "merged"), source, wish)
        writing.write_note(draft, note)
    say(f"{wish.out}: the whole model, everything that was trained included")
    return note


def refuse_loss(change: Change, wish: Wish) -> None:
    """Refuse what a LoRA cannot hold, with a list.

    Raises:
        UsageError: Something would be dropped, or nothing is left.
    """
    names = sorted(change.others)
    if not change.layers:
        raise UsageError(
            f"Training changed {len(names)} parameters that no LoRA holds, and no weight of a "
            f"linear layer or convolution: {listed(names)}.",
            fix="--format merged holds them.",
        )
    if names and not wish.allow_loss:
        raise UsageError(
            f"A LoRA file holds no biases, norms or embeddings, and training changed {len(names)} "
            f"of them, {change.others_share:.1%} of the whole change: {listed(names)}.",
            fix="--format merged holds them; --allow-loss leaves them out and says so in the "
            "file's header.",
        )


def fit(
    change: Change, source: Source, wish: Wish, base: StableDiffusionPipeline
) -> tuple[Lora, str]:
    """Return the LoRA to write, and in a word how it was made."""
    if wish.form != "svd-lora":
        plain = plain_lora(change, source.adapter, base)
        if plain is not None and (wish.rank is None or wish.rank >= max(plain.ranks())):
            refuse_idle(idle_beside_own_factors(wish, max(plain.ranks())))
            return plain, "its own factors"
    error = DEFAULT_ERROR if wish.error is None else wish.error
    rank = wish.rank or smallest_rank(singular_values(change), error)
    return shrunk(change, rank), f"singular values, rank {rank}"


def idle_beside_own_factors(wish: Wish, rank: int) -> dict[str, bool]:
    """Return which options say nothing about a file that keeps the adapter's own factors."""
    kept = f"the file keeps its own factors of rank {rank}"
    return {
        f"--rank {wish.rank}: {kept}, and no more is in them": (wish.rank or 0) > rank,
        f"--error {wish.error}: {kept}, which leave nothing out (--format svd-lora would)": (
            wish.error is not None
        ),
    }


def compare(
    base: StableDiffusionPipeline,
    change: Change,
    found: StableDiffusionPipeline,
    source: Source,
    wish: Wish,
) -> dict[str, object]:
    """Draw with the base, as inside the hub, and with the file; return how far they are apart."""
    inside = writing.with_change(base, change)
    drawn = [
        proof.draw(one, wish.prompts, wish.sampling, source.side_px)
        for one in (base, inside, found)
    ]
    apart, meant = proof.difference(drawn[1], drawn[2]), proof.difference(drawn[0], drawn[1])
    return {
        "picture_difference": rounded(apart.mean),
        "picture_difference_most": rounded(apart.most),
        "picture_change_by_training": rounded(meant.mean),
        "prompts": list(wish.prompts),
    }


def figures(near: Nearness, written: Lora) -> dict[str, object]:
    """Return the errors of a written LoRA for its header."""
    return {
        "relative_error": rounded(near.total),
        "worst_layer": near.worst_layer,
        "worst_layer_error": rounded(near.worst),
        "layer_errors": {name: rounded(error) for name, error in near.layers.items()},
        "ranks": {str(rank): count for rank, count in sorted(written.ranks().items())},
    }


def sentence(how: str, near: Nearness, written: Lora) -> str:
    """Say what a LoRA file holds."""
    low, high = min(written.ranks()), max(written.ranks())
    ranks = f"rank {low}" if low == high else f"ranks {low} to {high}"
    return (
        f"{len(written.layers)} layers, {ranks}, made of {how}; what it leaves out is "
        f"{near.total:.2%} of the change, at most {near.worst:.2%} of one layer's "
        f"({near.worst_layer})"
    )


def listed(names: list[str]) -> str:
    """Return the first few of many names."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def rounded(value: float) -> float:
    """Return three digits: a header is read by people."""
    return float(f"{value:.3g}")
