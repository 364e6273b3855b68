"""From what archives know to one line that fits the tokenizer."""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.toolkit.scrapers.server import picture_bytes
from tests.toolkit.scrapers.tiny_blip import make_blip
from toolkit.core.clip_tokens import count as count_tokens
from toolkit.scrapers.captions.clean import clean, first_sentence, is_telling
from toolkit.scrapers.captions.compose import CaptionRules, compose, describe
from toolkit.scrapers.captions.writers import make_captioner
from toolkit.scrapers.errors import WrongOptions
from toolkit.scrapers.hits import ImageHit

WD14 = Path(__file__).parent / "fixtures" / "wd14"


def hit(**fields) -> ImageHit:
    return ImageHit(url="https://example.org/a.jpg", provider="test", **fields)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("File:Red_Panda_(Ailurus fulgens).JPG", "Red Panda (Ailurus fulgens)"),
        ("IMG_20240131_120000.jpg", ""),
        ("DSC01234", ""),
        ("DSCN0042 red panda", "red panda"),
        ("Red panda P1010101", "Red panda"),
        ("redPandaInATree.png", "red Panda In A Tree"),
        ("RED PANDA asleep", "RED panda asleep"),
        ("BMW at the beach", "BMW at the beach"),
        ("3 pandas", "3 pandas"),
        ("Boeing 747", "Boeing 747"),
        ("Panda (2)", "Panda"),
        ("Panda #17", "Panda"),
        ("Panda 2019-05-04 12:30", "Panda"),
        ("Panda, 04.05.2019", "Panda"),
        ("<b>Panda</b> &amp; co", "Panda & co"),
        ("panda https://example.org/x?y=1 asleep", "panda asleep"),
        ("  - panda -  ", "panda"),
        ("小熊猫", "小熊猫"),
        ("", ""),
    ],
)
def test_cleaning(raw, cleaned):
    assert clean(raw) == cleaned


@given(st.text(max_size=200))
def test_cleaning_gives_one_line_and_is_done_after_twice(text):
    once = clean(text)
    assert once == " ".join(once.split())
    assert not re.search(r"[\n\t]", once)
    assert len(clean(once)) <= len(once)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"title": "A red panda in a tree"}, "A red panda in a tree"),
        (
            {"title": "IMG_1234", "description": "A panda eats bamboo. Nikon."},
            "A panda eats bamboo",
        ),
        ({"title": "Panda", "tags": ("Zoo", "bamboo", "panda", "1234")}, "Panda, zoo, bamboo"),
        ({"title": "IMG_1234", "tags": ("zoo",)}, "red panda, zoo"),
        ({}, "red panda"),
    ],
)
def test_the_best_words_are_taken(fields, words):
    assert describe(hit(**fields), "red panda") == words


def test_a_story_is_not_a_caption():
    assert len(describe(hit(title="word " * 500), "x").split()) == 30
    assert describe(hit(title="IMG_1", description="word " * 500), "panda") == "panda"


def test_the_first_sentence_ends_at_its_mark():
    assert first_sentence("A panda in J. Doe's zoo. It sleeps.") == "A panda in J. Doe's zoo"
    assert first_sentence("A panda (asleep)! More") == "A panda (asleep)"
    assert first_sentence("No end") == "No end"
    assert not is_telling("12 a b")


@pytest.mark.parametrize(
    ("template", "trigger", "caption"),
    [
        ("{text}", "", "a red panda"),
        ("{text}", "sks", "sks a red panda"),
        ("a photo of {text}", "sks", "sks a photo of a red panda"),
        ("a photo of {trigger}, {text}", "sks", "a photo of sks, a red panda"),
        ("{trigger}: {text}!", "", ": a red panda!"),
    ],
)
def test_template_and_trigger_word(template, trigger, caption):
    assert compose("a red panda", CaptionRules(template=template, trigger=trigger)) == caption


@pytest.mark.parametrize("template", ["a panda", "{text} {colour}", "{text", "{0} {text}", ""])
def test_a_template_that_cannot_work_is_refused(template):
    with pytest.raises(ValueError, match="template"):
        CaptionRules(template=template)


@given(st.text(max_size=900), st.sampled_from(["", "sks"]))
def test_a_caption_always_fits_the_tokenizer_and_keeps_its_template(text, trigger):
    rules = CaptionRules(template="a photo of {trigger} {text}", trigger=trigger)
    caption = compose(text, rules)
    assert count_tokens(caption) <= 77
    assert caption.startswith(f"a photo of {trigger}".strip())


def test_words_are_cut_from_the_end():
    caption = compose(" ".join(["panda"] * 200), CaptionRules(trigger="sks"))
    assert caption == "sks " + " ".join(["panda"] * (caption.count("panda")))
    assert count_tokens(caption) == 77


# --- in a whole run -----------------------------------------------------------------------------


def test_one_caption_for_all_comes_with_a_warning(archive, scrape):
    archive.openverse(archive.pictures(2))
    result = scrape("--caption", "query", "--trigger", "sks")
    assert result.code == 0
    assert set(result.folder.captions.values()) == {"sks red panda\n"}
    assert "note: every caption will be the query" in result.err
    assert {s["caption_by"] for s in result.folder.lines("sources.jsonl")} == {"query"}


@pytest.mark.needs("onnxruntime")
def test_a_tagger_looks_at_the_pictures(archive, scrape, tmp_path):
    """The model is three nodes: its tags are how blue, green and red a picture is."""
    red = picture_bytes(1)
    with Image.open(io.BytesIO(red)) as image:
        channels = image.split()
        Image.merge(
            "RGB",
            (
                channels[0].point(lambda v: v // 4 + 190),
                *(c.point(lambda v: v // 4) for c in channels[1:]),
            ),
        ).save(tmp_path / "red.png")
    archive.openverse([archive.picture("/red.png", (tmp_path / "red.png").read_bytes())])
    result = scrape("--caption", "wd14", "--caption-model", str(WD14))
    assert result.code == 0, result.err
    assert list(result.folder.captions.values()) == ["red panda\n"]
    (source,) = result.folder.lines("sources.jsonl")
    assert re.fullmatch(r"wd14 wd14 sha256:[0-9a-f]{12}", source["caption_by"])


@pytest.mark.needs("onnxruntime")
def test_a_tagger_and_tags_that_do_not_fit_are_refused(tmp_path):
    shutil.copytree(WD14, tmp_path / "model")
    with (tmp_path / "model" / "selected_tags.csv").open("a") as file:
        file.write("7,one_more,0,1\n")
    with pytest.raises(WrongOptions, match="answers 6 values, but there are 7 tags"):
        make_captioner("wd14", "x", tmp_path / "model")


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WrongOptions, match="needs the package onnxruntime") as caught:
        make_captioner("wd14", "x", WD14)
    assert caught.value.fix == "python harness/environment.py -m pip install onnxruntime"


@pytest.mark.parametrize("source", ["blip", "wd14"])
def test_a_model_is_never_fetched(source, tmp_path):
    with pytest.raises(WrongOptions, match="needs the model's folder"):
        make_captioner(source, "x", None)
    with pytest.raises(WrongOptions, match="missing"):
        make_captioner(source, "x", tmp_path)
    with pytest.raises(WrongOptions, match="uses no model"):
        make_captioner("metadata", "x", tmp_path)


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blip")
    make_blip(folder)
    return folder


def test_blip_looks_at_the_picture(blip, tmp_path):
    (tmp_path / "a.jpg").write_bytes(picture_bytes(1))
    captioner = make_captioner("blip", "x", blip)
    assert captioner.name.startswith("blip blip")
    words = captioner.words(hit(), tmp_path / "a.jpg")
    assert words == captioner.words(hit(), tmp_path / "a.jpg")
    assert set(words.split()) <= {"panda", "bamboo", "tree", "sleeping"}
