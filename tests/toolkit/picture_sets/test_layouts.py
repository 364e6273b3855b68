"""layouts.py and metadata.py: pictures find their captions, and nothing is lost without a word."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.toolkit.picture_sets.zoo import fill, scene
from toolkit.core.errors import DataSetError
from toolkit.picture_sets.layouts import read_folder
from toolkit.picture_sets.metadata import read_entry
from toolkit.picture_sets.problems import refuse_errors


def captions(found):
    return {p.path.relative_to(found.folder).as_posix(): p.caption for p in found.pictures}


def kinds(found):
    return [(problem.severity, problem.kind) for problem in found.problems]


def write_metadata(folder, *entries, head=b"", end=b"\n"):
    lines = [
        e if isinstance(e, bytes) else json.dumps(e, ensure_ascii=False).encode() for e in entries
    ]
    (folder / "metadata.jsonl").write_bytes(head + end.join(lines) + end)


def test_the_layout_of_the_hub(tmp_path):
    fill(tmp_path / "Images", {"b.PNG": None, "a ü.jpg": None})
    (tmp_path / "ImageCaptions").mkdir()
    (tmp_path / "ImageCaptions" / "a ü.txt").write_text("first", encoding="utf-8")
    (tmp_path / "ImageCaptions" / "b.txt").write_text("second")
    found = read_folder(tmp_path)
    assert (found.layout, found.problems) == ("images", ())
    assert captions(found) == {"Images/a ü.jpg": "first", "Images/b.PNG": "second"}
    assert found.pictures[0].caption_at == "ImageCaptions/a ü.txt"


def test_captions_beside_pictures(tmp_path):
    fill(tmp_path, {"a.png": "one", "b.jpeg": "two"})
    found = read_folder(tmp_path)
    assert (found.layout, found.problems) == ("sidecars", ())
    assert captions(found) == {"a.png": "one", "b.jpeg": "two"}


def test_captions_beside_pictures_inside_images(tmp_path):
    fill(tmp_path / "Images", {"a.png": "one"})
    found = read_folder(tmp_path)
    assert (found.layout, captions(found)) == ("sidecars", {"Images/a.png": "one"})


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf"])
def test_metadata_as_hugging_face_has_it(tmp_path, head, end):
    fill(tmp_path / "deep er", {"c.png": None})
    fill(tmp_path, {"a.png": None, "b.webp": None}, 5)
    write_metadata(
        tmp_path,
        {"file_name": "b.webp", "text": "two\nlines", "more": [1]},
        {"file_name": "a.png", "caption": "ünï 🤖 \u2028 x"},
        {"file_name": "deep er\\c.png", "text": ""},
        head=head,
        end=end,
    )
    found = read_folder(tmp_path)
    assert (found.layout, found.problems) == ("metadata", ())
    assert captions(found) == {"a.png": "ünï 🤖 x", "b.webp": "two lines", "deep er/c.png": ""}


def test_caption_files_win_over_metadata(tmp_path):
    fill(tmp_path / "Images", {"a.png": None})
    write_metadata(tmp_path, {"file_name": "Images/a.png", "text": "from metadata"})
    assert captions(read_folder(tmp_path)) == {"Images/a.png": "from metadata"}
    (tmp_path / "ImageCaptions").mkdir()
    (tmp_path / "ImageCaptions" / "a.txt").write_text("edited since")
    assert captions(read_folder(tmp_path)) == {"Images/a.png": "edited since"}


@pytest.mark.parametrize("below", ["", "Images"])
def test_pictures_alone_need_a_trigger_word(tmp_path, below):
    fill(tmp_path / below, {"a.png": None, "b.png": None})
    found = read_folder(tmp_path)
    assert kinds(found) == [("error", "captions-none")]
    assert "trigger_word" in found.problems[0].fix
    found = read_folder(tmp_path, trigger_word="sks robot")
    assert (found.layout, found.problems, len(found.pictures)) == ("pictures", (), 2)


def test_what_systems_leave_behind_is_passed_over(tmp_path):
    fill(tmp_path, {"a.png": "one"})
    for name in (".DS_Store", "._a.png", "Thumbs.db", "desktop.ini", ".a.txt"):
        (tmp_path / name).write_bytes(b"junk")
    for name in (".ipynb_checkpoints", "__MACOSX"):
        fill(tmp_path / name, {"a-checkpoint.png": "x"})
    (tmp_path / "folder.png").mkdir()
    found = read_folder(tmp_path)
    assert (captions(found), found.problems) == ({"a.png": "one"}, ())


def test_every_missing_caption_and_orphan_is_named(tmp_path):
    fill(tmp_path, {"a.png": "one", "b.png": None, "c.png": None})
    (tmp_path / "d.txt").write_text("nobody's")
    found = read_folder(tmp_path)
    assert kinds(found) == [
        ("error", "caption-missing"),
        ("error", "caption-missing"),
        ("hint", "orphan"),
    ]
    assert [problem.path.name for problem in found.problems] == ["b.png", "c.png", "d.txt"]
    with pytest.raises(DataSetError, match=r"2 things(.|\n)*b\.png has(.|\n)*c\.png has"):
        refuse_errors(found.problems, tmp_path)


def test_more_errors_than_anybody_reads_are_counted(tmp_path):
    fill(tmp_path, {"a.png": "one", **{f"b{i}.png": None for i in range(25)}})
    with pytest.raises(DataSetError, match=r"25 things(.|\n)*and 5 more(.|\n)*nox -s dataset"):
        refuse_errors(read_folder(tmp_path).problems, tmp_path)


def test_two_pictures_cannot_share_a_caption(tmp_path):
    fill(tmp_path, {"a.png": "one", "a.jpg": None, "b.png": "two"})
    found = read_folder(tmp_path)
    assert kinds(found) == [("error", "same-stem")]
    assert "a.jpg, a.png would share" in found.problems[0].message


@pytest.mark.parametrize(("picture", "caption"), [("IMG_1.JPG", "img_1.txt"), ("ü.png", "ü.TXT")])
def test_names_that_look_the_same_belong_together(tmp_path, picture, caption):
    scene(1).save(tmp_path / unicodedata.normalize("NFC", picture))
    (tmp_path / unicodedata.normalize("NFD", caption)).write_text("found")
    assert list(captions(read_folder(tmp_path)).values()) == ["found"]


def test_pictures_in_deeper_folders_are_not_used_without_a_word(tmp_path):
    fill(tmp_path, {"a.png": "one"})
    fill(tmp_path / "more", {"b.png": "two", "c.png": "three"}, 5)
    found = read_folder(tmp_path)
    assert kinds(found) == [("hint", "nested")]
    assert "2 pictures in more are not used" in found.problems[0].message


def test_an_empty_folder_says_where_the_pictures_are(tmp_path):
    assert kinds(read_folder(tmp_path)) == [("error", "no-pictures")]
    fill(tmp_path / "reg" / "10_robot", {"b.png": "two"})
    found = read_folder(tmp_path)
    assert str(tmp_path / "reg" / "10_robot") in found.problems[-1].fix


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataSetError, match=r"There is no folder .*nowhere"):
        read_folder(tmp_path / "nowhere")


def test_formats_that_nothing_here_reads_are_mentioned(tmp_path):
    fill(tmp_path, {"a.png": "one"})
    (tmp_path / "IMG_2.HEIC").write_bytes(b"x")
    found = read_folder(tmp_path)
    assert kinds(found) == [("hint", "format-unknown")]
    assert "IMG_2.HEIC" in found.problems[0].message


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'["a.png"]', "is a list, not an object"),
        (b'{"text": "a"}', 'has no "file_name"'),
        (b'{"file_name": 3, "text": "a"}', 'has no "file_name"'),
        (b'{"file_name": "a.png"}', 'has no "text"'),
        (b'{"file_name": "a.png", "text": ["a"]}', "is not text"),
        (b'{"file_name": "gone.png", "text": "a"}', "is not there"),
        (b'{"file_name": "notes.md", "text": "a"}', "is no picture"),
        (b'{"file_name": "../a.png", "text": "a"}', "outside the folder"),
        (b'{"file_name": "/etc/a.png", "text": "a"}', "outside the folder"),
        (b'{"file_name": "C:\\\\a.png", "text": "a"}', "outside the folder"),
        (b'{"file_name": "a\\u0000.png", "text": "a"}', "outside the folder"),
        (b'{"file_name": "link.png", "text": "a"}', "leads outside"),
        (b'{"file_name": "%s.png", "text": "a"}' % (b"a" * 5000), "is not there"),
        (b'{"file_name": "./a.png", "text": "a"}', "names a.png again"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path, line, fault):
    outside = scene(9)
    outside.save(tmp_path / "secret.png")
    data_dir = fill(tmp_path / "set", {"a.png": None})
    (data_dir / "link.png").symlink_to(tmp_path / "secret.png")
    write_metadata(data_dir, {"file_name": "a.png", "text": "one"}, b"", line)
    problems = [p for p in read_folder(data_dir).problems if p.kind != "caption-missing"]
    assert [problem.line for problem in problems] == [3]
    assert problems[0].message.startswith("metadata.jsonl:3 ")
    assert fault in problems[0].message


def test_a_picture_without_a_line_and_an_empty_list(tmp_path):
    (tmp_path / "metadata.jsonl").write_text("")
    assert kinds(read_folder(tmp_path)) == [("error", "no-pictures")]
    fill(tmp_path, {"a.png": None})
    assert kinds(read_folder(tmp_path)) == [("error", "caption-missing")]


quick = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quick
@given(data=st.binary(max_size=300))
def test_no_bytes_make_metadata_crash(tmp_path, data):
    (tmp_path / "metadata.jsonl").write_bytes(data)
    found = read_folder(tmp_path)
    assert found.pictures == ()
    assert found.problems


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@quick
@given(entry=st.dictionaries(st.sampled_from(["file_name", "text", "caption"]), json_values))
def test_no_json_makes_a_line_crash_or_leave_the_folder(tmp_path, entry):
    try:
        path, _ = read_entry(json.dumps(entry), tmp_path, {})
    except ValueError as error:
        assert str(error)
    else:
        assert path.resolve().is_relative_to(tmp_path.resolve())


@quick
@given(
    st.dictionaries(
        st.text("abcü é1", min_size=1, max_size=8).filter(lambda s: s.strip() == s),
        st.text(max_size=40).filter(lambda s: not any(0xD800 <= ord(c) < 0xE000 for c in s)),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_the_names_and_captions_the_three_layouts_agree(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("agree")
    for layout in ("images", "sidecars", "metadata"):
        images = folder / layout / ("Images" if layout == "images" else "")
        below = folder / layout / "ImageCaptions" if layout == "images" else images
        for place in (images, below):
            place.mkdir(parents=True, exist_ok=True)
        for stem, text in texts.items():
            (images / f"{stem}.png").write_bytes(b"")
            if layout != "metadata":
                (below / f"{stem}.txt").write_text(text, encoding="utf-8", newline="")
        if layout == "metadata":
            write_metadata(
                images, *({"file_name": f"{s}.png", "text": t} for s, t in texts.items())
            )
    found = [read_folder(folder / layout) for layout in ("images", "sidecars", "metadata")]
    expected = {
        f"{stem}.png": " ".join(text.replace("\0", " ").split()) for stem, text in texts.items()
    }
    for each in found:
        assert {p.path.name: p.caption for p in each.pictures} == {
            name: caption.removeprefix("\ufeff") for name, caption in expected.items()
        }
        assert each.problems == ()
