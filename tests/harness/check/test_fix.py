"""`check --fix` mends what it says, once, and touches nothing else."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from harness.check import check_folder, fix_folder

FIXTURES = Path(__file__).parents[2] / "fixtures" / "check"
CAPTION = "Dataset/ImageCaptions/robot1.txt"


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def spoil(folder):
    (folder / CAPTION).write_bytes(b"\xef\xbb\xbfa sks robot\r\non white\r\n")
    train = folder / "src" / "train.py"
    train.write_bytes(train.read_bytes().replace(b"\n", b"\r\n"))
    train.chmod(0o755)
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._x").write_bytes(b"1")
    (folder / ".DS_Store").write_bytes(b"1")


def test_everything_fixable_is_mended_and_the_rest_untouched(folder, tmp_path):
    before = snapshot(folder)
    spoil(folder)
    mended = fix_folder(folder, root=tmp_path)
    assert {finding.rule for finding in mended} == {"HUB312", "HUB403", "HUB409"}
    assert check_folder(folder, root=tmp_path) == []
    after = snapshot(folder)
    assert (folder / CAPTION).read_bytes() == b"a sks robot on white\n"
    assert after["src/train.py"][0] == before["src/train.py"][0]
    changed = {CAPTION, "src/train.py"}
    assert {k: v for k, v in after.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    assert not (folder / "__MACOSX").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
def test_permissions_are_kept(folder, tmp_path):
    spoil(folder)
    fix_folder(folder, root=tmp_path)
    assert (folder / "src" / "train.py").stat().st_mode & 0o777 == 0o755


def test_second_time_changes_nothing(folder, tmp_path):
    spoil(folder)
    fix_folder(folder, root=tmp_path)
    once = snapshot(folder)
    assert fix_folder(folder, root=tmp_path) == []
    assert snapshot(folder) == once


def test_errors_that_need_thought_are_left_alone(folder, tmp_path):
    (folder / "README.md").write_text("# Clean\n")
    once = snapshot(folder)
    assert fix_folder(folder, root=tmp_path) == []
    assert snapshot(folder) == once


def test_interrupted_write_leaves_the_old_file(folder, tmp_path, monkeypatch):
    spoil(folder)
    (folder / CAPTION).write_text("a sks robot on white\n")
    old = (folder / "src" / "train.py").read_bytes()

    def fail(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        fix_folder(folder, root=tmp_path)
    assert (folder / "src" / "train.py").read_bytes() == old
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_linked_contribution_is_not_mended(folder, tmp_path):
    spoil(folder)
    link = folder.with_name("Link")
    link.symlink_to(folder)
    once = snapshot(folder)
    assert fix_folder(link, root=tmp_path) == []
    assert snapshot(folder) == once


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_nothing_is_written_through_a_link(folder, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"a\r\nb\r\n")
    (folder / "note.txt").symlink_to(outside)
    fix_folder(folder, root=tmp_path)
    assert outside.read_bytes() == b"a\r\nb\r\n"


def test_libraries_by_their_old_names_are_renamed_where_that_is_safe(folder, tmp_path):
    fixture = FIXTURES / "HUB228_old_names" / "folder" / "src" / "train.py"
    shutil.copy(fixture, folder / "src")
    mended = fix_folder(folder, root=tmp_path)
    assert [(finding.rule, finding.line) for finding in mended] == [("HUB228", 4), ("HUB228", 5)]
    text = (folder / "src/train.py").read_text(encoding="utf-8")
    assert "\nimport toolkit.picture_sets.captions as captions\n" in text
    assert "\nfrom toolkit.lora_files.read import read\n" in text
    assert "\nimport lora_files\n" in text  # the file goes on to say lora_files.read
    assert "\nfrom toolkit.picture_sets import layouts\n" in text
    assert fix_folder(folder, root=tmp_path) == []
