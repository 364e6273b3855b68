"""python -m picture_sets: what a person sees, in a process of its own."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image

from harness import paths
from tests.toolkit.picture_sets.zoo import fill, scene
from toolkit.picture_sets.cli import build_parser, config_of, main
from toolkit.picture_sets.page import MOST_CARDS

EVIL = "<script>alert(1)</script> & \"quoted\" 'lamp'"


@pytest.fixture
def folder(tmp_path):
    captions = {f"good{i}.png": f"a sks lamp, view {i}" for i in range(5)}
    return fill(tmp_path / "photos", captions)


@pytest.fixture
def bad(folder):
    scene(9).save(folder / "nocaption.png")
    (folder / "broken.png").write_bytes(b"hello")
    (folder / "broken.txt").write_text("broken")
    return folder


def test_a_good_folder_in_a_process_without_torch(folder):
    code = (
        "import sys; from toolkit.picture_sets.cli import main; "
        f"code = main(['check', {str(folder)!r}, '--resolution', '64']); "
        "assert not {'torch', 'diffusers', 'jinja2'} & set(sys.modules); sys.exit(code)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "5 pictures, captions in .txt files beside them" in answer.stdout
    assert "64x64" in answer.stdout
    assert "words: a 5, lamp 5, sks 5" in answer.stdout
    assert answer.stdout.rstrip().endswith("Ready to train.")


def test_a_bad_folder_exits_with_1_and_names_everything(bad, capsys):
    assert main(["check", str(bad), "--resolution", "64"]) == 1
    out = capsys.readouterr().out
    assert "error[caption-missing] nocaption.png" in out
    assert "error[unreadable] broken.png" in out
    assert out.count("  fix  ") == 2
    assert "2 errors. Training would refuse this folder." in out


def test_json_says_the_same(bad, capsys):
    assert main(["check", str(bad), "--resolution", "64", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["layout"], report["errors"], len(report["pictures"])) == ("sidecars", 2, 6)
    assert {problem["at"] for problem in report["problems"]} == {"nocaption.png", "broken.png"}
    assert report["buckets"][0] == {"size": [64, 64], "pictures": 6, "cut": 0.1667}
    assert len(report["pictures"][0]["sha256"]) == 64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no folder"),
        (["DIR", "--resolution", "100"], "not a multiple of 8"),
        (["DIR", "--repeats", "0"], "--repeats"),
        (["DIR", "--trigger-word", "a, b"], "--trigger-word"),
    ],
)
def test_a_wrong_call_is_one_sentence(folder, capsys, arguments, words):
    call = [str(folder) if argument == "DIR" else argument for argument in arguments]
    assert main(["check", *call]) == (1 if arguments == ["nowhere"] else 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.match(rf"error: .*{words}.*\n(  .*\n)+\Z", captured.err)


def test_every_setting_can_be_typed():
    from toolkit.core.settings import DatasetSettings

    call = ["check", "x", "--repeats", "2", "--flip", "--shuffle-captions", "--keep-tokens", "1"]
    config = config_of(build_parser().parse_args([*call, "--trigger-word", "sks", "--buckets"]))
    defaults = DatasetSettings()
    for name in DatasetSettings.model_fields:
        assert getattr(config, name) != getattr(defaults, name), name


class Page(HTMLParser):
    """Collects the tags, the pictures and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.texts = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [value for name, value in attrs if name == "src"]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_shows_pictures_captions_and_problems_and_runs_nothing(bad, tmp_path, capsys):
    (bad / "good0.txt").write_text(EVIL)
    scene(1).save(bad / "again.jpg", quality=50)
    (bad / "again.txt").write_text("again")
    out = tmp_path / "deep" / "page.html"
    assert main(["preview", str(bad), "--resolution", "64", "--out", str(out)]) == 1
    assert capsys.readouterr().out.strip() == str(out)
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    shown = "".join(page.texts)
    assert "script" not in page.tags
    assert EVIL in shown  # as text
    assert "default-src 'none'" in text
    assert "http" not in re.sub(r"http-equiv", "", text)
    # Seven readable pictures, and the two that look the same once more.
    assert len(page.sources) == 9
    for source in page.sources:
        data = base64.b64decode(source.removeprefix("data:image/webp;base64,"), validate=True)
        with Image.open(io.BytesIO(data)) as thumbnail:
            assert max(thumbnail.size) <= 192
    for words in ("nocaption.png", "a sks lamp, view 3", "near-duplicate", "caption-missing"):
        assert words in shown
    # Those with problems come first.
    assert shown.index("no caption") < shown.index("a sks lamp, view 3")


def test_the_page_tells_what_buckets_would_save(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(5):
        scene(i, (160, 80)).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"lamp {i}")
    out = tmp_path / "page.html"
    main(["preview", str(folder), "--resolution", "64", "--out", str(out)])
    assert "50 % of the area is cut off; with buckets it would be 9 %" in out.read_text()
    main(["preview", str(folder), "--resolution", "64", "--buckets", "--out", str(out)])
    assert "88×40" in out.read_text()  # noqa: RUF001


def test_a_page_of_very_many_pictures_stays_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.picture_sets.page.MOST_CARDS", 3)
    folder = fill(tmp_path / "photos", {f"a{i}.png": f"lamp {i}" for i in range(8)})
    out = tmp_path / "page.html"
    assert main(["preview", str(folder), "--resolution", "64", "--out", str(out)]) == 0
    text = out.read_text()
    assert text.count("<figure") == 3 < MOST_CARDS
    assert "and 5 more pictures" in text


def test_a_page_that_cannot_be_written_is_an_error_and_leaves_nothing(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["preview", str(folder), "--out", str(tmp_path / "file" / "page.html")]) == 1
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(("size", "side"), [((160, 80), "left"), ((80, 160), "top")])
def test_the_page_darkens_what_is_cut_off(tmp_path, size, side):
    folder = tmp_path / "photos"
    folder.mkdir()
    scene(1, size).save(folder / "a.png")
    (folder / "a.txt").write_text("a lamp")
    out = tmp_path / "page.html"
    main(["preview", str(folder), "--resolution", "64", "--out", str(out)])
    length = "width" if side == "left" else "height"
    assert f'style="{side}: 0; {length}: 25.0%"' in out.read_text()
