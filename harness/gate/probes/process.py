"""What the hooks do to the process and the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.gate.probe import Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.importing import ImportSeen
    from harness.gate.experiments.leftovers import LeftoversSeen

probe = probes_of("", "train", owners=("make_dataset", "make_lora", "train", "generate"))


@probe("HUB-C00", "A hook does not come to its end", owners=("make_lora", "train"))
def hooks_run(_seen: Any) -> Iterator[Symptom]:
    """The hooks come to their end on a tiny model. The worker itself reports it."""
    yield from ()


SLOW_S = 10.0


@probe(
    "HUB-C27",
    "Importing the contribution has side effects",
    experiment="importing",
    calls=("set_default_dtype", "environ", "chdir", "manual_seed", "Thread", "open"),
)
def import_is_quiet(seen: ImportSeen) -> Iterator[Symptom]:
    """Importing the contribution does nothing to machine or process."""
    # Look at what the audit hook noted while main.py was imported.
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


@probe(
    "HUB-C28",
    "The hooks change the process they run in",
    experiment="leftovers",
    calls=("set_default_dtype", "set_grad_enabled", "use_deterministic_algorithms", "chdir"),
    because=("HUB-C27",),
)
def process_left_as_found(seen: LeftoversSeen) -> Iterator[Symptom]:
    """The hooks leave the process as they found it."""
    # Compare the state of the process before and after all hooks ran.
    if seen.changed:
        yield Symptom(f"After the hooks had run, this was changed: {', '.join(seen.changed[:4])}.")
    if seen.threads:
        yield Symptom(
            f"Threads are still running: {', '.join(seen.threads[:4])}.",
            severity="hint",
            meaning="They may hold the process, or write after it was measured.",
            fix="Join them, or leave DataLoader's num_workers at 0.",
        )
