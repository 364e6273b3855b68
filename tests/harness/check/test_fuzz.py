"""Whatever bytes come in, the answer is a finding and never an exception."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.check import check_folder
from harness.check.python_source import Module
from harness.contributions.file import parse
from toolkit.core import clip_tokens
from toolkit.images.headers import Picture

FIXTURES = Path(__file__).parents[2] / "fixtures" / "check"
TOML = (FIXTURES / "HUB104_many_wrong_values/folder/contribution.toml").read_text()
CODE = "".join(path.read_text() for path in sorted((FIXTURES / "clean_code/src").glob("*.py")))

# One word a space; the empty ones between them are words as well.
TOML_WORDS = """name authors hooks settings.lora rank [ ] [[ ]] { } = , . # \n " \"\"\" ' 1 1e9
true nan train 1979-05-27 links https:// \t"""
CODE_WORDS = """def train make_lora ( ) :
\n import from . .. * as harness hookimpl @ @hookimpl class if
else return yield async lambda = == , [ ] { } ' \" f' \\ / try except __name__ eval sys.path pass
\n     # 1 open \0 \ufeff match case *args **kw"""

toml_words = st.sampled_from(TOML_WORDS.split(" "))
code_words = st.sampled_from(CODE_WORDS.split(" "))


@given(st.binary(max_size=300) | st.lists(toml_words).map("".join).map(str.encode))
@settings(max_examples=150)
def test_toml_reader(data):
    document = parse(data)
    assert document.file is not None or document.faults
    assert all(fault.line is None or fault.line >= 1 for fault in document.faults)


@given(st.integers(0, len(TOML)), st.integers(0, 20), st.text(max_size=5))
@settings(max_examples=100)
def test_toml_reader_with_a_damaged_file(at, cut, put):
    parse((TOML[:at] + put + TOML[at + cut :]).encode("utf-8", "replace"))


def look_at(**files: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "CONTRIBUTIONS" / "Clean"
        (folder / "src").mkdir(parents=True)
        (folder / "Dataset" / "ImageCaptions").mkdir(parents=True)
        (folder / "contribution.toml").write_bytes(files.get("toml", b"hooks = ['train']\n"))
        (folder / "src" / "main.py").write_bytes(files.get("main", b""))
        (folder / "src" / "train.py").write_bytes(files.get("train", b""))
        (folder / "Dataset" / "ImageCaptions" / "a.txt").write_bytes(files.get("caption", b""))
        for finding in check_folder(folder, root=Path(name)):
            finding.model_dump_json()


@given(st.lists(code_words).map(" ".join), st.lists(code_words).map(" ".join))
@settings(max_examples=60)
def test_python_scanner_with_random_words(main, train):
    look_at(main=main.encode(), train=train.encode())


@given(st.integers(0, len(CODE)), st.integers(0, 30), st.lists(code_words, max_size=3))
@settings(max_examples=60)
def test_python_scanner_with_damaged_code(at, cut, put):
    look_at(train=(CODE[:at] + " ".join(put) + CODE[at + cut :]).encode("utf-8", "replace"))


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_python_and_caption_readers_with_random_bytes(data):
    look_at(main=data, caption=data, toml=data)


@given(st.text(max_size=120))
@settings(max_examples=150)
def test_the_short_cut_never_lets_a_long_caption_through(text):
    if clip_tokens.surely_fits(text):
        assert clip_tokens.count(text) <= 77


@pytest.mark.parametrize("character", ["\U0001d160", "\u0958", "İ", "ﷺ", "ß"])
def test_characters_that_grow_when_normalised(character):
    for length in range(1, 80):
        if clip_tokens.surely_fits(character * length):
            assert clip_tokens.count(character * length) <= 77


@pytest.mark.parametrize(
    "text",
    [
        "-" * 100_000 + "1",
        "(" * 5000 + ")" * 5000,
        "x" + "[0]" * 50_000,
        "if a:\n pass\n" + "elif a:\n pass\n" * 3000,
        "a = " + "+".join(["b"] * 20_000),
        "\n".join(f"a{i} = a{i + 1}" for i in range(3000)) + "\ntrain = a0\n",
        "x\0y",
        "from .main import *\nfrom .train import *\n",
        "@d\ndef e(): pass\nfrom .train import e as d\ntrain = e\n",
    ],
    ids=range(9),
)
def test_absurd_code(text):
    look_at(main=text.encode(), train=b"from .main import *\nfrom .main import e, train\n")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_with_random_damage(kind, picture_bytes):
    chance = random.Random(1)
    good = picture_bytes((80, 70), kind=kind)
    for _ in range(150):
        data = bytearray(good[: chance.randrange(12, len(good) + 1)])
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        picture = Picture("a", ".png", bytes(data))
        assert picture.header or picture.fault


def test_hostile_import_graph_ends():
    names = [f"m{i}" for i in range(12)]
    text = "\n".join(f"from .{name} import train, a, b" for name in names) + "\nb = a\na = b\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "Graph"
        (folder / "src").mkdir(parents=True)
        (folder / "contribution.toml").write_text('hooks = ["train"]\n')
        for module in (*names, "main"):
            (folder / "src" / f"{module}.py").write_text(text * 3)
        check_folder(folder, root=Path(name))


def test_hostile_marker_calls_end():
    names = [f"n{i}" for i in range(40)]
    lines = [f"{one} = hookimpl({other})" for one in names for other in names]
    text = "from harness import hookimpl\n" + "\n".join(lines) + "\ntrain = n0\n"
    look_at(main=text.encode())


def test_module_with_many_names_is_scanned_once():
    module = Module("src/a.py", "import torch as t\nt.load('x')\n")
    assert module.calls[0][0] == "torch.load"
    assert module.calls is module.calls
