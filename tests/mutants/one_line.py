"""Faults of one line in Example1, from three tables in tests/fixtures/gate.

Each becomes a copy of Example1's code in ``runs/mutants/<name>/src`` with that line exchanged; the
hook of the changed file is its own, the other three are the reference's.
"""

from __future__ import annotations

import hashlib
import tomllib

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from tests.mutants.fixtures import Fixture
from toolkit.core.settings import HookName

FOLDER = paths.ROOT / "tests" / "fixtures" / "gate"
# Written before there were properties; by an author who knew them; later, by one who did not.
FRESH, KINDS = FOLDER / "one_line.toml", FOLDER / "one_line_kinds.toml"
LATER = FOLDER / "one_line_later.toml"
SOURCE = paths.CONTRIBUTIONS / "Example1" / "src"
COPIES = paths.ROOT / "runs" / "mutants"
HOOK_OF: dict[str, HookName] = {
    "dataset": "make_dataset",
    "lora": "make_lora",
    "train": "train",
    "generate": "generate",
}


def one_line_faults() -> list[Fixture]:
    """Return the faults, in the order of the tables, each with its code written to disk."""
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in (FRESH, KINDS, LATER)]
    return [write(name, entry) for table in tables for name, entry in table.items()]


def write(name: str, entry: dict[str, str]) -> Fixture:
    """Copy Example1 with one line exchanged."""
    folder = COPIES / name / "src"
    folder.mkdir(parents=True, exist_ok=True)
    text = (SOURCE / f"{entry['file']}.py").read_text(encoding="utf-8")
    if text.count(entry["old"]) != 1:
        raise ValueError(f"{name}: {entry['old']!r} stands {text.count(entry['old'])} times there.")
    changed = text.replace(entry["old"], entry["new"])
    (folder / f"{entry['file']}.py").write_text(changed, encoding="utf-8")
    own = registry.load("Example1").file
    hook = HOOK_OF[entry["file"]]
    return Fixture(
        name=name,
        kind="one_line",
        summary=entry["fault"],
        caught_by=(entry["property"],),
        contribution=Contribution(
            file=own.model_copy(
                update={
                    "name": name,
                    "hooks": (hook,),
                    "needs": own.needs if hook == "train" else type(own.needs)(),
                }
            ),
            path=(COPIES / name).relative_to(paths.ROOT).as_posix(),
            module=f"runs.mutants.{name}.src.{entry['file']}",
            content_hash=f"sha256:{hashlib.sha256(changed.encode()).hexdigest()}",
        ),
    )
