"""A real Ray cluster of two nodes with disks of their own, one of which is killed half-way.

Not in the default suite: Ray is no dependency. ``nox -s ray`` installs it and runs this.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.protocol.machine import processor_name, usable_cores
from harness.protocol.row_files import read_row, write_row
from tests.harness.runs.many.test_board import hub as hub
from tests.harness.support import example_row
from toolkit.core import atomic

ray = pytest.importorskip("ray", reason="Ray is not installed: nox -s ray")

NAMES = ("One", "Two", "Three", "Four")
RESULT = "HUB_RAY_RESULT"  # where to write what was found, if anywhere


class Node:
    """One node, as ``ray start`` makes it, with a disk of its own."""

    def __init__(self, cluster, disk: Path, memory: int | None = None, **resources):
        self.disk = disk
        self.cluster = cluster
        self.handle = cluster.add_node(
            num_cpus=1,
            **({} if memory is None else {"memory": memory}),
            resources=resources,
            object_store_memory=100 << 20,
            env_vars={"HUB_RUNS": str(disk)},
        )

    def kill(self):
        self.cluster.remove_node(self.handle, allow_graceful=False)

    def rows(self):
        found = (self.disk / "robot").glob("*/*/row.json")
        return {(path.parent.parent.name, path.parent.name): read_row(path) for path in found}


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20},
    )
    yield made
    made.shutdown()


def add(hub, name):
    """Add a contribution like Small, under another name."""
    folder = hub / "CONTRIBUTIONS" / name
    if not folder.exists():
        shutil.copytree(hub / "CONTRIBUTIONS" / "Small", folder)
        toml = folder / "contribution.toml"
        toml.write_text(toml.read_text().replace("Small", name))


def start_board(hub, address, *arguments):
    # Ray itself may lie beside the environment; the driver's path is the workers' path.
    command = ["plan", "--executor", "ray", "--address", address, "--track", "robot"]
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *command, *arguments],
        cwd=hub,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_node_is_killed_half_way_and_nothing_is_lost_and_nothing_run_twice(
    hub, cluster, tmp_path
):
    for name in NAMES:
        add(hub, name)
    first = Node(cluster, tmp_path / "disk-1", first=1)
    second = Node(cluster, tmp_path / "disk-2", second=1)
    cluster.wait_for_nodes()
    began = time.monotonic()
    board = start_board(
        hub, cluster.address, "--only", ",".join(NAMES), "--seeds", "0,", "--skip-gate"
    )
    lines, killed = [], None
    for line in board.stdout:
        lines.append(line)
        # Killed while it is training something, after something has ended.
        ended = [text for text in lines if ": gain " in text]
        if killed is None and len(ended) >= 2:
            victims = (second, first) if training(second) else (first, second)
            killed, survivor = victims
            wait_until_training(killed)
            before = killed.rows()
            killed.kill()
    board.stdout.close()
    out = "".join(lines)
    assert board.wait(60) == 0, out
    assert killed is not None

    # Nothing is lost: every run ended well, once.
    ends = Counter(re.findall(r"(?m)^(\w+) on robot: gain", out))
    assert ends == Counter(["reference", *NAMES])
    # What died with its node was sent to the other, and nothing else was begun twice.
    starts = Counter(re.findall(r"(?m)^(\w+) on robot: started", out))
    lost = re.findall(r"(?m)^(\w+) on robot: its worker died", out)
    assert lost
    assert starts == Counter(["reference", *NAMES, *lost])
    # Nothing that had ended was run twice: over both disks one finished run for each key. The
    # reference lies on both, by its bundle: the same run to the last byte.
    rows = [*before.items(), *survivor.rows().items()]
    copies = [row for (name, _), row in rows if name == "reference"]
    assert len(set(map(str, copies))) == 1
    keys = Counter(key for (name, key), _ in rows if name != "reference")
    assert len(keys) == len(NAMES)
    assert set(keys.values()) == {1}

    note = {
        "nodes": 2,
        "runs": len(ends),
        "lost_with_the_node": lost,
        "starts": sum(starts.values()),
        "finished_runs_per_key": sorted(set(keys.values())),
        "reference_trained": starts["reference"],
        "seconds": round(time.monotonic() - began),
        "ray": ray.__version__,
        "python": platform.python_version(),
        "processor": processor_name(),
        "cores": usable_cores(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(json.dumps(note, indent=1))
    if os.environ.get(RESULT):
        atomic.write_text(Path(os.environ[RESULT]), json.dumps(note, indent=1) + "\n")


def training(node: Node) -> bool:
    return any(
        not (path.parents[2] / "row.json").is_file()
        for path in (node.disk / "robot").glob("*/*/train/job-seed-*/job.json")
        if "reference" not in path.parts
    )


def wait_until_training(node: Node) -> None:
    deadline = time.monotonic() + 600
    while not training(node):
        assert time.monotonic() < deadline, "the node never got a run"
        time.sleep(0.05)


def test_what_no_node_can_carry_is_said_and_not_waited_for(hub, cluster, tmp_path):
    Node(cluster, tmp_path / "disk")
    cluster.wait_for_nodes()
    board = start_board(
        hub, cluster.address, "--only", "Small", "--seeds", "0,", "--device", "cuda"
    )
    out, _ = board.communicate(timeout=120)
    assert board.returncode == 1
    assert "No node of the cluster has what it needs: CPU 1, memory" in out
    assert "GPU 1" in out


def test_what_waits_for_a_node_that_is_gone_is_said_and_the_rest_goes_on(hub, cluster, tmp_path):
    for name in ("LargeA", "LargeB"):
        add(hub, name)
        # The board knows what they need: more than the second node has.
        row = example_row(contribution=name)
        costs = row.costs.model_copy(update={"peak_memory_bytes": 3 << 30})
        folder = hub / "leaderboard" / "results" / "robot"
        write_row(folder / f"{name}.json", row.model_copy(update={"costs": costs}))
    large = Node(cluster, tmp_path / "disk-1", first=1, memory=6 << 30)
    Node(cluster, tmp_path / "disk-2", second=1, memory=2 << 30)
    cluster.wait_for_nodes()
    board = start_board(
        hub, cluster.address, "--only", "LargeA,LargeB,Small", "--seeds", "0,", "--skip-gate"
    )
    lines, gone = [], False
    for line in board.stdout:
        lines.append(line)
        started = [text for text in lines if "Large" in text and "started" in text]
        if not gone and len(started) == 2:  # one of them runs, the other waits for it
            wait_until_training(large)
            large.kill()
            gone = True
    board.stdout.close()
    out = "".join(lines)
    assert board.wait(60) == 1, out
    assert len(re.findall("No node of the cluster has what it needs", out)) >= 2, out
    assert re.search(r"(?m)^Small on robot: gain", out), out


def test_a_cluster_that_is_not_there_is_named(hub):
    board = start_board(hub, "127.0.0.1:1", "--only", "Small", "--seeds", "0,")
    out, _ = board.communicate(timeout=120)
    assert board.returncode == 1
    assert "The Ray cluster does not answer" in out
    assert "127.0.0.1:1" in out
    assert "Traceback" not in out
