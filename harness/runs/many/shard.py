"""Cut a plan into shards for machines that know nothing of each other: CI matrices, Slurm arrays.

Every machine computes the whole cut from the same checkout and takes its own piece. So the cut may
depend on nothing that differs between them: not on what runs/ holds, nor on the order in which a
disk lists its folders. Estimates come from the recorded rows, which the checkout has.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

from harness.runs.many.estimates import typical
from harness.runs.many.queue import Planned

MOST_SHARDS = 100_000


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``2/8``: the second of eight shards.

    Raises:
        ValueError: It is something else; argparse reports it.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MOST_SHARDS:
        raise ValueError(f"{text!r} is no shard: the second of eight is 2/8")
    return int(found[1]), int(found[2])


def cut(planned: Sequence[Planned], number: int, count: int) -> list[Planned]:
    """Return one shard: some of the runs, and the references that they are compared with.

    The longest first, each to the shard that has least to do so far, its references counted in: a
    shard pays for a track's reference when it gets its first run of that track.

    Args:
        planned: The whole plan, in any order.
        number: Which shard, from 1.
        count: How many there are.
    """
    references = {one.task.track: one for one in planned if one.task.is_reference}
    others = [one for one in planned if not one.task.is_reference]
    usual = typical(one.seconds for one in others)

    def cost(one: Planned) -> float:
        return usual if one.seconds is None else one.seconds

    loads = Loads(count)
    shards: list[list[Planned]] = [[] for _ in range(count)]
    for one in sorted(others, key=lambda one: (-cost(one), one.task.label)):
        track = one.task.track
        extra = cost(references[track]) if track in references else 0.0
        shards[loads.place(track, cost(one), extra)].append(one)
    # A track that only its reference is left of: somebody has to run it.
    for track in sorted(set(references) - {one.task.track for one in others}):
        loads.place(track, cost(references[track]), 0.0)
    own = sorted(track for track in references if number - 1 in loads.holders.get(track, ()))
    return [references[track] for track in own] + shards[number - 1]


class Loads:
    """How much each shard has to do, with the least loaded at hand: overall, and per track.

    A heap keeps old entries; one whose load is not the shard's any more is dropped when it is met.
    """

    def __init__(self, count: int) -> None:
        self._loads = [0.0] * count
        self._all = [(0.0, shard) for shard in range(count)]  # sorted, so it is a heap
        self._of_track: dict[str, list[tuple[float, int]]] = {}
        self.holders: dict[str, set[int]] = {}

    def place(self, track: str, seconds: float, extra: float) -> int:
        """Give a run to the shard that then has least to do, and return that.

        Args:
            track: Its track.
            seconds: Its own time.
            extra: What a shard pays besides that has nothing of the track yet.
        """
        anywhere = self._least(self._all)
        among = self._of_track.setdefault(track, [])
        here = self._least(among)
        holders = self.holders.setdefault(track, set())
        offers = [
            (load + (extra if shard not in holders else 0.0), shard)
            for load, shard in (anywhere, here)
            if shard >= 0
        ]
        load, shard = min(offers)
        self._loads[shard] = load + seconds
        holders.add(shard)
        for heap in (
            self._all,
            *(self._of_track[t] for t, who in self.holders.items() if shard in who),
        ):
            heapq.heappush(heap, (self._loads[shard], shard))
        return shard

    def _least(self, heap: list[tuple[float, int]]) -> tuple[float, int]:
        while heap and heap[0][0] != self._loads[heap[0][1]]:
            heapq.heappop(heap)
        return heap[0] if heap else (0.0, -1)
