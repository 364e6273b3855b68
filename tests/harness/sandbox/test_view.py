"""What a child sees, and what it does not."""

import sys
from pathlib import Path

import pytest

from harness import paths
from harness.contributions.registry import load, load_reference
from harness.sandbox.mounts import mounts_of
from harness.sandbox.view import device_nodes, existing, package_paths, view_of
from harness.worker.jobs import TrainJob


def job(out, base):
    return TrainJob(
        contribution=load("Example1"),
        reference=load_reference(),
        base_model=str(base),
        out=out,
        data_dir=paths.TRACKS / "robot" / "train",
        resolution=64,
        steps=1,
        batch_size=1,
        seed=0,
        prompts=("a",),
    )


def sees(view, path):
    return any(Path(path).is_relative_to(shown) for shown in view.readable)


def test_a_job_shows_what_it_names_and_nothing_beside_it(tmp_path):
    view = view_of(job(tmp_path / "out", paths.ROOT / "models" / "tiny-sd"), tmp_path / "out")
    for shown in ("harness/worker/hooks.py", "src/main.py", "CONTRIBUTIONS/Example1/src/main.py"):
        assert sees(view, paths.ROOT / shown)
    assert sees(view, paths.TRACKS / "robot" / "train" / "Images")
    assert sees(view, paths.ROOT / "models" / "tiny-sd" / "unet")
    assert sees(view, sys.executable)
    for hidden in (".git", ".env", "README.md", "leaderboard", "runs", "tests", "registry.toml"):
        assert not sees(view, paths.ROOT / hidden)
    assert not sees(view, paths.TRACKS / "robot" / "heldout")
    assert not sees(view, paths.CONTRIBUTIONS / "Other")
    assert not sees(view, Path("~/.ssh").expanduser())
    assert not sees(view, "/etc/passwd")


def test_a_model_in_a_download_cache_is_shown_with_its_blobs(tmp_path):
    blob = tmp_path / "blobs" / "abc"
    blob.parent.mkdir()
    blob.write_bytes(b"weights")
    model = tmp_path / "snapshots" / "1"
    model.mkdir(parents=True)
    (model / "unet.safetensors").symlink_to(blob)
    assert sees(view_of(job(tmp_path / "out", model), tmp_path / "out"), blob)


def test_every_package_of_the_hub_is_shown_except_those_that_no_child_imports():
    shown = view_of(job(Path("/tmp/out"), paths.ROOT / "models" / "tiny-sd"), Path("/tmp/out"))
    names = {path.relative_to(paths.ROOT).as_posix() for path in shown.project}
    assert {"harness", "src", "toolkit/lora_files", "toolkit/picture_sets"} <= names
    assert not {"tests", "recipes", "toolkit", "toolkit/scrapers"} & names


def test_the_repository_is_hidden_before_its_parts_are_shown(tmp_path):
    out = tmp_path / "out"
    mounts = mounts_of(view_of(job(out, paths.ROOT / "models" / "tiny-sd"), out))
    order = [path for _, path, _ in mounts]
    assert ("tmpfs", str(paths.ROOT)) in [(kind, path) for kind, path, _ in mounts]
    assert order.index(str(paths.ROOT)) < order.index(str(paths.ROOT / "harness"))
    assert [path for kind, path, _ in mounts if kind == "rw"] == [str(out)]


def test_folders_below_another_one_are_shown_once(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert existing([tmp_path / "a" / "b", tmp_path / "a", tmp_path / "no"]) == (tmp_path / "a",)


def test_device_nodes_are_those_of_graphics_cards_only():
    assert all(
        node.name.startswith(("nvidia", "card", "render")) or "nvidia" in str(node)
        for node in device_nodes()
    )


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("place", [".local/bin", "bin"])
def test_a_python_in_the_home_does_not_show_the_home(place, tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / place).mkdir(parents=True)
    link = home / place / "python3"
    link.symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "executable", str(link))
    shown = package_paths()
    assert any(link.is_relative_to(path) for path in shown)
    for hidden in (home / ".ssh", home / ".local" / "share" / "keyrings"):
        assert not any(hidden.is_relative_to(path) for path in shown)
