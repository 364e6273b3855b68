"""Rows that come home, and boards that are merged."""

import base64
import json

import pytest

from harness import paths
from harness.protocol import row_files
from harness.runs.many.store import collect, store
from harness.runs.many.tasks import Task, TaskResult, accept
from tests.harness.support import example_row
from toolkit.core.errors import UsageError

NEWER = "2026-11-23T12:00:00Z"


def put(folder, name="Foo", track="robot", **changes):
    row = example_row(contribution=name, track=track, **changes)
    path = folder / track / f"{name}.json"
    row_files.write_row(path, row)
    return path


def test_rows_of_two_machines_become_one_board_in_either_order(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    put(one, "A"), put(two, "B"), put(one, "C"), put(two, "C", created_at=NEWER)
    (one / "robot" / "A.webp").write_bytes(b"picture")
    boards = []
    for number, order in enumerate(([one, two], [two, one])):
        board = tmp_path / f"board{number}"
        collect(order, board)
        boards.append({p.name: p.read_bytes() for p in sorted((board / "robot").iterdir())})
    assert boards[0] == boards[1]
    assert sorted(boards[0]) == ["A.json", "A.webp", "B.json", "C.json"]
    assert NEWER[:10] in boards[0]["C.json"].decode()


def test_merging_twice_changes_nothing(tmp_path):
    put(tmp_path / "one", "A")
    first = collect([tmp_path / "one"], tmp_path / "board")
    again = collect([tmp_path / "one"], tmp_path / "board")
    assert (first.taken, first.known) == (("A on robot",), ())
    assert (again.taken, again.known) == ((), ("A on robot",))


def test_what_is_no_row_of_this_hub_is_refused_and_stops_nobody(tmp_path):
    one = tmp_path / "one"
    put(one, "Good")
    put(one, "Impostor").rename(one / "robot" / "Winner.json")
    put(one, "Elsewhere", track="nowhere")
    (one / "robot" / "Damaged.json").write_text('{"schema_version": 2')
    (one / "robot" / "Link.json").symlink_to(one / "robot" / "Good.json")
    merged = collect([one], tmp_path / "board")
    assert merged.taken == ("Good on robot",)
    reasons = " ".join(merged.refused.values())
    assert len(merged.refused) == 4
    for part in ("about Impostor on robot", "no such track", "damaged", "a link"):
        assert part in reasons
    assert [p.name for p in (tmp_path / "board").rglob("*.json")] == ["Good.json"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        collect([tmp_path / "nowhere"], tmp_path / "board")


def test_a_result_is_stored_with_its_pictures(tmp_path):
    row = example_row(contribution="A")
    result = TaskResult(
        contribution="A", track="robot", status="ok", row=row, sheet=base64.b64encode(b"RIFF")
    )
    home = accept(Task(contribution="A", track="robot"), result.model_dump_json())
    assert store(home, tmp_path) == tmp_path / "robot" / "A.json"
    assert row_files.read_row(tmp_path / "robot" / "A.json") == row
    assert (tmp_path / "robot" / "A.webp").read_bytes() == b"RIFF"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"contribution": "B", "track": "robot", "status": "ok"}',
        json.dumps(
            {
                "contribution": "A",
                "track": "robot",
                "status": "ok",
                "row": example_row(contribution="../../escape").model_dump(mode="json"),
            }
        ),
    ],
)
def test_what_a_machine_was_not_asked_for_is_a_fault_and_never_a_row(text, tmp_path):
    result = accept(Task(contribution="A", track="robot"), text)
    assert result.status == "error"
    assert "no result" in result.error.what
    assert store(result, tmp_path) is None
    assert not list(tmp_path.rglob("*"))


def test_the_command_says_what_it_took_and_fails_when_it_refused(tmp_path, runs, capsys):
    from harness.commands.cli import main

    put(tmp_path / "one", "A")
    assert main(["collect", str(tmp_path / "one")]) == 0
    assert "A on robot: taken" in capsys.readouterr().out
    assert (paths.RESULTS / "robot" / "A.json").is_file()
    (tmp_path / "one" / "robot" / "B.json").write_text("no row")
    assert main(["collect", str(tmp_path / "one")]) == 1
    out = capsys.readouterr().out
    assert "0 rows taken, 1 known already, 1 refused." in out


def test_each_row_is_stored_as_it_ends(tmp_path):
    from harness.runs.many.listener import Storing

    class Heard:
        def __init__(self):
            self.rows = []

        def ended(self, result):
            self.rows.append((result.label, sorted(p.name for p in tmp_path.rglob("*.json"))))

    heard = Heard()
    storing = Storing(heard, tmp_path)
    for name in ("A", "B"):
        row = example_row(contribution=name)
        storing.ended(TaskResult(contribution=name, track="robot", status="ok", row=row))
    assert heard.rows == [("A on robot", ["A.json"]), ("B on robot", ["A.json", "B.json"])]


HOSTILE = "\x1b[2J\n::add-mask::x" + "y" * 5000


def harmless(text):
    return "add-mask" in text and not {"\x1b", "\n"} & set(text) and len(text) < 600


def test_what_is_said_about_an_answer_steers_no_terminal():
    text = json.dumps({"contribution": "A", "track": "robot", "status": "ok", HOSTILE: 1})
    assert harmless(accept(Task(contribution="A", track="robot"), text).error.what)


def test_what_is_said_about_a_row_steers_no_terminal(tmp_path):
    path = put(tmp_path / "one", "A")
    path.write_text(json.dumps(json.loads(path.read_text()) | {HOSTILE: 1}))
    [said] = collect([tmp_path / "one"], tmp_path / "board").refused.values()
    assert harmless(said)


def test_a_sheet_that_is_a_link_is_not_published(tmp_path):
    put(tmp_path / "one", "A")
    (tmp_path / "secret").write_text("private")
    (tmp_path / "one" / "robot" / "A.webp").symlink_to(tmp_path / "secret")
    assert collect([tmp_path / "one"], tmp_path / "board").taken == ("A on robot",)
    assert not (tmp_path / "board" / "robot" / "A.webp").exists()
