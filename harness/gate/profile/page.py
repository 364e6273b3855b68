"""The catalogue of properties as a page: docs/gate/properties.md, written from the code."""

from __future__ import annotations

from harness import paths
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.property import Measure, Property

PAGE = paths.GATE_DOCS / "properties.md"
GROUPS = {
    "dataset": "Data set: `make_dataset`",
    "adapter": "Adapter: `make_lora`",
    "training": "Training: `train`",
    "drawing": "Drawing: `generate`",
}


def tolerance(measure: Measure) -> str:
    """Return how far two values may be apart, in words."""
    parts = []
    if measure.tolerance:
        parts.append(f"{measure.tolerance:g} {measure.unit}".rstrip())
    if measure.relative:
        parts.append(f"{measure.relative:.1%} of the reference's")
    return " and ".join(parts) or "none"


def entry(prop: Property) -> str:
    """Return what is said of one property."""
    lines = [f"### {prop.id}", "", f"**{prop.title}.** {prop.sentence}", ""]
    lines += ["| measure | tolerance |", "|---|---|"]
    lines += [f"| {m.name} | {tolerance(m)} |" for m in prop.measures]
    lines += [""]
    if prop.never:
        lines += [f"A difference is an error, whatever is declared. {prop.never}"]
    else:
        lines += [f'A difference may be declared: `"{prop.id}" = "why"` in `[differs]`.']
    if prop.serious:
        lines += ["One that is not declared is an error."]
    elif grave := [f"*{m.name}* by {m.grave:g}" for m in prop.measures if m.is_ever_grave]:
        lines += [f"One that is not declared is an error from: {', '.join(grave)}."]
    if firm := [f"*{m.name}*" for m in prop.measures if m.firm]:
        lines += [f"No other difference explains, or excuses: {', '.join(firm)}."]
    lines += [f"As the reference: {prop.fix}"]
    if prop.because:
        lines += [f"It follows from, and is folded under: {', '.join(prop.because)}."]
    return "\n".join(lines)


def page() -> str:
    """Return the whole page."""
    lines = [
        "# What the gate measures",
        "",
        "Written by `nox -s docs` from the code. Do not edit.",
        "",
        f"{len(PROPERTIES)} properties, each measured the same way of the reference and of the "
        "contribution, on tiny models, with the contribution's settings for both. A difference "
        "within the tolerance is none. Any other is told with both numbers: as declared, if "
        "`[differs]` in contribution.toml says so, otherwise as a question to the author; and as "
        "an error where it cannot be meant. A declared difference that is not there is told, too.",
        "",
    ]
    for group, title in GROUPS.items():
        lines += [f"## {title}", ""]
        lines += [text for p in PROPERTIES if p.group == group for text in (entry(p), "")]
    return "\n".join(lines).rstrip() + "\n"
