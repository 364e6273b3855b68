"""Every option of ``dataset`` changes what comes out as it says; or is refused.

Each option of each command has a function here, called like both. An option without one fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.every_option import effect_of, options_of_commands
from tests.situations.situation import good, write
from tests.toolkit.scrapers.tiny_blip import make_blip
from toolkit.picture_sets.cli import build_parser, main


class Bench(NamedTuple):
    """A folder of tagged pictures, and what the commands say of it and make of it."""

    folder: Path
    said: Callable[..., str]

    def report(self, *words: str) -> dict[str, Any]:
        """What ``check --json`` says."""
        found: dict[str, Any] = json.loads(self.said("check", "photos", "--json", *words))
        return found

    def page(self, *words: str) -> str:
        """The page of ``preview``."""
        said = self.said("preview", "photos", *words)
        return Path(said.strip()).read_text(encoding="utf-8")

    def captions(self, out: str) -> dict[str, str]:
        """The captions of a folder that was made."""
        folder = self.folder / out / "ImageCaptions"
        return {path.stem: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}

    def proposals(self, *words: str, keep: str = "kept") -> dict[str, str]:
        """What a tiny BLIP proposes."""
        beside = ("--caption", "blip", "--caption-model", "blip", "--keep-in", keep)
        self.said("caption", "photos", *beside, *words)
        return lines(self.folder / keep / "captions.jsonl")


def lines(file: Path) -> dict[str, str]:
    """A list of captions, by picture."""
    entries = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {entry["file_name"]: entry["text"] for entry in entries}


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys) -> Bench:
    write(good(3), tmp_path)
    (tmp_path / "photos" / "0.txt").write_text("red, old, chipped", encoding="utf-8")
    write({"photos/9.png": 9, "photos/9.txt": ""}, tmp_path)
    config = json.dumps({"sample_size": 8})
    write({"base/unet/config.json": config}, tmp_path)
    monkeypatch.chdir(tmp_path)

    def said(*words: str, code: int = 0) -> str:
        assert main(list(words)) == code
        return capsys.readouterr().out

    return Bench(tmp_path, said)


# --- check --------------------------------------------------------------------------------------


def check_json(bench: Bench) -> None:
    assert bench.report()["layout"] == "sidecars"
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(bench.said("check", "photos", "--resolution", "64"))


def check_base(bench: Bench) -> None:
    assert bench.report("--base", "base")["resolution"] == 64
    (bench.folder / "base/unet/config.json").write_text('{"sample_size": 12}', encoding="utf-8")
    assert bench.report("--base", "base")["resolution"] == 96
    assert bench.report("--base", "some/where")["resolution"] == 512


def check_resolution(bench: Bench) -> None:
    found = bench.report("--resolution", "48")
    assert found["resolution"] == 48
    assert {tuple(bucket["size"]) for bucket in found["buckets"]} == {(48, 48)}


def check_repeats(bench: Bench) -> None:
    small = ("--resolution", "64")
    assert bench.report(*small, "--repeats", "3")["items"] == 3 * bench.report(*small)["items"]


def check_flip(bench: Bench) -> None:
    small = ("--resolution", "64")
    assert bench.report(*small, "--flip")["items"] == 2 * bench.report(*small)["items"]


def kinds(report: dict[str, Any]) -> set[str]:
    """What a report complains of."""
    return {problem["kind"] for problem in report["problems"]}


def check_shuffle_captions(bench: Bench) -> None:
    # One caption has tags. Without it there is nothing to shuffle, and that is said.
    small = ("--resolution", "64", "--shuffle-captions")
    assert "shuffle-idle" not in kinds(bench.report(*small))
    (bench.folder / "photos" / "0.txt").write_text("red", encoding="utf-8")
    assert "shuffle-idle" not in kinds(bench.report(*small[:2]))
    for file in (bench.folder / "photos").glob("*.txt"):
        file.write_text("red", encoding="utf-8")
    assert "shuffle-idle" in kinds(bench.report(*small))


def check_keep_tokens(bench: Bench) -> None:
    # Three tags: with two of them kept, nothing is left to shuffle.
    small = ("--resolution", "64", "--shuffle-captions")
    for file in (bench.folder / "photos").glob("*.txt"):
        file.write_text("red, old, chipped", encoding="utf-8")
    found = [kinds(bench.report(*small, "--keep-tokens", number)) for number in ("1", "2")]
    assert ["shuffle-idle" in one for one in found] == [False, True]


def check_trigger_word(bench: Bench) -> None:
    small = ("--resolution", "64")
    assert "zog" not in bench.report(*small)["words"]
    named = bench.report(*small, "--trigger-word", "zog")
    assert named["words"]["zog"] == 4
    assert "caption-empty" in kinds(bench.report(*small))
    assert "caption-empty" not in kinds(named)


def check_buckets(bench: Bench) -> None:
    sizes = bench.report("--resolution", "64", "--buckets")["buckets"]
    assert {tuple(bucket["size"]) for bucket in sizes} == {(72, 56)}


# --- preview: the same, on a page ---------------------------------------------------------------


def preview_base(bench: Bench) -> None:
    assert "64 px" in bench.page("--base", "base")


def preview_resolution(bench: Bench) -> None:
    assert "48 px" in bench.page("--resolution", "48")


def preview_repeats(bench: Bench) -> None:
    assert "12 items" in bench.page("--resolution", "64", "--repeats", "3")


def preview_flip(bench: Bench) -> None:
    assert "8 items" in bench.page("--resolution", "64", "--flip")


def preview_shuffle_captions(bench: Bench) -> None:
    for file in (bench.folder / "photos").glob("*.txt"):
        file.write_text("red", encoding="utf-8")
    pages = [bench.page("--resolution", "64", *more) for more in ((), ("--shuffle-captions",))]
    assert ["shuffle-idle" in page for page in pages] == [False, True]


def preview_keep_tokens(bench: Bench) -> None:
    for file in (bench.folder / "photos").glob("*.txt"):
        file.write_text("red, old, chipped", encoding="utf-8")
    small = ("--resolution", "64", "--shuffle-captions", "--keep-tokens")
    assert ["shuffle-idle" in bench.page(*small, number) for number in ("1", "2")] == [False, True]


def preview_trigger_word(bench: Bench) -> None:
    assert "zog" in bench.page("--resolution", "64", "--trigger-word", "zog")


def preview_buckets(bench: Bench) -> None:
    assert re.search(r"72\D{1,9}56", bench.page("--resolution", "64", "--buckets"))


def preview_out(bench: Bench) -> None:
    assert "a sks mug, view 1" in bench.page("--resolution", "64", "--out", "here.html")
    assert (bench.folder / "here.html").is_file()


# --- fix and import -----------------------------------------------------------------------------


def fix_out(bench: Bench) -> None:
    bench.said("fix", "photos", "--out", "new")
    assert bench.captions("new")["1"] == "a sks mug, view 1"


def fix_caption(bench: Bench) -> None:
    bench.said("fix", "photos", "--out", "less")
    bench.said("fix", "photos", "--out", "new", "--caption", "a sks cup")
    assert "9" not in bench.captions("less")
    assert bench.captions("new") == {**bench.captions("less"), "9": "a sks cup"}


def import_out(bench: Bench) -> None:
    bench.said("import", "photos", "--out", "new")
    assert bench.captions("new")["1"] == "a sks mug, view 1"


def import_caption(bench: Bench) -> None:
    bench.said("import", "photos", "--out", "new", "--caption", "a sks cup")
    assert bench.captions("new")["9"] == "a sks cup"


# --- caption ------------------------------------------------------------------------------------


def caption_caption(bench: Bench) -> None:
    make_blip(bench.folder / "blip")
    found = bench.proposals()
    assert set(found["9.png"].split()) <= {"panda", "bamboo", "tree", "sleeping"}
    assert found["9.png"]
    # A tagger wants other files than a captioner has.
    tags = ("--caption", "wd14", "--caption-model", "blip", "--keep-in", "tags")
    bench.said("caption", "photos", *tags, code=2)


def caption_caption_model(bench: Bench) -> None:
    names = []
    for seed in (0, 1):
        make_blip(bench.folder / "blip", seed)
        said = bench.said(
            *("caption", "photos", "--caption", "blip", "--caption-model", "blip"),
            *("--keep-in", f"kept{seed}"),
        )
        names += re.findall(r"blip blip sha256:\w+", said)
    assert len(set(names)) == 2


def caption_template(bench: Bench) -> None:
    make_blip(bench.folder / "blip")
    assert bench.proposals("--template", "photo: {text}")["9.png"].startswith("photo: ")


def caption_trigger_word(bench: Bench) -> None:
    make_blip(bench.folder / "blip")
    found = bench.proposals("--trigger-word", "zog")
    assert found["9.png"].startswith("zog ")
    assert found["1.png"] == "a sks mug, view 1"


def caption_all(bench: Bench) -> None:
    make_blip(bench.folder / "blip")
    assert bench.proposals()["1.png"] == "a sks mug, view 1"
    assert bench.proposals("--all", keep="all")["1.png"] != "a sks mug, view 1"


def caption_fresh(bench: Bench) -> None:
    make_blip(bench.folder / "blip")
    bench.proposals()
    (bench.folder / "kept" / "captions.jsonl").write_text("corrected", encoding="utf-8")
    words = ("caption", "photos", "--caption", "blip", "--caption-model", "blip")
    bench.said(*words, "--keep-in", "kept", code=2)
    assert bench.proposals("--fresh")["1.png"] == "a sks mug, view 1"


def caption_keep_in(bench: Bench) -> None:
    make_blip(bench.folder / "blip")
    bench.proposals(keep="elsewhere")
    assert (bench.folder / "elsewhere" / "captions.html").is_file()
    assert not (bench.folder / "runs").exists()


def caption_use(bench: Bench) -> None:
    entry = {"file_name": "1.png", "text": "corrected"}
    (bench.folder / "list.jsonl").write_text(json.dumps(entry), encoding="utf-8")
    bench.said("caption", "photos", "--use", "list.jsonl", "--out", "new")
    assert bench.captions("new") == {"1": "corrected"}


caption_out = caption_use


def options() -> list[str]:
    """All commands with all their options."""
    found = options_of_commands(build_parser())
    return [f"{command} {option.option_strings[0]}" for command, option in found]


@pytest.mark.parametrize("option", options())
def test_an_option_does_what_it_says(option, bench):
    effect_of(option, globals())(bench)


LIST = "url,caption\nhttps://x.org/a.png,a mug\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "photos", "--keep-tokens", "1"], "--keep-tokens needs --shuffle-captions"),
        (["check", "photos", "--base", "base", "--resolution", "64"], "--base gives the size"),
        (["check", "photos", "--base", "models/nothing/there"], "no base model in models/nothing"),
        (["import", "list.csv", "--out", "new", "--caption", "a"], "--caption: a list"),
        *(
            (["caption", "photos", "--use", "l.jsonl", "--out", "new", *more], f"{more[0]} is for")
            for more in (
                ["--caption-model", "x"],
                ["--template", "{text}"],
                ["--trigger-word", "sks"],
                ["--all"],
                ["--fresh"],
                ["--keep-in", "x"],
            )
        ),
    ],
)
def test_an_option_without_effect_is_refused(words, says, bench, capsys):
    (bench.folder / "list.csv").write_text(LIST, encoding="utf-8")
    assert main(words) == 2
    assert says in capsys.readouterr().err
    assert not (bench.folder / "new").exists()
