"""Play contributions that cheat through the steps of a scored run, and say what is seen of each.

    python -m tests.hostile.forging                     all, on the strongest layer that works here
    python -m tests.hostile.forging --layer landlock StopsTheClockFirst     some

Writes what it played into docs/forging.json and the table in docs/isolation.md. ``nox -s hostile --
--forging`` is the same. The budget is a sixth of the track's: each takes a quarter of a minute.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import json
import os
import random
import shutil
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.check import check_folder
from harness.contributions.record import Contribution
from harness.contributions.registry import load_reference
from harness.gate.records import GateReport, ProbeOutcome
from harness.protocol.track import load_track
from harness.runs.graph.pool import Pool
from harness.runs.graph.task import Task
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.budget import BATCH, MADE, PICTURES, RATE, STARTS_AS_THE_BASE, STEPS
from harness.runs.steps.flags import flags_of
from harness.runs.steps.outcomes import Scored
from harness.runs.steps.side import Side
from harness.runs.steps.train import Remaking, Training, keep_costs
from harness.sandbox.choose import choose, why_not
from harness.sandbox.layers import LAYERS, WANTED
from harness.sandbox.tidy import remove_tree
from harness.scoring.jobs import EntryScore
from harness.worker.jobs import DELTA_FILE, remade_folder, seed_folder
from tests.hostile.forgeries import FORGERIES, LESSON, Forgery
from tests.hostile.stage import Silent, contribution_in
from toolkit.core import atomic
from toolkit.deltas.tolerance import TOLERANCE

PAGE = paths.ROOT / "docs" / "isolation.md"
FIGURES = paths.ROOT / "docs" / "forging.json"
BEGIN, END = "<!-- forgeries: written by nox -s hostile -->", "<!-- end of forgeries -->"
BUDGET_OF_STEPS = 12
BROUGHT_RULE = "HUB413"
OTHER_DELTA = "another delta"
NOTHING = "none"
HONEST = "Honest"


@dataclass(frozen=True)
class Seen:
    """What the hub saw of one forgery.

    Args:
        named: Kinds of flags, a rule of the check, or "status kind" of the failure; none: nothing.
        said: The first sentence.
        cost: Processor time as a multiple of the reference's; None where it did not end well.
    """

    named: tuple[str, ...]
    said: str = ""
    cost: float | None = None

    def is_named(self, forgery: Forgery) -> bool:
        """Tell whether it was seen as it has to be."""
        return forgery.seen in self.named or (forgery.seen == NOTHING and not self.named)


def attempt_of(contribution: Contribution, folder: Path) -> Attempt:
    """Return a scored run with a small budget: one seed, a few steps, one prompt."""
    track = load_track("robot")
    file = track.file.model_copy(
        update={"steps": BUDGET_OF_STEPS, "prompts": track.file.prompts[:1], "timeout_s": 240}
    )
    return Attempt(
        contribution=contribution,
        reference=load_reference(),
        track=dataclasses.replace(track, file=file),
        seeds=(0,),
        device="cpu",
        folder=folder / "own",
        reference_folder=folder / "reference",
        fresh=True,
        repeat_first=False,
        base_folder=folder / "base",
        parts={},
        progress=Silent(),
    )


class Stage:
    """The reference's run on one layer, and the forgeries played beside it.

    Args:
        layer: Where all of it runs.
        folder: An empty folder.
    """

    def __init__(self, layer: str, folder: Path) -> None:
        self.layer, self.folder = layer, folder
        with self.chosen():
            attempt = attempt_of(load_reference(), folder)
            self.reference = Side(attempt, attempt.reference, folder / "reference", (0,))
            failed = train(self.reference)
        assert failed is None, failed
        self.answer = self.reference.answer

    def chosen(self):
        """Return a context in which the hub chooses this layer."""
        return Variable(WANTED, self.layer)

    def play(self, name: str) -> Seen:
        """Play one forgery; what it breaks in the hub is seen too."""
        place = paths.RUNS / "forging" / f"p{os.getpid()}"
        try:
            contribution = write(name, FORGERIES.get(name), place)
            brought = [one for one in check_folder(place / name) if one.rule == BROUGHT_RULE]
            if brought:
                return Seen((BROUGHT_RULE,), brought[0].message)
            with self.chosen():
                return self.run(contribution)
        except Exception:
            return Seen(("the hub failed",), traceback.format_exc())
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def run(self, contribution: Contribution) -> Seen:
        """Train and remake one contribution, and collect its flags."""
        attempt = attempt_of(contribution, self.folder)
        own = Side(attempt, contribution, attempt.own_training, attempt.seeds, fresh=True)
        failed = train(own)
        if failed is not None and failed.error is not None:
            return Seen((f"{failed.status} {failed.error.kind}",), failed.error.what)
        answer = own.answer
        costs = keep_costs(attempt, own, self.reference, None)
        cost = costs.cpu_seconds[0] / costs.reference_cpu_seconds[0]
        apart = delta_distance(own.folder)
        if not apart <= TOLERANCE:
            return Seen((OTHER_DELTA,), f"The delta made again differs by {apart:.1e}.", cost)
        scored = Scored(None, {0: EntryScore(label="one", seed=0)}, {}, {})
        report = honest_report(contribution.name)
        flags = flags_of(attempt, answer, self.answer, costs, scored, report)
        said = flags[0].text if flags else ""
        return Seen(tuple(flag.kind for flag in flags), said, cost)


def train(side: Side):
    """Train a side's only seed and make its change of weights again; return how a failure ended."""
    training, remaking = Training(side, 0), Remaking(side)
    tasks = [
        Task("train", "train", training),
        Task("remake", "remake", remaking, needs=("train",)),
    ]
    Pool(1).run_tasks(tasks, side.attempt.progress)
    return training.failed or remaking.failed


class Variable:
    """Sets one variable of the environment for a while."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value, self._before = name, value, os.environ.get(name)

    def __enter__(self) -> None:
        os.environ[self._name] = self._value

    def __exit__(self, *error: object) -> None:
        if self._before is None:
            del os.environ[self._name]
        else:
            os.environ[self._name] = self._before


def delta_distance(training: Path) -> float:
    """Return how far the delta that was made again is from the one that was handed over."""
    from safetensors.torch import load_file

    from harness.scoring.main import relative_distance

    first, again = (
        {"unet": load_file(folder(training, 0) / DELTA_FILE)}
        for folder in (seed_folder, remade_folder)
    )
    return relative_distance(first, again)


def honest_report(name: str, pictures: float = 1.0, rate: float = 1.0) -> GateReport:
    """Return what the gate says of a contribution that behaves while it is looked at.

    Args:
        name: Whose report it is.
        pictures: That a step learns from, as a multiple of those asked for.
        rate: The highest learning rate, as a multiple of the setting.
    """

    def passed(probe: str, **measured: float) -> ProbeOutcome:
        return ProbeOutcome(probe=probe, title=probe, state="passed", measured=measured)

    outcomes = (
        passed(STEPS, **{MADE: 1.0}),
        passed(BATCH, **{PICTURES: pictures}),
        passed(RATE, **{"in step 1": rate}),
        passed(STARTS_AS_THE_BASE),
    )
    return GateReport(contribution=name, outcomes=outcomes)


def write(name: str, forgery: Forgery | None, place: Path) -> Contribution:
    """Write a contribution's folder inside the repository, where runs lie."""
    honest = Forgery("", "", "", hooks=("train",))
    forgery = forgery or dataclasses.replace(
        honest,
        code="@hookimpl\ndef train(pipeline, dataset, adapter, config, reporter):\n"
        "    return plain(pipeline, dataset, adapter, config, reporter)\n",
    )
    source, pictures = place / name / "src", place / name / "Dataset" / "Images"
    for folder in (source, pictures):
        folder.mkdir(parents=True)
    code = forgery.code
    for word, value in hidden().items():
        code = code.replace(f"@{word}@", value)
    (source / "main.py").write_text(LESSON + code, encoding="utf-8")
    (place / name / "contribution.toml").write_text("# 1 2 3\n", encoding="utf-8")
    (pictures / "one.png").write_bytes(b"pixels")
    return contribution_in(place / name, "A forgery.", forgery.hooks)


def hidden() -> dict[str, str]:
    """Return made-up weights in the forms in which they are hidden: 63,488 of them at 4 bits."""
    weights = random.Random(0).randbytes(31_744)
    b85 = base64.b85encode(weights).decode().replace("'", "_").replace("\\", "_")
    names = [f"def f{weights[at : at + 24].hex()}(): ...\n" for at in range(0, len(weights), 24)]
    few = random.Random(1).randbytes(225)
    words = ("so", "the", "sea", "is", "a", "green", "old", "hat", "and", "we", "go", "by", "it",
             "low", "sun", "far")  # fmt: skip
    return {
        "B85": b85,
        "LINES": "\n".join(f"# {b85[at : at + 70]}" for at in range(0, len(b85), 70)),
        "NUMBERS": ",\n".join(str(byte) for byte in weights),
        "NAMES": "".join(names),
        "WORDS": "\n".join(
            " ".join(f"{words[byte >> 4]} {words[byte & 15]}" for byte in few[at : at + 8])
            for at in range(0, len(few), 8)
        ),
    }


def play_all(names: Sequence[str], layer: str) -> dict[str, Seen]:
    """Play forgeries on a layer, print a line each."""
    folder = Path(tempfile.mkdtemp(prefix="hub-forging-"))
    try:
        stage = Stage(layer, folder)
        found = {}
        for name in names:
            seen = found[name] = stage.play(name)
            right = (
                "" if name == HONEST or seen.is_named(FORGERIES[name]) else "  NOT AS IT HAS TO BE"
            )
            cost = "" if seen.cost is None else f"{seen.cost:.2f}"
            shown = ", ".join(seen.named) or NOTHING
            print(f"{layer:12} {name:32} {cost:>6} {shown:32} {seen.said[:90]}{right}", flush=True)
        return found
    finally:
        remove_tree(folder)


def main() -> int:
    """Read the command line, then play and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="forgeries (default: all)")
    parser.add_argument("--layer", choices=LAYERS, help="(default: the strongest)")
    args = parser.parse_args()
    return play_and_record(args.names, args.layer)


def play_and_record(names: Sequence[str], wanted: str | None) -> int:
    """Play, print, write; return 1 when one was not named as it has to be."""
    layer = wanted or choose(None)
    if (why := why_not(layer)) is not None:
        raise SystemExit(f"{layer}: {why}")
    found = play_all(names or [HONEST, *FORGERIES], layer)
    record(found, layer)
    wrong = [n for n, seen in found.items() if n != HONEST and not seen.is_named(FORGERIES[n])]
    return int(bool(wrong))


def record(found: dict[str, Seen], layer: str) -> None:
    """Write the figures and the table; what was not played now stays as it was recorded."""
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    for name, seen in found.items():
        entry = {
            "named": list(seen.named),
            "said": seen.said[:200].replace(str(paths.ROOT), "."),
            "cost": None if seen.cost is None else round(seen.cost, 2),
        }
        known.setdefault(name, {})[layer] = entry
    known = {name: known[name] for name in (HONEST, *FORGERIES) if name in known}
    atomic.write_text(FIGURES, json.dumps(known, indent=1) + "\n")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    atomic.write_text(PAGE, f"{before}{BEGIN}\n{table(known)}\n{END}{after}")


def table(known: dict[str, dict[str, dict[str, object]]]) -> str:
    """Return one row for each forgery: what is seen of it, and what it cost."""
    lines = ["| forgery | what is seen of it | cost | layers |", "|---|---|---:|---|"]
    for name, by_layer in known.items():
        if name == HONEST:
            continue
        forgery, first = FORGERIES[name], next(iter(by_layer.values()))
        named = first["named"]
        seen = ", ".join(map(str, named)) if isinstance(named, list) and named else "nothing"
        if forgery.open:
            seen = f"**nothing**: {forgery.open}" if seen == "nothing" else seen
        cost = "" if first["cost"] is None else f"{first['cost']}"
        lines.append(f"| `{name}`: {forgery.does} | {seen} | {cost} | {', '.join(by_layer)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
