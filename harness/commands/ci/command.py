"""``ci check|run|changed|accept|push|verdict``: the hub's CI, on any machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import paths
from harness.commands.ci.summary import (
    differences_section,
    publish,
    refused_section,
    row_section,
    set_output,
)
from toolkit.core.errors import UsageError
from toolkit.core.git import Repository

if TYPE_CHECKING:
    from harness.protocol.row import Row

DEFAULT_BASE = "main"
HANDED_OVER = Path("runs") / "ci" / "results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    kinds = parser.add_subparsers(dest="kind", metavar="what", required=True)
    check = kinds.add_parser("check", help="run the pull-request job for a branch")
    check.add_argument("head", metavar="BRANCH", help="the branch, or HEAD")
    _commits(check)
    check.add_argument(
        "--association", default="NONE", help="who opened it, in GitHub's words (OWNER, MEMBER...)"
    )
    check.add_argument("--run", action="store_true", help="also train and compare, as CI does next")
    run_ = kinds.add_parser("run", help="train and compare one contribution of a commit")
    run_.add_argument("name", metavar="NAME", help="the contribution")
    run_.add_argument("--head", default="HEAD", help="whose folder (default: %(default)s)")
    _commits(run_)
    for each in (check, run_):
        each.add_argument("--out", type=Path, default=HANDED_OVER, help="default: %(default)s")
        how = each.add_mutually_exclusive_group()
        how.add_argument("--seeds", help="handed on to `contribution`")
        how.add_argument("--record", action="store_true", help="all seeds, as the board has them")
        each.add_argument("--track", action="append", help="may be repeated (default: robot)")
        each.add_argument("--all-tracks", action="store_true", help="on every track")
    changed = kinds.add_parser("changed", help="list what a push to main changed, as JSON")
    changed.add_argument("--since", required=True, metavar="COMMIT", help="main before the push")
    accept = kinds.add_parser("accept", help="accept rows from jobs that ran contributions")
    accept.add_argument("folder", type=Path, metavar="FOLDER", help="holds row-NAME/TRACK/NAME")
    kinds.add_parser("push", help="commit and push what `accept` recorded (TOKEN, REPOSITORY)")
    verdict = kinds.add_parser("verdict", help="one result for several jobs")
    verdict.add_argument("results", nargs="+", metavar="RESULT", help="in GitHub's words")


def _commits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--base", default=DEFAULT_BASE, help="merge into (default: %(default)s)")
    add("--repository", type=Path, default=paths.ROOT, help="holds both commits (default: this)")


def run(args: argparse.Namespace) -> int:
    """Run one job; return 0 on success."""
    jobs = {
        "check": run_check,
        "run": run_run,
        "changed": run_changed,
        "accept": run_accept,
        "push": run_push,
        "verdict": run_verdict,
    }
    return jobs[args.kind](args)


def run_check(args: argparse.Namespace) -> int:
    """Check a branch; with --run, train and compare what it changed."""
    from harness.check.render import render_github, render_summary, render_text
    from harness.commands.ci import check

    maintainer = args.association in check.MAINTAINERS
    repository = Repository(args.repository)
    report = check.check_pull_request(repository, args.base, args.head, maintainer=maintainer)
    print(check.sentence(report.judgement))
    if report.findings:
        in_actions = os.environ.get("GITHUB_ACTIONS") == "true"
        print(render_github(report.findings) if in_actions else render_text(report.findings))
    for name, near in report.likeness.items():
        print(f"hint: {name} is {near.sentence()}")
    print(render_summary(args.head, report.findings))
    publish(check.describe(report))
    set_output("names", json.dumps(report.runnable))
    codes = [0 if report.fine else 1]
    if args.run:
        codes += [run_one(args, name) for name in report.runnable]
    return max(codes)


def run_run(args: argparse.Namespace) -> int:
    """Train and compare one contribution."""
    return run_one(args, args.name)


def run_one(args: argparse.Namespace, name: str) -> int:
    """Run one contribution of a commit and say how it went."""
    from harness.commands.ci.branch_run import GATE_FILE, run_from_commit
    from harness.gate.profile.summary import differences
    from harness.protocol.track import DEFAULT_TRACK, board_tracks
    from harness.runs.steps.gate import read_report

    options = ["--seeds", args.seeds] if args.seeds else []
    tracks = args.track or [DEFAULT_TRACK]
    if args.all_tracks:
        # A track of the real model runs where that model is, which CI's machines lack.
        tracks = [track.file.name for track in board_tracks() if track.base_model.is_dir()]
    out = args.out.resolve()
    repository = Repository(args.repository)
    rows = run_from_commit(
        repository, args.base, args.head, name, tracks, options, out, recorded=args.record
    )
    for row in rows:
        publish(row_section(row))
        report = read_report(out / row.track / name / GATE_FILE)
        if report is not None:
            publish(differences_section(differences(report)))
        print(f"{name} on {row.track}: {row.status}. See {args.out / row.track / name}")
    return exit_code(rows)


def exit_code(rows: Sequence[Row]) -> int:
    """Return 0 when every run did its work: pictures without figures are a result, too."""
    return 0 if all(row.status in ("ok", "unmergeable") for row in rows) else 1


def run_changed(args: argparse.Namespace) -> int:
    """List what has to run after a push to main, as JSON.

    That is what the push changed, and whatever has no row of today's files: a new reference, track
    or base makes every row stale, and a row that was lost once comes back by itself.
    """
    from harness.board.collect import collect
    from harness.commands.ci.path_rule import FOLDER, is_name, judge

    repository = Repository(paths.ROOT)
    head = repository.commit("HEAD")
    present = [name for name in repository.folder_names(head, FOLDER) if is_name(name)]
    names: set[str] = set()
    try:
        changes = repository.changes(repository.commit(args.since), head)
        names |= set(judge(changes, present, maintainer=True).names)
    except UsageError as error:
        # The first push of a branch has no "before"; a forced push may have lost it.
        print(f"{error.what} Only what has no row of today's files is listed.", file=sys.stderr)
    board = collect()
    here = {track.file.name for track in board.tracks if track.base_model.is_dir()}
    names |= {
        entry.name
        for entry in board.entries
        if entry.track in here
        and entry.state in {"pending", "stale"}
        and entry.name in board.contributions
    }
    listed = sorted(names, key=str.casefold)
    print(json.dumps(listed))
    set_output("names", json.dumps(listed))
    return 0


def run_accept(args: argparse.Namespace) -> int:
    """Record acceptable rows; report the others."""
    from harness.commands.ci.accept import accept
    from harness.contributions import registry
    from harness.protocol import row_files as results
    from toolkit.core import atomic

    rows, refused = accept(args.folder, "ci")
    for row in rows:
        print(f"recorded {row.contribution} on {row.track}: {row.status}")
        publish(row_section(row))
        # Byte for byte what was recorded: the workflow attests these and no older rows.
        accepted = paths.RUNS / "ci" / "accepted" / row.track / f"{row.contribution}.json"
        atomic.write_bytes(accepted, results.recorded_path(row).read_bytes())
    set_output("accepted", str(len(rows)))
    for error in refused:
        print(f"refused: {error}", file=sys.stderr)
        publish(refused_section(error))
    if not rows and not refused:
        print("There was nothing to accept.")
    registry.write_registry()
    return 1 if refused else 0


def run_push(args: argparse.Namespace) -> int:
    """Commit and push what the board job wrote."""
    from harness.commands.ci.push import push

    del args
    pushed = push(os.environ.get("TOKEN", ""), os.environ.get("REPOSITORY", ""))
    print("Pushed to main." if pushed else "There was nothing to push.")
    return 0


def run_verdict(args: argparse.Namespace) -> int:
    """Say whether all jobs before were fine; one that had nothing to do was."""
    results = [word for text in args.results for word in text.split()]
    fine = bool(results) and set(results) <= {"success", "skipped"}
    print(
        "All jobs succeeded."
        if fine
        else f"Not all jobs succeeded: {', '.join(results)}. Look at the jobs."
    )
    return 0 if fine else 1
