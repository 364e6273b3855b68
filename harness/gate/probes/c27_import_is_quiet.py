"""HUB-C27: importing the contribution does nothing to machine or process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.importing import ImportSeen

SLOW_S = 10.0


def check(seen: ImportSeen) -> Iterator[Symptom]:
    """Look at what the audit hook noted while main.py was imported."""
    words = {
        "network": "asked the network for something",
        "process": "started another process",
        "write": "wrote or removed a file",
    }
    for kind, text in words.items():
        deeds = [deed for deed in seen.deeds if deed.kind == kind]
        if deeds:
            more = f" and {len(deeds) - 1} more" if len(deeds) > 1 else ""
            yield Symptom(f"Importing it {text}: {deeds[0].what}{more}.", place=deeds[0].place)
    if seen.changed:
        yield Symptom(f"Importing it changed {', '.join(seen.changed[:4])} for the whole process.")
    if seen.threads:
        yield Symptom(f"Importing it started threads: {', '.join(seen.threads)}.")
    if seen.seconds > SLOW_S:
        yield Symptom(
            f"Importing it took {seen.seconds:.0f} s of computing.",
            severity="hint",
            meaning="Every command that loads the contribution waits for it.",
        )


PROBE = Probe(
    id="HUB-C27",
    title="Importing the contribution has side effects",
    experiment="importing",
    hook="train",
    owners=("make_dataset", "make_lora", "train", "generate"),
    check=check,
    meaning="The hub imports a contribution to read its hooks, on other machines, offline, beside "
    "other contributions. What happens then happens to all of them.",
    fix='Move it into the hook that needs it, or under `if __name__ == "__main__":`.',
    calls=("set_default_dtype", "environ", "chdir", "manual_seed", "Thread", "open"),
)
