"""The kernel's limit on processes and threads together."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.sandbox import task_limit

FORKS = """
import os, time
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except BlockingIOError:
    print("refused after", count)
"""

needs_groups = pytest.mark.skipif(
    task_limit.available() is None, reason="no control group can be made here"
)


@needs_groups
def test_the_kernel_refuses_a_fork_bomb_its_processes() -> None:
    home = task_limit.available()
    assert home is not None
    group = task_limit.make_group(home, 20)
    command = task_limit.entering([group], [sys.executable, "-c", FORKS])
    bomb = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert bomb.stdout is not None
    told = bomb.stdout.readline()
    pids = [int(line) for line in (group / "cgroup.procs").read_text().split()]
    for pid in pids:
        subprocess.run(["kill", "-9", str(pid)], check=False)
    bomb.communicate()
    assert told == "refused after 19\n"  # and the parent is the twentieth


@needs_groups
def test_the_groups_of_a_hub_that_was_killed_are_removed() -> None:
    home = task_limit.available()
    assert home is not None
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    left = home / f"{task_limit.PREFIX}{ended.pid}-1"
    left.mkdir()
    mine = task_limit.make_group(home, 20)
    assert not left.exists()
    task_limit.sweep(home)
    assert mine.exists()
    task_limit.remove(mine)


@pytest.mark.parametrize("name", ["hub-99999999999999999999-1", "hub-²-1", "hub-999999999"])
def test_groups_of_others_are_left_alone_whatever_they_are_called(name, tmp_path) -> None:
    (tmp_path / name).mkdir()
    task_limit.sweep(tmp_path)
    assert (tmp_path / name).exists()


def test_version_1_counts_below_ones_own_group(tmp_path) -> None:
    told = "9:name=systemd:/\n8:pids:/user/one\n4:cpu,memory:/x\n0::/\n"
    assert task_limit.homes(told, tmp_path) == [tmp_path / "pids" / "user" / "one"]


def test_version_2_counts_beside_ones_own_group_where_it_is_handed_on(tmp_path) -> None:
    parent = tmp_path / "user.slice" / "app.slice"
    (parent / "shell.scope").mkdir(parents=True)
    told = "0::/user.slice/app.slice/shell.scope\n"
    assert task_limit.homes(told, tmp_path) == []
    (parent / "cgroup.subtree_control").write_text("memory\n")
    assert task_limit.homes(told, tmp_path) == []
    (parent / "cgroup.subtree_control").write_text("memory pids\n")
    assert task_limit.homes(told, tmp_path) == [parent]


def test_where_no_group_can_be_made_the_command_stays_as_it_is(monkeypatch) -> None:
    monkeypatch.setattr(task_limit, "available", lambda: None)
    assert task_limit.limiting(20) == []
    assert task_limit.entering([], ["program", "argument"]) == ["program", "argument"]


def test_where_the_system_takes_groups_back_the_command_stays_as_it_is(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(task_limit, "available", lambda: tmp_path / "gone")
    assert task_limit.limiting(20) == []
    assert task_limit.entering([], ["program", "argument"]) == ["program", "argument"]
