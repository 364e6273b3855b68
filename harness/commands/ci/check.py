"""The first job of a pull request: its paths, its sizes, its folders; none of its code runs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.check.run import check_folder
from harness.commands.ci import path_rule, substance
from harness.commands.ci.export import export_hub
from harness.commands.ci.summary import findings_table, plain
from harness.commands.ci.unwritten import unwritten
from harness.errors import Finding
from toolkit.core.git import Repository

# As GitHub names them: who may touch several folders in one pull request.
MAINTAINERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})


@dataclass(frozen=True)
class Report:
    """What the job found out."""

    judgement: path_rule.Judgement
    findings: tuple[Finding, ...]
    likeness: dict[str, substance.Likeness]

    @property
    def fine(self) -> bool:
        """Whether the contributions may be run."""
        return all(finding.severity == "hint" for finding in self.findings)

    @property
    def runnable(self) -> tuple[str, ...]:
        """The contributions to run next; none when anything is wrong."""
        return self.judgement.names if self.fine else ()


def check_pull_request(
    repository: Repository, base: str, head: str, *, maintainer: bool = False
) -> Report:
    """Judge what ``head`` changed since it parted from ``base``, with this hub's rules.

    Args:
        repository: Holds both commits.
        base: The branch it shall be merged into.
        head: The branch, as data.
        maintainer: Whether a maintainer opened it.

    Raises:
        UsageError: git knows one of them not.
    """
    base, head = repository.commit(base), repository.commit(head)
    present = repository.folder_names(head, path_rule.FOLDER)
    changes = repository.changes(base, head)
    judgement = path_rule.judge(changes, present, maintainer=maintainer)
    findings = list(judgement.findings)
    names = judgement.names
    sizes = {
        name: path_rule.check_sizes(repository.files(head, f"{path_rule.FOLDER}/{name}"))
        for name in names
    }
    findings += [finding for found in sizes.values() for finding in found]
    # What is too large is not written to disk at all.
    readable = [name for name in names if not sizes[name]]
    likeness = {}
    with tempfile.TemporaryDirectory(prefix="hub-check-") as temporary:
        root = Path(temporary).resolve()
        export_hub(repository, head, readable, root)
        for name in readable:
            folder = root / path_rule.FOLDER / name
            findings += [*check_folder(folder, root=root), *unwritten(folder)]
            near = substance.nearest(folder, others_of(name), paths.REFERENCE)
            if near is not None and near.is_close:
                likeness[name] = near
    return Report(judgement, tuple(findings), likeness)


def others_of(name: str) -> list[Path]:
    """Return the contributions that are already here."""
    here = sorted(paths.CONTRIBUTIONS.iterdir()) if paths.CONTRIBUTIONS.is_dir() else []
    return [folder for folder in here if folder.is_dir() and folder.name != name]


def describe(report: Report) -> str:
    """Return the job's summary as markdown."""
    judgement = report.judgement
    lines = ["## Check", "", sentence(judgement)]
    if report.findings:
        lines += ["", findings_table(report.findings)]
    for name, near in report.likeness.items():
        lines += ["", f"Hint: {plain(name)} is {plain(near.sentence())}"]
    if report.fine:
        lines += ["", f"Next: {next_step(report.runnable)}"]
    else:
        lines += ["", "Nothing was run: mend the errors above first."]
    return "\n".join(lines) + "\n"


def sentence(judgement: path_rule.Judgement) -> str:
    """Say what kind of pull request this is."""
    if judgement.kind == "nothing":
        return "This changes nothing."
    if judgement.kind == "hub":
        return "This changes the hub itself, no contribution: tests decide, and a maintainer reads."
    parts = [f"changes {plain(name)}" for name in judgement.names]
    parts += [f"removes {plain(name)}" for name in judgement.removed]
    what = ", ".join(parts) or "changes no usable contribution"
    return f"This {what}{' and the hub' if judgement.kind == 'mixed' else ''}."


def next_step(names: Sequence[str]) -> str:
    """Say what the second job will do."""
    if not names:
        return "nothing to run."
    return f"train and compare {', '.join(plain(name) for name in names)}."
