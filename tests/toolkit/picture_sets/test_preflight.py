"""preflight.py: everything that is wrong is said at once, with the file and what to do."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.toolkit.picture_sets.zoo import fill, huge_png, scene
from toolkit.core.errors import DataSetError
from toolkit.core.settings import DatasetConfig
from toolkit.picture_sets.examine import examine
from toolkit.picture_sets.preflight import check_folder, preflight

GOOD = {f"good{i}.png": f"a sks lamp, view {i}" for i in range(5)}


@pytest.fixture
def folder(tmp_path):
    """Five pictures that nobody could complain about."""
    return fill(tmp_path / "photos", GOOD)


def check(folder, resolution=64, **settings):
    return check_folder(folder, resolution, DatasetConfig(**settings))


def kinds(report):
    return [problem.kind for problem in report.problems]


def only(report, kind):
    found = [problem for problem in report.problems if problem.kind == kind]
    assert len(found) == 1, kinds(report)
    assert found[0].message
    assert found[0].fix
    return found[0]


def test_good_pictures_are_ready(folder, capsys):
    report = preflight(folder, 64)
    assert (report.problems, report.errors, len(report.facts)) == ((), 0, 5)
    assert capsys.readouterr().err == ""


def test_all_that_is_wrong_is_found_in_one_go(folder):
    scene(50).save(folder / "nocaption.png")
    (folder / "broken.png").write_bytes((folder / "good0.png").read_bytes()[:900])
    (folder / "broken.txt").write_text("a broken lamp")
    (folder / "bomb.png").write_bytes(huge_png(20000, 20000))
    (folder / "bomb.txt").write_bytes("grün".encode("latin-1"))
    (folder / "orphan.txt").write_text("nobody's")
    (folder / "empty.txt").write_text(" \n")
    scene(51).save(folder / "empty.png")
    scene(52, (300, 90)).save(folder / "wide.png")
    (folder / "wide.txt").write_text("a wide lamp")
    report = check(folder)
    errors = sorted((p.kind, p.path.name) for p in report.problems if p.severity == "error")
    hints = sorted((p.kind, p.path.name) for p in report.problems if p.severity == "hint")
    assert errors == [
        ("caption-missing", "nocaption.png"),
        ("caption-unreadable", "bomb.txt"),
        ("unreadable", "bomb.png"),
        ("unreadable", "broken.png"),
    ]
    assert hints == [
        ("caption-empty", "empty.png"),
        ("orphan", "orphan.txt"),
        ("shape", "wide.png"),
    ]
    assert report.errors == 4
    severities = [problem.severity for problem in report.problems]
    assert severities == sorted(severities)  # errors come first
    with pytest.raises(DataSetError, match=r"4 things(.|\n)*bomb\.png cannot(.|\n)*broken\.png"):
        preflight(folder, 64)


def test_one_error_is_told_with_its_place_and_remedy(folder):
    (folder / "good3.png").write_bytes(b"hello")
    with pytest.raises(DataSetError) as caught:
        preflight(folder, 64)
    assert caught.value.where == str(folder / "good3.png")
    assert "save it again" in caught.value.fix
    assert isinstance(caught.value, ValueError)


def test_hints_are_printed_and_do_not_stop(folder, capsys):
    (folder / "orphan.txt").write_text("x")
    assert preflight(folder, 64).errors == 0
    assert "hint: orphan.txt belongs to no picture." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "resolution", "buckets", "severity", "words"),
    [
        ((48, 48), 64, False, "hint", "48x48 pixels and would be enlarged 1.3 times"),
        ((1, 1), 64, False, "error", "enlarged 64.0 times"),
        ((400, 300), 512, False, "hint", "enlarged 1.7 times"),
        ((40, 128), 64, True, None, ""),
        ((40, 128), 64, False, "hint", "enlarged 1.6 times"),
        ((60, 60), 64, False, None, ""),
    ],
)
def test_small_pictures(folder, size, resolution, buckets, severity, words):
    scene_or_dot = Image.new("RGB", size, "red") if size == (1, 1) else scene(60, size)
    scene_or_dot.save(folder / "x.png")
    (folder / "x.txt").write_text("a small lamp")
    report = check(folder, resolution, buckets=buckets)
    found = [p for p in report.problems if p.kind == "small" and p.path.name == "x.png"]
    assert [p.severity for p in found] == ([severity] if severity else [])
    assert all(words in p.message for p in found)


def test_extreme_shapes_and_what_buckets_do_about_them(folder):
    scene(61, (220, 100)).save(folder / "x.png")
    (folder / "x.txt").write_text("a wide lamp")
    problem = only(check(folder), "shape")
    assert "220x100: 55% of it would be cut off" in problem.message
    assert "buckets" in problem.fix
    assert "shape" not in kinds(check(folder, buckets=True))
    scene(61, (900, 100)).save(folder / "x.png")
    assert "buckets" not in only(check(folder, buckets=True), "shape").fix


def test_animations_blank_pictures_and_copies(folder):
    frames = [scene(70), scene(71), scene(72)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    (folder / "film.txt").write_text("a film")
    Image.new("RGB", (80, 80), "grey").save(folder / "blank.png")
    (folder / "blank.txt").write_text("nothing")
    (folder / "twin.png").write_bytes((folder / "good1.png").read_bytes())
    (folder / "twin.txt").write_text("a twin")
    scene(2).resize((150, 125)).save(folder / "bigger.jpg", quality=60)
    (folder / "bigger.txt").write_text("nearly a twin")
    report = check(folder)
    assert "3 frames" in only(report, "animated").message
    assert only(report, "blank").path.name == "blank.png"
    twins = only(report, "duplicate")
    assert {p.name for p in (twins.path, *twins.others)} == {"good1.png", "twin.png"}
    near = only(report, "near-duplicate")
    assert {p.name for p in (near.path, *near.others)} == {"good2.png", "bigger.jpg"}
    assert report.errors == 0


def test_captions_that_are_equal_too_long_or_empty(folder):
    for i in range(3):
        (folder / f"good{i}.txt").write_text("a sks lamp")
    (folder / "good3.txt").write_text("very " * 90)
    (folder / "good4.txt").write_text("")
    report = check(folder)
    twice = only(report, "caption-twice")
    assert '3 pictures have the caption "a sks lamp"' in twice.message
    assert "92 tokens; only 77 are read" in only(report, "caption-long").message
    assert only(report, "caption-empty").path.name == "good4.png"
    # With a trigger word an empty caption says something.
    assert "caption-empty" not in kinds(check(folder, trigger_word="sks lamp"))


def test_the_trigger_word_counts_among_the_tokens(folder):
    (folder / "good3.txt").write_text("very " * 75)
    assert "caption-long" not in kinds(check(folder))
    assert "79 tokens" in only(check(folder, trigger_word="sks"), "caption-long").message


def test_shuffling_that_changes_nothing(folder):
    assert "shuffle-idle" not in kinds(check(folder, shuffle_captions=True))
    assert only(check(folder, shuffle_captions=True, keep_tokens=1), "shuffle-idle")


def test_too_few_pictures(tmp_path):
    report = check(fill(tmp_path, {"a.png": "one"}))
    assert "There is 1 picture;" in only(report, "few").message


def test_too_many_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.picture_sets.preflight.MANY", 6)
    report = check(fill(tmp_path, {f"a{i}.png": f"lamp {i}" for i in range(7)}))
    assert "There are 7 pictures" in only(report, "many").message


def test_items_count_repeats_and_mirror_images(folder):
    assert check(folder, repeats=3, flip=True).items == 30


def test_words_count_captions_and_not_occurrences(tmp_path):
    report = check(fill(tmp_path, {"a.png": "A robot, a robot!", "b.png": "robot."}))
    assert report.words() == [("robot", 2), ("a", 1)]


def test_progress_hears_of_every_picture(folder):
    seen = []
    check_folder(folder, 64, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]


def test_an_interruption_stops_the_looking(folder):
    def interrupt(done, total):
        raise KeyboardInterrupt

    from toolkit.picture_sets.layouts import read_folder

    with pytest.raises(KeyboardInterrupt):
        examine(read_folder(folder).pictures, progress=interrupt)
