"""One line of the board. The only module of this room that knows what a Row looks like."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar, get_args

from harness.protocol.figures import hit_interval, hit_rate
from harness.protocol.row import Row
from toolkit.core.settings import REFERENCE_NAME, HookName

# A curve of so many points looks the same as one of thousands, and the page stays small.
CURVE_POINTS = 60

T = TypeVar("T")

State = Literal["measured", "unmergeable", "withheld", "failed", "pending", "stale"]
STATES: tuple[State, ...] = get_args(State)  # as the table sorts them

EXACTLY = "exactly the reference"  # the outcome of a training with the reference's own bits


@dataclass(frozen=True)
class Entry:
    """One contribution on one track, as the templates need it. None: not measured."""

    name: str
    track: str
    state: State
    status: str  # of the row; "pending" when there is none
    control: bool = False  # the hub's own, with a place that is known beforehand
    summary: str = ""
    authors: tuple[str, ...] = ()
    own_hooks: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()  # of a recipe: "make_lora of Foo", in the order of a run
    reasons: tuple[str, ...] = ()  # why a row is stale
    error: str = ""
    error_where: str = ""
    error_fix: str = ""
    log_tail: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    outcome: str = ""
    exactly_equal: bool = False  # trains to the reference's own figures, to the last bit
    seeds: tuple[int, ...] = ()
    gains: tuple[float, ...] = ()  # one per seed
    drifts: tuple[float, ...] = ()
    gain: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    heldout: float | None = None
    base_heldout: float | None = None
    bands: tuple[float, ...] = ()
    drift: float | None = None
    hit_rate: float | None = None  # over all seeds and taught prompts
    hit_interval: tuple[float, float] | None = None
    similarity: float | None = None
    prompt_adherence: float | None = None
    memorisation: float | None = None
    overfit_gap: float | None = None
    seconds: float | None = None
    time_ratio: float | None = None
    cost_interval: tuple[float, float] | None = None  # of time_ratio, over seeds
    cost_by: str = ""  # what time_ratio compares: "processor time", or "clock" in older rows
    tolerance: tuple[float, float] | None = None  # learning rates within a point of the best
    tolerance_decades: float | None = None  # how wide that is
    tolerance_text: str = ""  # the same as tables show it; ">=": wider than what was tried
    tolerance_sentence: str = ""
    memory_bytes: int | None = None
    adapter_bytes: int | None = None
    parameters: int | None = None
    isolation: str = ""
    origin: str = ""
    measured_at: str = ""  # UTC, to the minute
    measured_on: str = ""
    versions: str = ""
    content_hash: str = ""
    protocol_hash: str = ""
    reference_hash: str = ""
    curve: tuple[tuple[int, float], ...] = ()
    group: int | None = None  # 1 is the best group
    tier: int | None = None  # Pareto tier
    confirmed: bool = False  # on exchanged training pictures
    evidence: tuple[str, ...] = ()  # what was shown of it, of EVIDENCE

    @property
    def is_reference(self) -> bool:
        """Whether this is the row that all others are compared with."""
        return self.name == REFERENCE_NAME

    @property
    def what_is_own(self) -> str:
        """What a contribution brings: its hooks, or hooks of others, or settings alone."""
        return ", ".join(self.own_hooks) or ("recipe" if self.taken else "settings only")

    @property
    def placed(self) -> bool:
        """Whether the entry takes part in groups, tiers and plots."""
        return self.state == "measured" and self.gain is not None

    @property
    def outcome_in_words(self) -> str:
        """One of the hub's own words for what became of a contribution on a track."""
        if self.state == "measured":
            return self.outcome
        if self.state in {"stale", "pending"}:
            return f"{self.state}: {'; '.join(self.reasons)}"
        return self.status

    @property
    def against_reference(self) -> str:
        """The difference to the reference in points: ``+0.4 (-0.1 to +0.9)``."""
        if self.difference is None or self.is_reference:
            return ""
        text = points(self.difference)
        if self.interval:
            text += f" ({points(self.interval[0])} to {points(self.interval[1])})"
        return text

    def public(self) -> dict[str, Any]:
        """Return the entry for the JSON download: everything but the log."""
        return {k: v for k, v in asdict(self).items() if k not in {"log_tail", "curve"}}


def points(share: float) -> str:
    """Return a difference in points, with one digit more where it would round to zero."""
    digits = 2 if 0 < abs(share) < 0.0005 else 1
    return f"{100 * share:+.{digits}f}"


def from_row(row: Row, reasons: Sequence[str] = ()) -> Entry:
    """Flatten a row; ``reasons`` say why it does not describe today's files."""
    own = [score.own for score in row.scores]
    # An unmergeable adapter has no scores; its own pictures are judged all the same.
    drawn = [figures.pictures for figures in own] or [one.own for one in row.own_pictures]
    verdict, costs, machine = row.verdict, row.costs, row.machine
    return Entry(
        name=row.contribution,
        track=row.track,
        state=_state(row, reasons),
        status=row.status,
        control=row.control,
        summary=row.summary,
        authors=row.authors,
        own_hooks=row.own_hooks,
        taken=taken_hooks(row.contribution, row.origins, row.settings_from),
        reasons=tuple(reasons),
        error=row.error.what if row.error else "",
        error_where=(row.error.where or "") if row.error else "",
        error_fix=(row.error.fix or "") if row.error else "",
        log_tail=row.error.log_tail if row.error else (),
        flags=tuple(flag.text for flag in row.flags),
        outcome=verdict.outcome if verdict else "",
        exactly_equal=bool(verdict and verdict.exactly_equal),
        seeds=tuple(score.seed for score in row.scores or row.own_pictures),
        gains=tuple(score.gain for score in row.scores),
        drifts=tuple(score.own.drift for score in row.scores),
        gain=verdict.gain if verdict else None,
        difference=verdict.difference if verdict else None,
        interval=verdict.interval if verdict else None,
        heldout=_mean(own, lambda figures: figures.heldout.mean),
        base_heldout=row.base.heldout.mean if row.base else None,
        bands=tuple(
            statistics.fmean(figures.heldout.bands[i] for figures in own) for i in range(3) if own
        ),
        drift=_mean(own, lambda figures: figures.drift),
        hit_rate=hit_rate(drawn),
        hit_interval=hit_interval(drawn),
        similarity=_mean(drawn, lambda pictures: pictures.similarity),
        prompt_adherence=_mean(drawn, lambda pictures: pictures.prompt_adherence),
        memorisation=_mean(drawn, lambda pictures: pictures.memorisation),
        overfit_gap=_mean(own, lambda figures: figures.overfit_gap),
        seconds=costs.train_seconds if costs else None,
        time_ratio=costs.time_ratio if costs else None,
        cost_interval=costs.cpu_ratio_interval if costs else None,
        cost_by=("clock" if costs.cpu_seconds is None else "processor time") if costs else "",
        memory_bytes=costs.peak_memory_bytes if costs else None,
        adapter_bytes=row.adapter_bytes,
        parameters=row.trainable_parameters,
        isolation=machine.sandbox,
        origin=row.origin,
        measured_at=f"{row.created_at:%Y-%m-%d %H:%M}",
        measured_on=f"{machine.processor}, {machine.cores} cores, {machine.system}",
        versions=", ".join(f"{name} {version}" for name, version in machine.packages.items()),
        content_hash=row.content_hash,
        protocol_hash=row.protocol_hash,
        reference_hash=row.reference_hash,
        curve=thinned(row.losses),
        confirmed=row.confirmation is not None and row.confirmation.exchange is not None,
    )


def taken_hooks(
    name: str, origins: Mapping[HookName, str], settings_from: Mapping[HookName, tuple[str, ...]]
) -> tuple[str, ...]:
    """Say of each hook of a recipe whose code it has, and whose settings."""
    found = []
    for hook, code in origins.items():
        writers = [one for one in settings_from.get(hook, ()) if one not in (name, code)]
        settings = f" with settings of {' and '.join(writers)}" if writers else ""
        if settings or code not in (name, REFERENCE_NAME):
            found.append(f"{hook} of {code}{settings}")
    return tuple(found)


def _state(row: Row, reasons: Sequence[str]) -> State:
    if reasons:
        return "stale"
    if row.status == "ok":
        return "measured"
    if row.status in ("unmergeable", "withheld"):
        return row.status
    return "failed"


def _mean(own: Sequence[T], of: Callable[[T], float | None]) -> float | None:
    """Return the mean over seeds, or None when a seed lacks the figure."""
    values = [of(figures) for figures in own]
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def thinned(losses: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """Average a loss curve over equal windows; return (last step of the window, mean)."""
    window = -(-len(losses) // CURVE_POINTS) if losses else 1
    return tuple(
        (
            min(start + window, len(losses)),
            round(statistics.fmean(losses[start : start + window]), 5),
        )
        for start in range(0, len(losses), window)
    )
