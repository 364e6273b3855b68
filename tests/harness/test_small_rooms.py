"""Files, events, results, registry, run keys: the small things everything stands on."""

import json
import math
import os
import subprocess
import sys
import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness import paths
from harness.contributions import registry
from harness.contributions.dependencies import require_installed
from harness.contributions.record import ContributionFile
from harness.errors import CheckError
from harness.protocol import row_files
from harness.protocol.row import Row
from harness.protocol.track import load_track
from harness.runs.folders import finished_row, newest_adapter, prune
from harness.runs.key import run_key
from harness.sandbox.events import EventReader, EventWriter, StepReporter
from tests.harness.support import example_row
from toolkit.core import atomic
from toolkit.core.errors import EnvironmentFault, HubError, ResultFileError, UsageError
from toolkit.core.hashing import content_hash

# --- atomic --------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_writer_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")
    code = (
        "import sys, time; from pathlib import Path; from toolkit.core import atomic\n"
        "with atomic.replacing(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.kill()
    assert path.read_text() == "old"


def test_written_files_are_readable_by_others(tmp_path):
    atomic.write_bytes(tmp_path / "deep" / "a", b"x")
    assert (tmp_path / "deep" / "a").stat().st_mode & 0o777 == 0o644


# --- events --------------------------------------------------------------------------------------


def test_events_arrive_once_and_in_order(tmp_path):
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert list(reader.new()) == []
    with EventWriter(path) as writer:
        writer.phase("one", 0.1)
        assert list(reader.new()) == [("one", 0.1)]
        writer.phase("two", 0.2)
        writer.phase("three", 0.3)
    assert [text for text, _ in reader.new()] == ["two", "three"]
    assert list(reader.new()) == []


def test_a_half_written_line_waits_for_its_end(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"phase": "one", "do')
    reader = EventReader(path)
    assert list(reader.new()) == []
    with path.open("a") as file:
        file.write('ne": 0.5}\n')
    assert list(reader.new()) == [("one", 0.5)]


def test_the_reporter_shows_its_share_of_the_job(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventWriter(path) as writer:
        reporter = StepReporter(writer, "seed 0", steps=10, start=0.2, end=0.6)
        reporter.step(5, 0.25)
        reporter.step(10, math.nan)
    (text, done), (last, end) = EventReader(path).new()
    assert text == "seed 0: step 5/10, loss 0.2500"
    assert done == pytest.approx(0.4)
    assert "nan" in last
    assert end == pytest.approx(0.6)


@given(data=st.binary(max_size=300))
def test_whatever_a_strangers_process_writes_is_survived(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_bytes(data + b"\n")
    for text, done in EventReader(path).new():
        assert len(text) <= 120
        assert 0 <= done <= 1


@pytest.mark.parametrize(
    "line",
    [
        '{"phase": "x", "done": ' + "1" * 400 + "}",
        "[" * 100_000,
        "x" * (2 << 20),
        '{"phase": "\\u001b[2Jboo", "done": 0.5}',
    ],
)
def test_hostile_lines_neither_kill_nor_freeze_the_parent(tmp_path, line):
    path = tmp_path / "events.jsonl"
    path.write_text(line + '\n{"phase": "good", "done": 1.0}\n')
    reader = EventReader(path)
    news = [text for _ in range(4) for text, _ in reader.new()]
    assert news[-1] == "good"
    assert not any("\x1b" in text for text in news)


@given(
    value=st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.none()),
    text=st.text(max_size=300),
)
def test_wild_values_are_brought_into_range(tmp_path_factory, value, text):
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_text(json.dumps({"phase": text, "done": value}) + "\n", encoding="utf-8")
    assert all(0 <= done <= 1 for _, done in EventReader(path).new())


# --- results -------------------------------------------------------------------------------------


def test_a_row_survives_writing_and_reading(tmp_path):
    row = example_row()
    row_files.write_row(tmp_path / "row.json", row)
    assert row_files.read_row(tmp_path / "row.json") == row


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"status":', '"state":', 1),
        lambda text: text.replace('"schema_version": 3', '"schema_version": 1'),
        lambda text: text.replace("0.375", "NaN"),
        lambda text: "",
        lambda text: " " * (1 << 20),
    ],
)
def test_a_damaged_row_is_reported_with_its_file(tmp_path, damage):
    path = tmp_path / "row.json"
    row_files.write_row(path, example_row())
    path.write_text(damage(path.read_text()))
    with pytest.raises(ResultFileError) as caught:
        row_files.read_row(path)
    assert str(path) in str(caught.value)


def test_a_missing_row_is_reported(tmp_path):
    with pytest.raises(ResultFileError):
        row_files.read_row(tmp_path / "row.json")


def test_rows_must_be_complete():
    with pytest.raises(ValueError, match="needs base, scores, verdict and costs"):
        example_row(verdict=None)
    with pytest.raises(ValueError, match="needs an error"):
        example_row(status="failed")
    with pytest.raises(ValueError, match="needs own_pictures and costs"):
        example_row(status="unmergeable")


def test_recorded_rows_come_best_first_and_failed_last(runs):
    error = {"kind": "HookError", "what": "it raised"}
    rows = [
        example_row(contribution="Bad", status="failed", error=error, verdict=None),
        example_row(contribution="Low"),
        example_row(
            contribution="High",
            verdict={**example_row().verdict.model_dump(), "gain": 0.5},
        ),
    ]
    for row in rows:
        row_files.write_row(row_files.recorded_path(row), row)
    assert [row.contribution for row in row_files.recorded_rows("robot")] == ["High", "Low", "Bad"]


def test_only_good_rows_of_this_version_are_reused(tmp_path):
    assert finished_row(tmp_path, "sha256:bb", (0,)) is None
    (tmp_path / "page.html").touch()
    row_files.write_row(tmp_path / "row.json", example_row())
    assert finished_row(tmp_path, "sha256:bb", (0,)) is not None
    assert finished_row(tmp_path, "another reference", (0,)) is None  # its verdict is out of date
    assert finished_row(tmp_path, "sha256:bb", (0, 1)) is None
    error = {"kind": "HookError", "what": "it raised"}
    row_files.write_row(tmp_path / "row.json", example_row(status="failed", error=error))
    assert finished_row(tmp_path, "sha256:bb", (0,)) is None
    (tmp_path / "row.json").write_text("{}")
    assert finished_row(tmp_path, "sha256:bb", (0,)) is None


def test_the_newest_finished_training_is_found_and_old_ones_go(runs, monkeypatch):
    monkeypatch.setattr("harness.runs.folders.KEPT_RUNS", 3)
    folder = runs / "robot" / "Foo"
    for number, name in enumerate(["a", "b", "c", "d", "failed", "unfinished"]):
        seed = folder / name / "train" / "seed-0"
        seed.mkdir(parents=True)
        (seed / "adapter.safetensors").touch()
        if name != "unfinished":
            (seed / "answer.json").write_text("{}")
        if name == "failed":
            error = {"error": {"kind": "HookError", "what": "it raised"}}
            (seed / "answer.json").write_text(json.dumps(error))
        for path in (seed / "adapter.safetensors", folder / name):
            os.utime(path, (1000 + number, 1000 + number))
    assert newest_adapter("robot", "Foo") == folder / "d/train/seed-0/adapter.safetensors"
    prune("robot", "Foo")
    assert sorted(p.name for p in folder.iterdir()) == ["d", "failed", "unfinished"]
    assert newest_adapter("robot", "Nobody") is None


# --- registry ------------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "CONTRIBUTIONS", tmp_path / "CONTRIBUTIONS")
    monkeypatch.setattr(paths, "REGISTRY", tmp_path / "registry.toml")
    for name in ("beta", "Alpha"):
        folder = tmp_path / "CONTRIBUTIONS" / name
        folder.mkdir(parents=True)
        (folder / "contribution.toml").write_text(
            f'name = "{name}"\nauthors = ["a"]\nsummary = "a test contribution"\n'
            'hooks = ["train", "make_lora"]\n'
        )
    return tmp_path


def test_the_registry_is_sorted_and_valid_toml(hub):
    registry.write_registry()
    data = tomllib.loads((hub / "registry.toml").read_text())
    assert list(data) == ["Alpha", "beta"]
    assert data["Alpha"]["hooks"] == ["make_lora", "train"]
    assert registry.registry_is_current()


def test_the_registry_notices_a_changed_folder(hub):
    registry.write_registry()
    (hub / "CONTRIBUTIONS" / "beta" / "settings.txt").write_text("new")
    assert not registry.registry_is_current()


def test_the_registry_is_not_written_over_faults(hub):
    registry.write_registry()
    before = (hub / "registry.toml").read_text()
    for name in ("beta", "Alpha"):
        (hub / "CONTRIBUTIONS" / name / "contribution.toml").write_text("hooks = 1")
    with pytest.raises(CheckError) as caught:
        registry.write_registry()
    assert {finding.path.split("/")[1] for finding in caught.value.findings} == {"beta", "Alpha"}
    assert (hub / "registry.toml").read_text() == before


def test_an_unknown_name_gets_near_ones(hub):
    with pytest.raises(UsageError, match="no contribution named 'Alpa'") as caught:
        registry.load("Alpa")
    assert "Alpha" in str(caught.value)


def test_a_folder_cannot_give_itself_another_name(hub):
    folder = hub / "CONTRIBUTIONS" / "beta"
    text = (folder / "contribution.toml").read_text().replace('"beta"', '"reference"')
    (folder / "contribution.toml").write_text(text)
    with pytest.raises(UsageError, match="says reference"):
        registry.load("beta")


def test_a_name_cannot_lead_out_of_the_repository(hub):
    for name in ("..", "../..", "/etc", ""):
        with pytest.raises(UsageError):
            registry.find_folder(name)


def test_the_content_hash_knows_names_and_bytes_and_leaves_the_readme_out(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "a.py").write_bytes(b"x = 1\n")
    assert content_hash(one) == registry.content_hash(two)
    (two / "src" / "a.py").write_bytes(b"x = 1\r\n")  # a checkout on Windows
    (two / "src" / "__pycache__").mkdir()
    (two / "src" / "__pycache__" / "a.pyc").touch()
    os.utime(two / "src" / "a.py", (1, 1))
    assert content_hash(one) == registry.content_hash(two)
    (two / "README.md").write_text("Words may change without a new run.")
    assert content_hash(one) == registry.content_hash(two)
    (two / "src" / "README.md").write_text("This one may be anything.")
    assert content_hash(one) != registry.content_hash(two)
    (two / "src" / "README.md").unlink()
    (two / "src" / "a.py").rename(two / "src" / "b.py")
    assert content_hash(one) != registry.content_hash(two)


# --- run keys ------------------------------------------------------------------------------------


def test_a_run_key_changes_with_everything_a_figure_depends_on(monkeypatch):
    track = load_track("robot")
    reference = registry.load_reference()
    own = reference.model_copy(
        update={"file": reference.file.model_copy(update={"hooks": ("train",)})}
    )
    keys = {
        run_key(own, reference, track, "cpu"),
        run_key(own, reference, track, "cuda"),
        run_key(own.model_copy(update={"content_hash": "x"}), reference, track, "cpu"),
        run_key(own, reference.model_copy(update={"content_hash": "x"}), track, "cpu"),
    }
    assert len(keys) == 4
    assert run_key(own, reference, track, "cpu") in keys


def test_the_training_of_four_own_hooks_does_not_depend_on_the_reference():
    track, reference = load_track("robot"), registry.load_reference()
    other = reference.model_copy(update={"content_hash": "x"})
    assert run_key(reference, reference, track, "cpu") == run_key(reference, other, track, "cpu")


# --- dependencies --------------------------------------------------------------------------------


def test_missing_packages_are_all_named_with_the_command_that_installs_them():
    reference = registry.load_reference()
    lines = ("pluggy==1.7.0", "pluggy-of-another-kind==1.0", "pydantic==0.1")
    file = reference.file.model_copy(update={"dependencies": lines})
    with pytest.raises(EnvironmentFault, match=r"pydantic==0\.1") as caught:
        require_installed(reference.model_copy(update={"file": file}))
    assert "pip install pluggy-of-another-kind==1.0 pydantic==0.1" in str(caught.value)
    assert "pluggy==1.7.0" not in str(caught.value)
    require_installed(reference)


# --- tracks and errors ---------------------------------------------------------------------------


def test_an_unknown_track_names_the_known_ones():
    with pytest.raises(UsageError, match="robot"):
        load_track("nowhere")


def test_a_track_with_a_misspelt_field_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "robot"
    folder.mkdir()
    source = (paths.TRACKS / "robot" / "track.toml").read_text()
    (folder / "track.toml").write_text(source.replace("timeout_s", "timeout"))
    monkeypatch.setattr(paths, "TRACKS", tmp_path)
    with pytest.raises(UsageError, match="timeout"):
        load_track("robot")


def test_errors_say_what_where_and_how_to_fix():
    error = HubError("It broke.", where="a.py:3", fix="Mend it.")
    assert str(error) == "It broke.\n  at   a.py:3\n  fix  Mend it."


def test_every_error_class_is_in_the_tree_and_in_troubleshooting():
    import harness.errors
    import toolkit.core.errors

    ours = {harness.errors.__name__, toolkit.core.errors.__name__}
    text = (paths.ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")

    def walk(kind):
        yield kind
        for child in kind.__subclasses__():
            # Other packages grow branches of their own, described beside them.
            if child.__module__ in ours:
                yield from walk(child)

    for kind in walk(HubError):
        assert kind.__name__ in (harness.errors.__doc__ or ""), kind
        assert f"`{kind.__name__}`" in text, kind


def test_a_row_is_as_frozen_as_it_looks():
    row = example_row()
    with pytest.raises(ValueError, match="frozen"):
        row.status = "failed"
    assert Row.model_validate_json(row.model_dump_json()) == row
    assert time.strptime(f"{row.created_at:%Y-%m-%d}", "%Y-%m-%d")


def test_a_damaged_row_is_kept_aside_and_stops_nobody_elses_page(runs, capsys):
    folder = row_files.recorded_path(example_row()).parent
    for name in ("Good", "Bad"):
        row = example_row(contribution=name)
        row_files.write_row(row_files.recorded_path(row), row)
    (folder / "Bad.json").write_text('{"schema_version": ')
    assert [row.contribution for row in row_files.recorded_rows("robot")] == ["Good"]
    assert "kept as Bad.json.damaged-1" in capsys.readouterr().err
    assert (folder / "Bad.json.damaged-1").is_file()
    assert [row.contribution for row in row_files.recorded_rows("robot")] == ["Good"]


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\x00", b"[Example1]\n", b"\x00" * 5000])
def test_a_damaged_registry_is_out_of_date_and_written_anew(hub, damage):
    registry.write_registry()
    paths.REGISTRY.write_bytes(damage)
    assert not registry.registry_is_current()
    registry.write_registry()
    assert registry.registry_is_current()


@pytest.mark.parametrize("character", ["\x1b", "\n", "\u202e", "\u200b", "\x9b"])
@pytest.mark.parametrize("field", ["summary", "authors", "license", "links"])
def test_nothing_that_a_terminal_obeys_can_stand_in_a_description(field, character):
    text = f"https://example.org/{character}[2J"
    values = {"name": "Mine", "authors": ("a",), "summary": "A good summary.", "hooks": ("train",)}
    values[field] = (text,) if field in ("authors", "links") else text
    with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X}"):
        ContributionFile(**values)


def test_names_in_any_script_can_stand_in_a_description():
    names = ("می‌خواهم", "क्‍ष", "日本語", "Zoë 👩‍🚀")
    assert ContributionFile(name="Mine", authors=names, summary="A good summary.").authors == names
