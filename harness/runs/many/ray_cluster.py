"""A Ray cluster as an executor: one Ray task per run, on whichever node has room.

Ray moves a Task there and a TaskResult home, both as JSON that is checked on arrival. A node that
dies takes only its runs along: each is started again elsewhere. What had ended is never lost, nor
run again, because its row came home when it ended.

What is compared with a reference needs its trained weights. They come home as a bundle of plain
files with the reference's result, and each node unpacks them once; so a reference survives the
node that trained it. Nodes need a checkout of the same commit at the same place, and the same
packages: each task carries its run key, and a node that computes another one refuses.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from harness.protocol.row import ErrorReport
from harness.runs.many.listener import Listener
from harness.runs.many.queue import Planned, Queue
from harness.runs.many.ray_node import run_there
from harness.runs.many.tasks import TaskResult, accept, not_run
from toolkit.core.errors import EnvironmentFault

MOST_TRIES = 4  # a run that has taken so many workers down is not sent to another
TICK_S = 0.5
CONNECT_S = 10.0
NAMES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}  # option -> resource


@contextmanager
def connected(address: str | None) -> Iterator[Cluster]:
    """Connect to a cluster, or start one on this machine when there is none.

    Args:
        address: ``host:port`` of its head; None: the one that RAY_ADDRESS names, or a new one.

    Raises:
        EnvironmentFault: Ray is not installed, or the cluster does not answer.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            "Ray is not installed.",
            where="--executor ray",
            fix="Install the extra `ray` of pyproject.toml, on every node: docs/scale.md.",
        ) from error
    try:
        require_listening(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise EnvironmentFault(
            f"The Ray cluster does not answer: {error}",
            where=f"--address {address}" if address else "RAY_ADDRESS",
            fix="`ray status` on its head says whether it runs.",
        ) from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def require_listening(address: str | None) -> None:
    """Knock at ``host:port`` first: Ray itself would knock for minutes.

    Raises:
        OSError: No answer.
    """
    host, _, port = (address or "").rpartition(":")
    if host and "/" not in host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()


class Cluster:
    """A cluster that is connected."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray: Any = ray
        # The queue sends a run again itself: it knows which had ended.
        self._remote = ray.remote(max_retries=0, num_returns=2)(run_there)

    def places(self, planned: Sequence[Planned]) -> int:
        """Return how many of these runs the cluster carries at once, by what the smallest needs."""
        needs = [self._needs(one) for one in planned]
        least = {key: min(one[key] for one in needs) for key in needs[0]} if needs else {}
        carried = (
            min(has.get(NAMES[key], 0) // amount for key, amount in least.items())
            for has in self._alive()
            if least
        )
        return max(1, int(sum(carried)))

    def run(self, planned: Sequence[Planned], listener: Listener) -> list[TaskResult]:
        """Carry out tasks; return their results in the order in which they came home.

        Returns:
            One result per task. On Ctrl-C everything that runs is cancelled.
        """
        queue = Queue(planned)
        results: list[TaskResult] = []
        running: dict[Any, tuple[Planned, Any]] = {}  # what is waited for -> task, its bundle
        bundles: dict[str, Any] = {}  # track -> the reference's runs, in the object store
        tries: dict[str, int] = {}
        try:
            while queue.waiting or running:
                places = self.places(planned)  # nodes come and go
                while len(running) < places:
                    following = queue.take()
                    if following is None:
                        break
                    lacking = self.lacking(following)
                    if lacking is not None:
                        ended = not_run(following.task, lacking)
                        self._conclude(following, ended, queue, results, listener)
                        continue
                    answer, bundle = self._submit(following, bundles)
                    running[answer] = (following, bundle)
                    tries[following.task.label] = tries.get(following.task.label, 0) + 1
                    listener.started(following)
                done, _ = self._ray.wait(list(running), timeout=TICK_S) if running else ([], [])
                for answer in done:
                    one, bundle = running.pop(answer)
                    result = self._fetch(one, answer, bundle, bundles)
                    if result is None and tries[one.task.label] < MOST_TRIES:
                        listener.lost(one)
                        queue.again(one)
                        continue
                    found = result or gave_up(one)
                    self._conclude(one, found, queue, results, listener)
                for answer, why in self._stranded(running):
                    one, _ = running.pop(answer)
                    self._ray.cancel(answer)
                    self._conclude(one, not_run(one.task, why), queue, results, listener)
                listener.tick()
        finally:
            for answer in running:
                self._ray.cancel(answer)
        return results

    def lacking(self, planned: Planned) -> str | None:
        """Say what no node has enough of for a task, or None: Ray itself would wait for ever."""
        return lacking(self._needs(planned), self._alive())

    def _stranded(self, running: Mapping[Any, tuple[Planned, Any]]) -> list[tuple[Any, str]]:
        """Return what waits for a node that is gone and was the only one with room for it."""
        alive = self._alive() if running else []
        found = [(answer, lacking(self._needs(one), alive)) for answer, (one, _) in running.items()]
        return [(answer, why) for answer, why in found if why is not None]

    def _alive(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _needs(self, planned: Planned) -> dict[str, int]:
        needs = {"num_cpus": 1, "memory": planned.memory_bytes}
        return needs if planned.task.device == "cpu" else {**needs, "num_gpus": 1}

    def _submit(self, planned: Planned, bundles: dict[str, Any]) -> tuple[Any, Any]:
        task = planned.task
        bundle = None if task.is_reference else bundles.get(task.track)
        remote = self._remote.options(name=task.label, **self._needs(planned))
        answer, packed = remote.remote(task.model_dump_json(), bundle)
        return answer, packed

    def _fetch(
        self, planned: Planned, answer: Any, packed: Any, bundles: dict[str, Any]
    ) -> TaskResult | None:
        """Return a task's result; None when its worker or node died before it had one."""
        task, errors = planned.task, self._ray.exceptions
        try:
            result = accept(task, self._ray.get(answer))
            if task.is_reference and result.status == "ok":
                # Into the store of this machine: the node that trained it may go.
                bundles[task.track] = self._ray.put(self._ray.get(packed))
        except errors.RayTaskError as error:
            report = ErrorReport(kind="HubError", what=f"On its node: {error.cause!r}"[:2000])
            return TaskResult(
                contribution=task.contribution, track=task.track, status="error", error=report
            )
        except errors.RayError:
            return None
        return result

    def _conclude(
        self,
        one: Planned,
        result: TaskResult,
        queue: Queue,
        results: list[TaskResult],
        listener: Listener,
    ) -> None:
        for ended in (result, *queue.ended(one, result)):
            results.append(ended)
            listener.ended(ended)


def lacking(wanted: Mapping[str, int], alive: Sequence[Mapping[str, float]]) -> str | None:
    """Say what no node has enough of, or None.

    Args:
        wanted: What a task asks for, by Ray's names for options.
        alive: What each node has, by Ray's names for resources.
    """
    if any(
        all(has.get(NAMES[key], 0) >= amount for key, amount in wanted.items()) for has in alive
    ):
        return None
    listed = ", ".join(f"{NAMES[key]} {amount:,}" for key, amount in wanted.items())
    return f"No node of the cluster has what it needs: {listed}."


def gave_up(planned: Planned) -> TaskResult:
    """Say that a run has taken too many workers down."""
    task = planned.task
    report = ErrorReport(
        kind="WorkerCrash",
        what=f"{MOST_TRIES} workers died while they ran it.",
        fix="Look at the nodes' memory: `ray status`, and `dmesg` for a killed process.",
    )
    return TaskResult(
        contribution=task.contribution, track=task.track, status="crashed", error=report
    )
