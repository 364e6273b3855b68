"""Made-up boards: true gains and spreads, gains drawn from them, and what the board makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness import paths
from harness.protocol.row_files import read_row
from harness.protocol.statistics.groups import compare_all
from harness.protocol.statistics.intervals import t_interval
from harness.protocol.statistics.shared_noise import shared_noise
from harness.protocol.track import load_track
from toolkit.core.record import Record
from toolkit.core.settings import REFERENCE_NAME

Figures = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Figures]

SEEDS = 5
METHODS = 50
POINT = 0.01  # one point of gain, as a share


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Figures:
    """Draw what most simulations suppose."""
    return rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Figures:
    """Draw with heavy tails: Student's t with five degrees of freedom, of variance 1."""
    drawn: Figures = rng.standard_t(5, size=shape) * (3 / 5) ** 0.5
    return drawn


@dataclass(frozen=True)
class Truth:
    """A board as it really is.

    Args:
        about: What it is, for the table.
        gains: (M,) true gains, as shares; the reference is the first.
        spreads: (M,) standard deviation of one seed's gain, without the seed's common part.
        common: Standard deviation of what a seed does to all methods alike.
        draw: The shape of the noise.
    """

    about: str
    gains: Figures
    spreads: Figures
    common: float = 0.005
    draw: Draw = normal


class Found(Record):
    """What came of many boards with one truth; all but the counts are shares of boards or pairs."""

    about: str
    boards: int
    methods: int
    seeds: int
    any_false: float  # boards that call two of the same gain different, or two in the wrong order
    all_hold: float  # boards on which every interval from the reference holds the truth
    each_holds: float  # intervals from the reference, one by one
    run_holds: float  # intervals of single runs: Student's t over seeds
    best_first: float  # boards on which a truly best one stands first
    best_in_first_group: float
    points_behind: float  # of the one that stands first, from the truly best, in points
    found_apart: float | None  # pairs a point or more apart that are called different


def recorded(track: str) -> Truth:
    """Return a truth like a recorded board's: its means and its methods' spreads.

    Raises:
        ValueError: No rows are recorded on the track.
    """
    seeds = tuple(sorted(load_track(track).file.seeds))
    names, gains = [], []
    for path in sorted((paths.RESULTS / track).glob("*.json")):
        row = read_row(path)
        if row.status == "ok" and not row.control and len(row.scores) == len(seeds):
            by_seed = {score.seed: score.gain for score in row.scores}
            names.append(row.contribution)
            gains.append([by_seed[seed] for seed in seeds])
    if REFERENCE_NAME not in names:
        raise ValueError(f"no row of the reference on {track}")
    table = np.array(gains, dtype=np.float64)
    order = [names.index(REFERENCE_NAME), *(i for i, n in enumerate(names) if n != REFERENCE_NAME)]
    spreads = np.sqrt(shared_noise(table).variances)
    common = float(np.median(table - table.mean(axis=1, keepdims=True), axis=0).std(ddof=1))
    about = f"as recorded on `{track}`"
    return Truth(about, table.mean(axis=1)[order], spreads[order], common)


def truths() -> list[Truth]:
    """Return all boards that are simulated."""
    equal, ahead = np.full(METHODS, 0.3), np.full(METHODS, 0.3)
    ahead[-1] += POINT
    even, uneven = np.full(METHODS, 0.004), np.geomspace(0.001, 0.01, METHODS)
    return [
        Truth("all equal", equal, even),
        Truth("all equal, of very uneven spread", equal, uneven),
        Truth("all equal, heavy tails", equal, even, draw=heavy),
        Truth("one a point ahead of all others", ahead, even),
        *(recorded(track) for track in ("robot", "streamline", "binding")),
    ]


def simulate(truth: Truth, boards: int, seed: int = 0) -> Found:
    """Draw boards and compare what the board says of them with the truth."""
    rng = np.random.default_rng(seed)
    tallies = [tally(truth, draw_board(truth, rng)) for _ in range(boards)]
    numbers = np.array(tallies, dtype=np.float64)  # (boards, 8)
    means, counted = numbers.mean(axis=0), ~np.isnan(numbers[:, -1])
    apart = float(numbers[counted, -1].mean()) if counted.any() else None
    names = (
        "any_false",
        "all_hold",
        "each_holds",
        "run_holds",
        "best_first",
        "best_in_first_group",
    )
    return Found(
        about=truth.about,
        boards=boards,
        methods=len(truth.gains),
        seeds=SEEDS,
        **{name: round(float(value), 4) for name, value in zip(names, means[:6], strict=True)},
        points_behind=round(float(means[6]), 3),
        found_apart=None if apart is None else round(apart, 4),
    )


def draw_board(truth: Truth, rng: np.random.Generator) -> Figures:
    """Return gains (M, SEEDS)."""
    shape = (len(truth.gains), SEEDS)
    own = truth.spreads[:, None] * truth.draw(rng, shape)
    shared: Figures = truth.common * rng.normal(size=(1, SEEDS))
    return truth.gains[:, None] + own + shared


def tally(truth: Truth, board: Figures) -> Sequence[float]:
    """Return the shares of ``Found`` for one board; not a number: there is nothing to count."""
    count = len(truth.gains)
    found = compare_all({f"{i:03}": list(row) for i, row in enumerate(board)})
    place = [int(name) for name in found.names]  # the best mean first
    true = truth.gains[place]
    rows, columns = np.triu_indices(count, 1)  # the first of a pair has the higher mean
    gaps = true[rows] - true[columns]
    different = found.different[rows, columns]
    far = np.abs(gaps) >= POINT * (1 - 1e-9)
    holds, run_holds = [], []
    for i in range(1, count):
        ahead = truth.gains[i] - truth.gains[0]
        board_s, run_s = found.interval(f"{i:03}", "000"), t_interval(list(board[i] - board[0]))
        holds.append(board_s is not None and board_s[0] <= ahead <= board_s[1])
        run_holds.append(run_s is not None and run_s[0] <= ahead <= run_s[1])
    top = true >= true.max() - 1e-12
    first_group = len(found.groups()[0])
    return (
        float((different & (gaps <= 0)).any()),
        float(all(holds)),
        float(np.mean(holds)),
        float(np.mean(run_holds)),
        float(top[0]),
        float(top[:first_group].any()),
        float(100 * (true.max() - true[0])),
        float(different[far & (gaps > 0)].mean()) if (far & (gaps > 0)).any() else float("nan"),
    )
