"""``python -m harness check``: check folders without running their code."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from harness import paths
from harness.check import render
from harness.check.run import check_folder, fix_folder
from harness.contributions import registry
from harness.errors import Finding
from toolkit.core.errors import EnvironmentFault, UsageError
from toolkit.core.git import Repository
from toolkit.core.terminal import wants_colour
from toolkit.core.text import neutral


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``check``."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="contributions to check; default: all")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="check every contribution")
    which.add_argument(
        "--changed-since",
        metavar="REF",
        help="check those that differ from a git commit or branch, uncommitted changes included",
    )
    add("--fix", action="store_true", help="fix what can be fixed automatically, then check")
    add("--format", choices=render.FORMATS, default="text", help="text, json or github annotations")


def run(args: argparse.Namespace) -> int:
    """Check the chosen folders; return 1 when there is an error, hints are fine."""
    folders = _chosen(args)
    mended = (
        [finding for folder in folders for finding in fix_folder(folder, root=paths.ROOT)]
        if args.fix
        else []
    )
    results = [(folder, check_folder(folder, root=paths.ROOT)) for folder in folders]
    findings = [finding for _, found in results for finding in found]
    if args.format == "json":
        print(render.render_json(findings))
    elif args.format == "github":
        text = render.render_github(findings)
        if text:
            print(text)
    else:
        _print_text(results, mended)
    return int(any(finding.severity == "error" for finding in findings))


def _chosen(args: argparse.Namespace) -> list[Path]:
    if args.names and (args.all or args.changed_since):
        raise UsageError(
            "Names cannot be combined with --all or --changed-since.",
            fix="Use either names or one of the options.",
        )
    if args.names:
        folders = [registry.find_folder(name) for name in args.names]
        for name, folder in zip(args.names, folders, strict=True):
            if folder == paths.REFERENCE or paths.REFERENCE in folder.parents:
                raise UsageError(
                    f"{name} is the reference, not a contribution.",
                    fix="Only folders in CONTRIBUTIONS/ can be checked.",
                )
        return list(dict.fromkeys(folders))
    names = registry.contribution_names()
    if args.changed_since:
        changed = _changed_names(args.changed_since)
        names = [name for name in names if name in changed]
    return [paths.CONTRIBUTIONS / name for name in names]


def _changed_names(ref: str) -> set[str]:
    """Return the contributions that differ from ``ref``, in commits or in the working tree.

    Raises:
        UsageError: git knows no such commit.
        EnvironmentFault: git failed. An empty list would say that nothing changed.
    """
    repository = Repository(paths.ROOT)
    base = repository.commit(ref)
    # From where the branches parted: what others did on main since is not this change.
    with contextlib.suppress(UsageError):  # unrelated histories have no such place
        base = repository.merge_base(base, "HEAD")
    where = paths.CONTRIBUTIONS.relative_to(paths.ROOT).as_posix()
    try:
        changed = repository.run("diff", "--name-only", "--no-renames", "-z", base, "--", where)
        listed = ("ls-files", "--others", "--exclude-standard", "-z", "--", where)
        untracked = repository.run(*listed)
    except UsageError as error:
        raise EnvironmentFault(
            f"{error.what}\nSo the changed folders are unknown.",
            where=error.where,
            fix="Mend the repository, or check by name.",
        ) from error
    files = (changed + untracked).decode("utf-8", "replace").split("\0")
    return {parts[1] for file in files if len(parts := file.split("/")) > 2}


def _print_text(results: list[tuple[Path, list[Finding]]], mended: list[Finding]) -> None:
    colour = wants_colour()
    for finding in mended:
        print(f"mended {finding.rule}  {neutral(finding.path)}")
    for folder, findings in results:
        if findings:
            print(render.render_text(findings, colour=colour) + "\n")
        print(render.render_summary(folder.name, findings, colour=colour))
    rules = sorted({finding.rule for _, findings in results for finding in findings})
    if rules:
        print(f"More about a rule: nox -s explain -- {rules[0]}")
    if not results:
        print("There is nothing to check.")
