"""HUB-C25: pictures as people have them are read as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.dataset import DatasetSeen
    from harness.gate.records import Severity


RARE = "Such files are rare; those that come are learnt with wrong colours."
RARE_FIX = (
    '16 bits: divide by 257 before convert("RGB"). Transparency: alpha_composite onto white first.'
)


def check(seen: DatasetSeen) -> Iterator[Symptom]:
    """Go through the zoo: what was raised, and which colours came out."""
    for one in seen.oddities:
        odd = one.odd
        severity: Severity | None = None if odd.must else "hint"
        if one.fault:
            yield Symptom(f"A picture with {odd.title}: {one.fault}", severity=severity)
        elif one.caption.strip() != odd.wanted or one.caption != one.caption.strip():
            yield Symptom(
                f"A picture with {odd.title}: the caption is {one.caption!r}, not {odd.wanted!r}.",
                fix='path.read_text(encoding="utf-8-sig").strip()',
                severity=severity,
            )
        else:
            for half, found, wanted in (
                ("upper", one.top, odd.top),
                ("lower", one.bottom, odd.bottom),
            ):
                if wanted and max(abs(a - b) for a, b in zip(found, wanted, strict=True)) > 0.3:
                    yield Symptom(
                        f"A picture with {odd.title}: its {half} half has the mean colour {found} "
                        f"(red, green, blue, -1 to 1); a viewer shows {wanted}.",
                        severity=severity,
                        meaning="" if odd.must else RARE,
                        fix="" if odd.must else RARE_FIX,
                    )


PROBE = Probe(
    id="HUB-C25",
    title="Odd pictures are read wrongly",
    experiment="dataset",
    hook="make_dataset",
    owners=("make_dataset",),
    check=check,
    meaning="Real photos include such files: the run stops on them, or learns from pictures "
    "that lie on their side.",
    fix='ImageOps.exif_transpose(image).convert("RGB") after Image.open; list files by '
    "suffix.lower(), without those that start with a dot.",
    calls=("open", "convert", "read_text", "suffix", "endswith"),
    because=("HUB-C45", "HUB-C46"),
)
