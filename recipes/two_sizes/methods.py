"""Which methods are compared, and how one of them is run on a track by the hub."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

from harness import paths
from harness.contributions.registry import load_named
from harness.errors import ContributionError
from harness.protocol.row import Row
from harness.protocol.track import Track
from harness.runs.folders import newest_row

# A dozen that covers what the board has: LoRA of two ranks and two scalings, other starts, products
# and sums, rotations, frozen random matrices, vectors, and no matrices at all.
METHODS: Final = (
    "reference", "Rank16", "RsLoRA16", "PiSSA", "DoRA", "GLoRA", "LoHa", "LoKr", "OFT", "VeRA",
    "IA3", "NormsAndBiases",
)  # fmt: skip


def content_hash(name: str) -> str:
    """Return what identifies a method's code and the reference's, against which it is scored."""
    return f"{load_named(name).content_hash} {load_named('reference').content_hash}"


def run(name: str, track: Track, seeds: int) -> dict[str, Any]:
    """Run a method by the hub's own command and return its figures.

    The hub keeps finished runs: what it has is not trained again.

    Args:
        name: Of a contribution, or ``reference``.
        track: Where it is trained and scored.
        seeds: How many of the track's.

    Raises:
        ContributionError: It has no figures: it failed on this base.
    """
    words = ["contribution", name, "--track", track.file.name, "--seeds", str(seeds)]
    # The gate is about the code, not about the base, and every one of these has passed it.
    command = [sys.executable, "-m", "harness", *words, "--skip-gate"]
    subprocess.run(command, cwd=paths.ROOT, check=False)  # noqa: S603 - words of this module
    found = newest_row(track.file.name, name)
    if found is None or found[0].protocol_hash != track.protocol_hash() or not found[0].scores:
        raise ContributionError(
            f"{name} has no figures on the track {track.file.name}.",
            where=str(found[1]) if found else "",
            fix=f"Look at what it says: python -m harness {' '.join(words)} --skip-gate",
        )
    return figures_of(found[0])


def figures_of(row: Row) -> dict[str, Any]:
    """Return what the table needs of a row: gains and hit rate by seed, parameters, times."""
    hits = [one.own.pictures.hits for one in row.scores]
    return {
        "seeds": [one.seed for one in row.scores],
        "gains": [one.own.gain for one in row.scores],
        "hit_rates": [sum(one) / len(one) for one in hits],
        "trainable_parameters": row.trainable_parameters,
        "worker_cpu_s": row.costs.worker_cpu_seconds if row.costs else None,
    }
