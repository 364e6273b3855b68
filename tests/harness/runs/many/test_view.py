"""What is told about a board under way."""

import io

from rich.console import Console

from harness.runs.many import estimates
from harness.runs.many.queue import Planned
from harness.runs.many.tasks import Task, TaskResult, not_run
from harness.runs.many.view import Account, LiveView, clock, create_view, outcome
from tests.harness.support import example_row


def planned(name, seconds=None):
    return Planned(Task(contribution=name, track="robot"), seeds=1, seconds=seconds)


def ended(name, status="ok", **rest):
    return TaskResult(contribution=name, track="robot", status=status, **rest)


def shown(console):
    return console.file.getvalue()


def plain():
    return Console(file=io.StringIO(), width=200)


def test_a_clock_shows_hours_only_when_there_are_some():
    assert clock(62.4) == "1:02"
    assert clock(2 * 3600 + 5) == "2:00:05"


def test_time_left_is_that_of_the_rest_over_the_processes_in_the_measure_of_what_ended():
    account = Account([planned("A", 100), planned("B", 100), planned("C", 40)], jobs=2)
    assert account.seconds_left == 120  # 240 s over two processes
    account.start(planned("A", 100))
    account.end(ended("A", seconds=50))  # twice as fast as expected
    assert account.seconds_left == 50  # B alone takes half of 100


def test_nobody_knows_the_time_left_of_a_board_that_was_never_run():
    account = Account([planned("A"), planned("B")], jobs=1)
    assert account.seconds_left is None
    assert account.summary() == "0 of 2 done, 0 running, 2 queued"


def test_a_pipe_gets_a_line_per_start_and_end_and_no_escape_codes():
    console = plain()
    account = Account([planned("A", 5), planned("B", 5)], jobs=1)
    with create_view(console, account) as view:
        view.started(planned("A", 5))
        view.news(Task(contribution="A", track="robot"), 0.5, "[bold]training")
        view.ended(ended("A", seconds=6, row=example_row(contribution="A")))
        view.ended(not_run(Task(contribution="B", track="robot"), "The reference failed."))
    lines = shown(console).splitlines()
    assert lines[1] == "A on robot: started"
    assert lines[2].startswith("A on robot: gain 37.5%, no clear difference after 0:06 (1 of 2")
    assert lines[3].startswith("B on robot: not run: The reference failed. (2 of 2 done, 1 failed")
    assert "\x1b" not in shown(console)


def test_a_terminal_gets_a_table_of_what_runs_and_what_comes_next():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    account = Account([planned("A", 5), planned("B", 5)], jobs=1)
    view = create_view(console, account)
    assert isinstance(view, LiveView)
    view.started(planned("A", 5))
    view.news(Task(contribution="A", track="robot"), 0.5, "A: seed 0 [red]")
    console.print(view.table())
    text = shown(console)
    assert "A: seed 0 [red]" in text  # a stranger's text is no markup
    assert "next: B on robot" in text
    assert "1 running, 1 queued" in text


def test_an_outcome_says_what_became_of_a_task():
    assert outcome(ended("A", reused=True)) == "nothing has changed"
    assert outcome(ended("A", "unmergeable")) == "unmergeable"


def test_only_what_was_really_run_teaches_how_long_tasks_take(runs):
    task = Task(contribution="A", track="robot")
    estimates.keep_seconds([(task, 3, ended("A", seconds=12.34))])
    estimates.keep_seconds([(task, 3, ended("A", seconds=1, reused=True))])
    estimates.keep_seconds([(task, 3, ended("A", "failed", seconds=2))])
    kept = estimates.read_seconds()
    assert estimates.estimate(task, 3, kept, None) == 12.3
    assert estimates.estimate(task, 5, kept, None) is None


def test_a_recorded_row_teaches_where_nothing_was_run_here(runs):
    task = Task(contribution="A", track="robot")
    row = example_row(contribution="A")  # one seed, 20 s of its worker
    assert estimates.estimate(task, 5, {}, row) == 5 * 20 * estimates.BESIDES_TRAINING
    assert estimates.estimate(task, 5, {}, row, 2) == 7 * 20 * estimates.BESIDES_TRAINING
    cuda = task.model_copy(update={"device": "cuda"})
    assert estimates.estimate(cuda, 5, {}, row) is None  # measured on another kind of device


def test_a_damaged_file_of_seconds_is_no_obstacle(runs):
    runs.mkdir()
    estimates.seconds_file().write_text("[1, 2")
    assert estimates.read_seconds() == {}
