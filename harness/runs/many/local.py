"""This machine as an executor: one process per task, as many as cores and memory carry."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from harness import paths
from harness.protocol.machine import usable_cores
from harness.protocol.row import ErrorReport
from harness.runs.many.estimates import keep_seconds
from harness.runs.many.listener import Listener
from harness.runs.many.queue import Planned, Queue
from harness.runs.many.tasks import TaskResult, accept

LOGS = "board"  # folder in runs/ for what tasks print
KEPT_FREE = 0.1  # of the memory, for everything else on the machine
PATIENCE_S = 20.0  # an interrupted task ends its own children first
TICK_S = 0.5


@dataclass
class Running:
    """A task's process."""

    planned: Planned
    process: subprocess.Popen[str]
    log: Path
    began: float = field(default_factory=time.monotonic)
    result: TaskResult | None = None


# (label of the task, a line it wrote, or None when it has nothing more to say)
Message = tuple[str, str | None]


def run_local(
    planned: Sequence[Planned], listener: Listener, jobs: int | None = None
) -> list[TaskResult]:
    """Carry out tasks and return their results in the order in which they ended.

    Args:
        planned: The tasks, each at most once.
        listener: Hears of everything as it happens.
        jobs: Processes at once; by default as many as there are cores.

    Returns:
        One result per task: a failure is a result too, and does not stop the others. On Ctrl-C
        every process is ended before the exception goes on.
    """
    queue = Queue(planned)
    running: dict[str, Running] = {}
    results: list[TaskResult] = []
    messages: SimpleQueue[Message] = SimpleQueue()
    most = jobs or usable_cores()
    budget = psutil.virtual_memory().available * (1 - KEPT_FREE)
    try:
        while queue.waiting or running:
            while len(running) < most:
                promised = sum(one.planned.memory_bytes for one in running.values())
                following = queue.take(budget - promised)
                if following is None:
                    break
                running[following.task.label] = start(following, messages)
                listener.started(following)
            for one in read(messages, running, listener):
                del running[one.planned.task.label]
                close(one)
                result = one.result or died(one)
                keep_seconds([(one.planned.task, one.planned.seeds, result)])
                for ended in (result, *queue.ended(one.planned, result)):
                    results.append(ended)
                    listener.ended(ended)
            listener.tick()
    finally:
        stop(list(running.values()))
    return results


def start(planned: Planned, messages: SimpleQueue[Message]) -> Running:
    """Start the process of a task, and a thread that listens to it."""
    task = planned.task
    log = paths.RUNS / LOGS / f"{task.track}-{task.contribution}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(  # our own program, no shell
            [sys.executable, "-m", "harness.runs.many.task_process"],
            cwd=paths.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours: we tell it
        )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it died at once: its end tells
            process.stdin.write(task.model_dump_json() + "\n")
            process.stdin.flush()
    running = Running(planned, process, log)
    threading.Thread(target=listen, args=(running, messages), daemon=True).start()
    return running


def listen(running: Running, messages: SimpleQueue[Message]) -> None:
    """Pass on what a task's process writes, and that it has ended."""
    label = running.planned.task.label
    if running.process.stdout is not None:
        for line in running.process.stdout:
            messages.put((label, line))
        running.process.stdout.close()
    running.process.wait()
    messages.put((label, None))


def read(
    messages: SimpleQueue[Message], running: dict[str, Running], listener: Listener
) -> list[Running]:
    """Take what has arrived, waiting a moment for the first; return whose process has ended."""
    ended = []
    with contextlib.suppress(Empty):
        label, line = messages.get(timeout=TICK_S)
        while True:
            one = running[label]
            if line is None:
                ended.append(one)
            else:
                hear(one, line, listener)
            label, line = messages.get_nowait()
    return ended


def hear(running: Running, line: str, listener: Listener) -> None:
    """Understand one line of a task's process.

    One that was cut, because its process was killed while it wrote, says nothing: without a result
    the end of its process is what is reported.
    """
    try:
        message = json.loads(line)
        if "result" in message:
            running.result = accept(running.planned.task, json.dumps(message["result"]))
            return
        news = message["news"]
        done, text = float(news["done"]), f"{news['label']}: {news['text']}"
    except (ValueError, KeyError, TypeError):
        return
    listener.news(running.planned.task, done, text)


def died(running: Running) -> TaskResult:
    """Say that a task's process ended without a result, with the end of what it printed."""
    task = running.planned.task
    tail = running.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
    return TaskResult(
        contribution=task.contribution,
        track=task.track,
        status="error",
        seconds=time.monotonic() - running.began,
        error=ErrorReport(
            kind="HubError",
            what=f"Its process ended with exit code {running.process.returncode} and no result.",
            where=str(running.log),
            fix="The end of its log follows. Run it alone to see the whole: "
            f"nox -s contribution -- {task.contribution} --track {task.track}",
            log_tail=tuple(tail),
        ),
    )


def close(running: Running) -> None:
    """Close our end of a task's input: where it still runs, it stops."""
    if running.process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            running.process.stdin.close()


def stop(running: Sequence[Running]) -> None:
    """End tasks: each is asked, ends its own children, and is killed only if it does not."""
    for one in running:
        close(one)
    deadline = time.monotonic() + PATIENCE_S
    for one in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(max(0.0, deadline - time.monotonic()))
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
