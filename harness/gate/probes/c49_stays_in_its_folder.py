"""HUB-C49: make_dataset reads the folder it is handed, and no other pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.dataset import DatasetSeen

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".txt")


def check(seen: DatasetSeen) -> Iterator[Symptom]:
    """Look at the files that were opened meanwhile."""
    for deed in seen.deeds:
        foreign = deed.what.endswith(PICTURES) and "/pictures/" not in deed.what.replace("\\", "/")
        if deed.kind == "read" and foreign:
            yield Symptom(
                f"It opened {deed.what.rpartition('/')[2]!r}, which is not in data_dir.",
                place=deed.place,
            )
            return
        if deed.kind in ("network", "process"):
            yield Symptom(
                f"It asked for more than files ({deed.kind}: {deed.what}).", place=deed.place
            )
            return
    written = next((deed for deed in seen.deeds if deed.kind == "write"), None)
    if written:
        yield Symptom(
            f"It wrote {written.what!r}.",
            place=written.place,
            severity="hint",
            meaning="data_dir is the user's folder, and may not be writable.",
            fix="Keep what is computed in memory.",
        )


PROBE = Probe(
    id="HUB-C49",
    title="The dataset reads other files than those it is handed",
    experiment="dataset",
    hook="make_dataset",
    owners=("make_dataset",),
    check=check,
    meaning="It trains on other pictures than the other contributions, perhaps the held-out ones.",
    fix='Build every path from data_dir: data_dir / "Images", data_dir / "ImageCaptions".',
    calls=("Path", "open", "glob", "listdir"),
)
