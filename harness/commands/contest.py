"""Several contributions on one track: what they will take, and a page with a recommendation."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.commands.recording import is_own
from harness.commands.track import memory_of, seconds_of_track
from harness.contributions import registry
from harness.protocol.track import Track
from harness.runs.foretell import known_ratio
from harness.runs.many.choose import Choice, SeedsOf
from harness.runs.many.plan import PlannedRun
from harness.runs.many.queue import Planned
from harness.runs.many.tasks import TaskResult
from harness.runs.many.view import spoken
from harness.runs.own.make import OwnTrack, Wish, read_record
from harness.runs.own.page import PAGE, Drawn, write_contest
from harness.runs.own.recommend import Recommendation, recommend
from harness.runs.steps.columns import scored_pictures


def contestants(only: Sequence[str], track: str) -> tuple[str, ...]:
    """Return whose runs a contest has; controls prove a board, and there is none here.

    Args:
        only: Those that were named; none: all contributions.
        track: Where they run.
    """
    for name in only:
        registry.load_any(name)  # says which names are near one that is not there
    if only or not is_own(track):
        return tuple(only)
    return tuple(registry.contribution_names())


def seeds_in_one_go(asked: SeedsOf) -> SeedsOf:
    """Return the same choice of seeds, but never in two parts.

    A board stops who is clearly worse after the first seeds; in a contest all have the same ones.
    """

    def seeds_of(track: Track) -> tuple[tuple[int, ...] | None, bool]:
        seeds, thorough = asked(track)
        return (track.file.seeds, False) if thorough else (seeds, False)

    return seeds_of


def foretold(choice: Choice, track: Track) -> Choice:
    """Put estimates into the tasks of an own track that has none of its own yet.

    The pace of the base was measured when the track was made; how much longer than the reference a
    contribution trains is known from its recorded row on the hub's default track.
    """
    if not track.is_own:
        return choice
    record = read_record(track.file.name)
    return replace(choice, planned=tuple(with_estimate(p, track, record) for p in choice.planned))


def with_estimate(planned: Planned, track: Track, record: OwnTrack) -> Planned:
    """Return a task with what is foretold of it."""
    seconds = planned.seconds
    if seconds is None:
        ratio = known_ratio(planned.task.contribution)
        seconds = seconds_of_track(track, record, planned.seeds, ratio)
    memory = max(planned.memory_bytes, memory_of(track, record))
    return replace(planned, seconds=seconds, memory_bytes=memory)


def with_gates(choice: Choice, gates: Mapping[str, float]) -> Choice:
    """Add the gates that are ahead to the estimates; what is known already takes no time."""

    def ahead(planned: Planned, line: PlannedRun) -> Planned:
        if line.state == "done":
            return replace(planned, seconds=0.0)
        if planned.seconds is None:
            return planned
        return replace(planned, seconds=planned.seconds + gates.get(planned.task.contribution, 0.0))

    return replace(choice, planned=tuple(map(ahead, choice.planned, choice.lines)))


def announce_cost(
    choice: Choice, jobs: int, console: Console, gates: Mapping[str, float] | None = None
) -> None:
    """Say what a contest will take before it starts.

    Args:
        choice: The runs.
        jobs: How many at once.
        console: Where to print.
        gates: Seconds of the gates that are ahead, which the runs' estimates include.
    """
    states = [line.state for line in choice.lines]
    left = [p for p, state in zip(choice.planned, states, strict=True) if state != "done"]
    many = min(jobs, max(1, len(left)))
    seconds = sum(p.seconds or 0.0 for p in left)
    most = max((p.memory_bytes for p in left), default=0)
    gated = [gates[p.task.contribution] for p in left if gates and p.task.contribution in gates]
    word = "gate" if len(gated) == 1 else "gates"
    share = f" ({spoken(sum(gated) / many)} of it for {len(gated)} {word})" if gated else ""
    console.print(
        f"{len(choice.planned)} runs, {len(choice.planned) - len(left)} of them known already. "
        f"The rest takes about {spoken(seconds / many)}{share} with {jobs} at "
        f"once, and {most / 2**30:.1f} GiB of memory each. "
        "Ctrl-C stops it; the same command goes on with what is left.",
        soft_wrap=True,
    )


def conclude_contest(found: Sequence[TaskResult], track: Track, console: Console) -> Path | None:
    """Print the recommendation and write the page; return it, or None without any figures."""
    rows = [one.row for one in found if one.row is not None]
    advice = recommend(rows)
    if advice is None:
        console.print("None of the runs has figures, so nothing can be recommended.", style="red")
        return None
    failed = [row for row in rows if row.status != "ok"]
    folders = {one.contribution: paths.RUNS / one.folder for one in found if one.folder}
    commands = next_commands(advice, track)
    path = paths.RUNS / track.file.name / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_contest(path, advice, failed, drawn_by(advice, folders), track, commands)
    first, *more = advice.sentences
    console.print(first, style="bold", markup=False, soft_wrap=True)
    for sentence in more:
        console.print(sentence, markup=False, soft_wrap=True)
    console.print(f"Page: {path}", markup=False, soft_wrap=True)
    for command in commands:
        console.print(f"Next: {command}", style="dim", markup=False, soft_wrap=True)
    return path


def drawn_by(advice: Recommendation, folders: dict[str, Path]) -> list[Drawn]:
    """Return the trusted sampler's pictures: of the base, then of each in its place."""
    found: list[Drawn] = []
    for one in advice.standings:
        pictures = scored_pictures(folders[one.name] / "score")
        if not found:
            found.append(Drawn("base", pictures["base"]))
        found.append(Drawn(one.name, pictures[one.name]))
    return found


def next_commands(advice: Recommendation, track: Track) -> list[str]:
    """Return the commands that train the best on all pictures and write it as a file.

    The training is as the contest's were: what was typed for the track is typed again.
    """
    if not track.is_own or not advice.chosen:
        return []
    wish, name = read_record(track.file.name).wish, advice.first.name
    words = ["nox", "-s", "train", "--", name, "--data", str(wish.data_dir)]
    if wish.base != Wish.model_fields["base"].default:
        words += ["--base", wish.base]
    typed = {
        "--trigger-word": wish.trigger_word,
        "--device": "" if wish.device == "cpu" else wish.device,
        "--resolution": wish.resolution,
        "--steps": wish.steps,
        "--batch-size": wish.batch_size,
    }
    words += [word for option, value in typed.items() if value for word in (option, str(value))]
    return [shlex.join(words), f"nox -s export -- {name}"]
