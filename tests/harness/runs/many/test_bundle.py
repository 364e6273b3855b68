"""A reference's runs on their way between nodes."""

import io
import zipfile

import pytest

from harness import paths
from harness.contributions.registry import load_reference
from harness.protocol.track import load_track
from harness.runs.many import bundle
from harness.runs.many.bundle import pack, unpack
from harness.runs.many.plan import folders_of, ground_of
from toolkit.core.errors import HubError


def put(run, marks=("row.json", "page.html"), text="here"):
    for name in (*marks, "train/seed-0/delta.safetensors", "train/log.txt"):
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def elsewhere(runs, tmp_path, monkeypatch):
    """A bundle of one run, and another machine's empty runs/."""
    put(runs / "robot" / "reference" / "abc", text="there")
    data = pack([runs / "robot" / "reference" / "abc", runs / "robot" / "reference" / "missing"])
    monkeypatch.setattr(paths, "RUNS", tmp_path / "other")
    return data


def test_a_run_arrives_whole_without_its_logs(elsewhere):
    unpack(elsewhere)
    run = paths.RUNS / "robot" / "reference" / "abc"
    assert sorted(p.name for p in run.rglob("*") if p.is_file()) == [
        "delta.safetensors",
        "page.html",
        "row.json",
    ]
    assert (run / "row.json").read_text() == "there"
    assert [p.name for p in paths.RUNS.iterdir() if p.name.startswith(".bundle")] == []


def test_a_finished_run_that_is_there_stays_and_half_a_run_does_not(elsewhere):
    run = paths.RUNS / "robot" / "reference" / "abc"
    put(run, marks=("row.json",), text="half")
    unpack(elsewhere)
    assert (run / "row.json").read_text() == "there"
    put(run, text="own")
    unpack(elsewhere)
    assert (run / "row.json").read_text() == "own"


def test_what_is_all_there_is_not_unpacked_again(elsewhere, monkeypatch):
    unpack(elsewhere)
    extracted = []
    monkeypatch.setattr(bundle, "extract", lambda files, names: extracted.append(names))
    unpack(elsewhere)
    assert extracted == []
    (paths.RUNS / "robot" / "reference" / "abc" / "page.html").unlink()
    unpack(elsewhere)
    assert len(extracted) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../robot/reference/abc/row.json",
        "/robot/reference/abc/row.json",
        "robot/reference/abc/../../../../row.json",
        "robot/reference/row.json",
        "robot/reference/abc/run.sh",
        "C:/robot/reference/abc/row.json",
    ],
)
def test_what_would_lead_elsewhere_is_refused_before_anything_is_written(runs, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("robot/reference/good/row.json", "{}")
        bundle.writestr(name, "{}")
    with pytest.raises(HubError, match="is no file of a run"):
        unpack(buffer.getvalue())
    assert list(runs.rglob("*.json")) == []


def test_half_a_bundle_is_refused(elsewhere):
    with pytest.raises(HubError, match="did not arrive whole"):
        unpack(elsewhere[: len(elsewhere) // 2])


def test_a_run_with_all_seeds_has_three_folders_and_a_quick_one_has_one():
    track = load_track("robot")
    ground, reference = ground_of(track, "cpu"), load_reference()
    assert len(set(folders_of(ground, reference, None, thorough=True))) == 3
    (quick,) = folders_of(ground, reference, None, thorough=False)
    assert quick in folders_of(ground, reference, None, thorough=True)
    (one,) = folders_of(ground, reference, (0,), thorough=False)
    assert one != quick


def test_a_machine_that_would_compute_something_else_refuses():
    from harness.runs.graph.pool import Pool
    from harness.runs.many.task_course import task_course
    from harness.runs.many.tasks import Task

    task = Task(contribution="Example1", track="robot", seeds=(0,), key="f" * 64)
    result = Pool().run(task_course(task, None), None)
    assert result.status == "error"
    assert result.error.kind == "EnvironmentFault"
    assert "would compute something else" in result.error.what
    assert "the same commit" in result.error.fix


def test_ray_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    import sys

    from harness.runs.many.ray_cluster import connected
    from toolkit.core.errors import EnvironmentFault

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EnvironmentFault, match="Ray is not installed") as error, connected(None):
        pass
    assert "docs/scale.md" in error.value.fix


@pytest.mark.parametrize("bomb", ["one large file", "many files"])
def test_a_bundle_that_grows_is_refused_before_anything_is_written(bomb, runs):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        count, size = (1, 10_000_000) if bomb == "one large file" else (10_001, 0)
        for number in range(count):
            bundle.writestr(f"robot/reference/abc/{number}.json", b"0" * size)
    with pytest.raises(HubError, match="more than it can"):
        unpack(packed.getvalue())
    assert not list(paths.RUNS.rglob("*.json"))
