"""What the board's process understands of its tasks' processes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.many.local import Running, hear
from harness.runs.many.queue import Planned
from harness.runs.many.tasks import Task, TaskResult


class Heard:
    """A listener that remembers news."""

    def __init__(self):
        self.said = []

    def news(self, task, done, text):
        self.said.append((task.label, done, text))


def running():
    planned = Planned(Task(contribution="Foo", track="robot"), seeds=1, seconds=None)
    return Running(planned, process=None, log=Path("log"))


def result():
    return TaskResult(contribution="Foo", track="robot", status="error", seconds=1.0)


def test_news_and_the_result_are_understood():
    one, heard = running(), Heard()
    hear(one, json.dumps({"news": {"done": 0.5, "label": "train", "text": "5 of 10"}}), heard)
    hear(one, json.dumps({"result": result().model_dump(mode="json")}), heard)
    assert heard.said == [("Foo on robot", 0.5, "train: 5 of 10")]
    assert one.result == result()


@pytest.mark.parametrize("at", [1, 10, 40])
def test_a_line_that_was_cut_when_its_process_was_killed_is_no_result_and_stops_nobody(at):
    one, heard = running(), Heard()
    line = json.dumps({"result": result().model_dump(mode="json")})
    hear(one, line[:-at], heard)
    assert one.result is None


@given(st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.lists(inner)))
def test_whatever_else_is_written_there_says_nothing(document):
    one, heard = running(), Heard()
    hear(one, json.dumps(document), heard)
    hear(one, json.dumps({"news": document}), heard)
    assert (one.result, heard.said) == (None, [])
