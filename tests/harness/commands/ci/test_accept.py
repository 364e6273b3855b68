"""The hand-over from a job that ran strangers' code."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from harness import paths
from harness.commands.ci.accept import MAX_SHEET_BYTES, NOT_RUN, accept
from harness.commands.ci.summary import plain
from harness.commands.cli import main
from harness.contributions import registry
from harness.protocol import row_files
from harness.protocol.confirmation import Confirmation
from harness.protocol.machine import describe_machine
from harness.protocol.track import BOARD_SETS, load_track
from tests.harness.support import example_row


def row_of_example1(**changes):
    now = {
        "contribution": "Example1",
        "content_hash": registry.load("Example1").content_hash,
        "reference_hash": registry.load_reference().content_hash,
        "protocol_hash": load_track("robot").protocol_hash(),
        "origin": "maintainer",
        "machine": describe_machine(1, "bubblewrap"),
    }
    return example_row(**now | changes)


@pytest.fixture
def handed_over(tmp_path, runs):
    folder = tmp_path / "handed" / "row-Example1" / "robot" / "Example1"
    folder.mkdir(parents=True)
    return folder


def handed(folder):
    """The folder of all jobs, from that of one row."""
    return folder.parent.parent.parent


def test_a_good_row_is_recorded_and_its_origin_is_what_the_job_is(handed_over):
    row_files.write_row(handed_over / "row.json", row_of_example1())
    exif = Image.Exif()
    exif[0x010E] = "secret"
    Image.new("RGB", (64, 64), "red").save(handed_over / "sheet.webp", exif=exif)
    assert b"secret" in (handed_over / "sheet.webp").read_bytes()
    rows, refused = accept(handed(handed_over), "ci")
    assert not refused
    assert [row.origin for row in rows] == ["ci"]
    recorded = row_files.read_row(paths.RESULTS / "robot" / "Example1.json")
    assert recorded == rows[0]
    sheet = paths.RESULTS / "robot" / "Example1.webp"
    assert b"secret" not in sheet.read_bytes()
    with Image.open(sheet) as picture:
        assert picture.size == (64, 64)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"contribution": "Other"}, "says it is of 'Other'"),
        ({"track": "../../etc"}, "on '../../etc'"),
        ({"content_hash": "sha256:00"}, "content_hash"),
        ({"reference_hash": "sha256:00"}, "reference_hash"),
        ({"protocol_hash": "sha256:00"}, "protocol_hash"),
    ],
)
def test_a_row_about_something_else_is_refused(handed_over, changes, said):
    row_files.write_row(handed_over / "row.json", row_of_example1(**changes))
    rows, refused = accept(handed(handed_over), "ci")
    assert rows == []
    assert said in str(refused[0])
    assert not list(paths.RESULTS.rglob("*"))


def test_a_row_that_was_not_confirmed_is_refused_where_its_track_provides_sets(
    handed_over, tmp_path, monkeypatch
):
    row_files.write_row(handed_over / "row.json", row_of_example1())
    sets = tmp_path / "sets"
    (sets / "robot" / "exchanged").mkdir(parents=True)
    monkeypatch.setenv(BOARD_SETS, str(sets))
    rows, refused = accept(handed(handed_over), "ci")
    assert rows == []
    assert "was not confirmed on the sets" in str(refused[0])
    confirmed = row_of_example1(confirmation=Confirmation(of_the_board=True))
    row_files.write_row(handed_over / "row.json", confirmed)
    rows, refused = accept(handed(handed_over), "ci")
    assert (len(rows), refused) == (1, [])


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"schema_version": 1, "extra": 1}'])
def test_what_is_no_row_is_refused(handed_over, text):
    (handed_over / "row.json").write_text(text, encoding="utf-8")
    rows, refused = accept(handed(handed_over), "ci")
    assert rows == []
    assert len(refused) == 1


def test_a_linked_row_is_refused(handed_over, tmp_path):
    row_files.write_row(tmp_path / "elsewhere.json", row_of_example1())
    (handed_over / "row.json").symlink_to(tmp_path / "elsewhere.json")
    assert accept(handed(handed_over), "ci")[0] == []


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)>", b"\0" * (MAX_SHEET_BYTES + 1)])
def test_a_sheet_that_is_no_picture_stops_its_row(handed_over, data):
    row_files.write_row(handed_over / "row.json", row_of_example1())
    (handed_over / "sheet.webp").write_bytes(data)
    rows, refused = accept(handed(handed_over), "ci")
    assert rows == []
    assert len(refused) == 1
    assert not list(paths.RESULTS.rglob("*.json"))


def test_a_name_that_the_hub_does_not_know_is_never_looked_at(handed_over):
    folder = handed_over.parent / "Stranger"
    folder.mkdir()
    row_files.write_row(folder / "row.json", row_of_example1(contribution="Stranger"))
    assert accept(handed(handed_over), "ci") == ([], [])


def test_the_command_keeps_the_accepted_rows_apart_for_the_attestation(
    handed_over, tmp_path, monkeypatch
):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setattr(paths, "REGISTRY", tmp_path / "registry.toml")
    row_files.write_row(handed_over / "row.json", row_of_example1())
    assert main(["ci", "accept", str(handed(handed_over))]) == 0
    kept = paths.RUNS / "ci" / "accepted" / "robot" / "Example1.json"
    assert kept.read_bytes() == (paths.RESULTS / "robot" / "Example1.json").read_bytes()
    assert (tmp_path / "output").read_text() == "accepted=1\n"
    assert (tmp_path / "registry.toml").is_file()
    (handed_over / "row.json").write_text("{}", encoding="utf-8")
    assert main(["ci", "accept", str(handed(handed_over))]) == 1


def test_a_job_speaks_for_its_own_contribution_alone(handed_over):
    # The job of Example1 hands over a row about somebody else, which is there and complete.
    other = handed_over.parent / "DoRA"
    other.mkdir()
    content = registry.load("DoRA").content_hash
    row_files.write_row(
        other / "row.json", row_of_example1(contribution="DoRA", content_hash=content)
    )
    assert accept(handed(handed_over), "ci") == ([], [])


def test_a_good_row_is_taken_when_another_is_refused(handed_over, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "REGISTRY", tmp_path / "registry.toml")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    row_files.write_row(handed_over / "row.json", row_of_example1())
    bad = handed(handed_over) / "row-DoRA" / "robot" / "DoRA"
    bad.mkdir(parents=True)
    (bad / "row.json").write_text("{}", encoding="utf-8")
    assert main(["ci", "accept", str(handed(handed_over))]) == 1
    assert [path.name for path in paths.RESULTS.rglob("*.json")] == ["Example1.json"]
    page = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "Example1 on robot" in page
    assert page.count("### A row was refused") == 1
    assert plain(str(bad / "row.json")) in page


def test_a_row_from_a_runner_without_the_isolation_is_refused(handed_over):
    machine = describe_machine(1, "process")
    row_files.write_row(handed_over / "row.json", row_of_example1(machine=machine))
    rows, refused = accept(handed(handed_over), "ci")
    assert rows == []
    assert "measured in 'process', not in 'bubblewrap'" in str(refused[0])
    assert len(accept(handed(handed_over), "maintainer")[0]) == 1


@pytest.mark.parametrize(("status", "taken"), [("failed", 1), ("ok", 0)])
def test_only_a_failure_before_training_needs_no_isolation(handed_over, status, taken):
    changes = {"machine": describe_machine(1, NOT_RUN), "status": status}
    if status == "failed":
        error = {"kind": "ContractError", "what": "The gate found errors."}
        changes |= {"error": error, "scores": (), "verdict": None}
    row_files.write_row(handed_over / "row.json", row_of_example1(**changes))
    assert len(accept(handed(handed_over), "ci")[0]) == taken


def test_a_row_without_pictures_takes_the_old_ones_away(handed_over):
    row_files.write_row(handed_over / "row.json", row_of_example1())
    Image.new("RGB", (64, 64), "red").save(handed_over / "sheet.webp")
    accept(handed(handed_over), "ci")
    sheet = paths.RESULTS / "robot" / "Example1.webp"
    assert sheet.is_file()
    (handed_over / "sheet.webp").unlink()
    accept(handed(handed_over), "ci")
    assert not sheet.exists()


def test_a_control_is_taken_over_too(tmp_path, runs):
    name = registry.control_names()[0]
    folder = tmp_path / "handed" / f"row-{name}" / "robot" / name
    now = registry.load_control(name).content_hash
    row = row_of_example1(contribution=name, content_hash=now, control=True)
    row_files.write_row(folder / "row.json", row)
    rows, refused = accept(tmp_path / "handed", "ci")
    assert not refused
    assert [row.contribution for row in rows] == [name]


def test_what_is_said_about_a_bad_row_steers_no_terminal_and_no_runner(handed_over):
    hostile = "\x1b[2J\n::add-mask::x" + "y" * 5000
    whole = json.loads(row_of_example1().model_dump_json()) | {hostile: 1}
    (handed_over / "row.json").write_text(json.dumps(whole), encoding="utf-8")
    _, [error] = accept(handed(handed_over), "ci")
    assert "add-mask" in error.what
    assert "\x1b" not in error.what
    assert "\n" not in error.what
    assert len(error.what) <= 500
