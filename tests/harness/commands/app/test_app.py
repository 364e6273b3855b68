"""The app without a browser: who is let in, forms, pictures, jobs, faults as sentences."""

from __future__ import annotations

import ast
import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from urllib.parse import parse_qsl, urlencode, urlsplit

import psutil
import pytest
from PIL import Image

from harness import paths
from harness.check import check_folder
from harness.commands import forms
from harness.commands.app import jobs
from harness.commands.app.runs import Run
from harness.commands.clean import leftovers
from harness.commands.cli import build_parser, main
from harness.runs import watching
from harness.runs.trainings import Typed, read_training
from tests.harness.runs.test_trainings import a_training
from tests.toolkit.scrapers.tiny_blip import make_blip
from toolkit.core.command_line import fault_in
from toolkit.core.errors import UsageError
from toolkit.core.settings import GenerateConfig, LoraConfig, TrainConfig
from toolkit.drawings.metadata import Drawing, LoraUse, save_picture
from toolkit.picture_sets import copies

DATASET = paths.REFERENCE / "Dataset"
ROBOTS = sorted((DATASET / "Images").iterdir())


@pytest.fixture
def sets(tmp_path):
    return copies.PictureSets(tmp_path)


# --- forms ---


def test_the_form_has_ranges_and_words_of_the_records_and_commands():
    lines = {line.name: line for line in forms.train_form()}
    assert lines["rank"].range == "from 1 to 256"
    assert lines["rank"].attributes == {"step": "1", "min": "1", "max": "256"}
    assert lines["learning_rate"].range == "above 0 to 1"
    assert lines["optimizer"].help == TrainConfig.model_fields["optimizer"].description
    assert lines["flip"].options == ("", "yes", "no")
    assert "denoising" not in lines["steps"].help
    assert {line.name: line for line in forms.draw_form()}["steps"].range == "from 1 to 1000"
    assert set(LoraConfig.model_fields) & set(lines) == {"rank", "alpha", "train_text_encoder"}


def test_a_form_becomes_the_words_that_a_person_would_type():
    form = {"rank": "4", "flip": "no", "buckets": "yes", "prompt": "a\n\n b ", "steps": " ",
            "out": "/etc", "name": "--trust", "trust": "yes"}  # fmt: skip
    words = forms.words_of("train", forms.TRAIN_LEFT_OUT, form)
    assert sorted(words) == sorted(
        ["--buckets", "--no-flip", "--rank=4", "--prompt=a", "--prompt=b", "--trust"]
    )


# --- pictures ---


def test_dropped_files_become_copies_and_what_is_no_picture_is_refused(sets, tmp_path):
    name = sets.create("my mug!")
    assert name == "my-mug"
    source = ROBOTS[0].name
    with ROBOTS[0].open("rb") as file:
        sets.add(name, f"../../{source}", file)
        file.seek(0)
        sets.add(name, source, file)  # twice the same name
    with (
        pytest.raises(UsageError, match="neither a picture nor a caption"),
        ROBOTS[0].open("rb") as file,
    ):
        sets.add(name, "noxfile.py", file)
    there = [path.name for path in copies.pictures_in(sets.folder(name))]
    assert len(there) == 2
    assert not list(tmp_path.glob("*.png"))
    report = sets.report(name, 64)
    (first, second) = copies.cards(report)
    assert first.image.startswith("data:image/webp")
    assert copies.about_all(report)  # no captions at all
    sets.write_caption(name, second.name, " a sks\nmug ")
    assert [card.caption for card in copies.cards(sets.report(name, 64))] == ["", "a sks mug"]
    sets.remove(name, second.name)
    assert [card.name for card in copies.cards(sets.report(name, 64))] == [first.name]


def test_a_folder_is_copied_with_its_captions_and_stays_as_it_is(sets):
    name = sets.create("robots")
    count = sets.take_in(name, DATASET)
    cards = copies.cards(sets.report(name, 64))
    assert len(cards) == count == len(ROBOTS)
    assert all("sks" in card.caption for card in cards)
    assert not sets.report(name, 64).errors


def test_a_clean_copy_has_neither_doubles_nor_what_cannot_be_read(sets):
    name = sets.create("robots")
    sets.take_in(name, DATASET)
    sets.take_in(name, DATASET)
    (sets.folder(name) / "broken.png").write_bytes(b"no picture")
    new = sets.mend(name)
    assert len(copies.pictures_in(sets.folder(new))) <= len(ROBOTS)
    assert not sets.report(new, 64).errors
    with pytest.raises(UsageError, match="already"):
        sets.mend(name)


@pytest.mark.parametrize("name", ["..", "../token", "", "a/b", "nothing"])
def test_no_name_leads_out_of_the_sets(sets, name):
    with pytest.raises(UsageError, match="There is no set"):
        sets.folder(name)


def test_clean_takes_no_set_for_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    sets = copies.PictureSets(tmp_path / "app" / "pictures" / "sets")
    assert sets.create("0123456789ab") == "0123456789ab"
    assert [path for path, _ in leftovers() if path.is_relative_to(tmp_path)] == []


# --- jobs ---


def ended(job, patience_s=120):
    deadline = time.monotonic() + patience_s
    while job.state == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    return jobs.find(job.folder.parent.parent, job.id)


def test_a_job_is_found_again_and_its_fault_is_a_sentence(tmp_path):
    words = ["Nobody_has_this", "--data=nowhere"]
    job = ended(jobs.create(tmp_path, "train", words, {"pictures": "x"}))
    assert job.state == "failed"
    assert "Nobody_has_this" in job.fault.what
    assert "Traceback" not in job.fault.what + job.fault.fix
    assert [one.id for one in jobs.all_of(tmp_path, "train")] == [job.id]
    assert job.command == "nox -s train -- Nobody_has_this --data=nowhere"


def test_a_missing_base_is_a_sentence(tmp_path):
    words = ["Example1", f"--data={DATASET}", "--base=no/such/base", "--out={out}"]
    job = ended(jobs.create(tmp_path, "train", words, {}))
    assert job.state == "failed"
    assert "no/such/base" in job.fault.what + job.fault.fix
    assert job.fault.fix
    assert "Traceback" not in job.fault.what + job.fault.fix


def test_a_job_that_was_killed_says_so(tmp_path):
    job = ended(jobs.create(tmp_path, "train", ["Nobody_has_this"], {}))
    (job.folder / "exit.txt").unlink()
    assert job.state == "stopped"
    assert "ended from outside" in job.fault.what


def test_another_process_with_the_same_number_is_not_the_job():
    own = jobs.JobFile(kind="train", words=(), form={}, begun="", pid=os.getpid(),
                       process_begun_s=psutil.Process().create_time())  # fmt: skip
    assert own.process.is_alive
    assert not own.model_copy(update={"process_begun_s": 1.0}).process.is_alive


@pytest.mark.parametrize("name", ["..", "train-20261130-000000-0000", "../../etc", "x" * 300])
def test_no_name_leads_out_of_the_jobs(tmp_path, name):
    with pytest.raises(UsageError, match="There is no job"):
        jobs.find(tmp_path, name)


@pytest.mark.parametrize(
    ("output", "what", "fix"),
    [
        ("x\nerror: No base.\n  at   b\n  fix  Name one.", "No base.", "Name one."),
        ("error: One.\nerror: Two.", "Two.", ""),
        ("error: Exited.\n  fix  Its log follows.\n    a\n  B: c", "Exited. B: c", ""),
        ("Traceback\nKeyError: 'a'\n", "ended with a fault of the hub: KeyError: 'a'", ""),
        ("", "ended with a fault of the hub: nothing", ""),
    ],
)
def test_the_sentence_of_a_command_that_failed(output, what, fix):
    fault = fault_in(output)
    assert fault.what.endswith(what)
    assert fault.fix == fix


# --- watching ---


def test_a_log_that_grows_is_read_up_to_its_last_whole_line(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "loss": 0.5}\n[]\n{"step": 2, "loss": 0.25}\n{"step": 3, "lo')
    assert [line["step"] for line in watching.read_log(log)] == [1, 2]
    assert watching.read_log(tmp_path / "none") == []
    curve = watching.curve_of([(1, 0.5), (2, 0.25)])
    assert curve.points == "0.0,0.0 600.0,160.0"
    assert (curve.low, curve.high) == (0.25, 0.5)
    assert watching.curve_of([(1, 0.5)]) is None


def test_thousands_of_steps_make_no_larger_drawing():
    curve = watching.curve_of([(step, 1 / step) for step in range(1, 100_001)])
    assert len(curve.points.split()) <= watching.MOST_POINTS


# --- the server ---

served = pytest.mark.needs("starlette", "uvicorn", "multipart")


def ask(app, method="GET", path="/pictures", port=80, body=b"", **headers):
    """One request to the app, without a network: status, headers, text."""
    address, _, query = path.partition("?")
    lines = {"host": f"127.0.0.1:{port}", **headers}
    scope = {
        "type": "http", "method": method, "path": address, "raw_path": address.encode(),
        "query_string": query.encode(), "root_path": "", "scheme": "http",
        "http_version": "1.1", "server": ("127.0.0.1", port), "client": ("127.0.0.1", 1),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in lines.items()],
    }  # fmt: skip
    sent = []
    asked = []

    async def receive():
        if asked:
            await asyncio.Event().wait()  # the browser stays
        asked.append(1)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent).decode()
    return sent[0]["status"], dict(sent[0]["headers"]), text


@pytest.fixture
def app(tmp_path):
    from harness.commands.app.guard import token
    from harness.commands.app.server import make_app

    cookie = f"hub_app={token(tmp_path)}"

    def asks(method="GET", path="/pictures", **more):
        given = {"cookie": cookie, "origin": "http://127.0.0.1:80", **more}
        return ask(make_app(tmp_path, 80), method, path, **given)

    return asks


@served
def test_only_the_token_opens_the_page(tmp_path, app):
    from harness.commands.app.guard import token

    secret = token(tmp_path)
    assert token(tmp_path) == secret
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    for cookie in ("", "hub_app=wrong", "hub_app=\x7f;;=", "other=1"):
        assert app(cookie=cookie)[0] == 403
    assert app(path="/pictures?token=wrong", cookie="")[0] == 403
    status, headers, _ = app(path=f"/?token={secret}", cookie="")
    assert status == 303
    assert b"HttpOnly" in headers[b"set-cookie"]
    assert b"SameSite=strict" in headers[b"set-cookie"]
    status, headers, text = app()
    assert status == 200
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert "my-mug" in text


@served
@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:81", "null", ""])
def test_no_other_page_can_act_through_the_browser(app, origin):
    body = b"name=x"
    form = {"content_type": "application/x-www-form-urlencoded", "body": body}
    assert app("POST", origin=origin, **form)[0] == 403
    assert app("POST", **form)[0] == 303


@served
def test_a_name_of_the_web_that_leads_here_is_refused(app):
    assert app(host="evil.example")[0] == 403


@served
def test_faults_are_sentences(app, monkeypatch, tmp_path):
    form = {"content_type": "application/x-www-form-urlencoded"}
    status, _, text = app("POST", "/train", body=b"name=Example1", **form)
    assert status == 400
    assert "No pictures were chosen." in text
    assert "What to do:" in text
    assert app(path="/jobs/train-20261130-000000-0000/file/../job.json")[0] == 400

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/app")

    monkeypatch.setattr(copies.Path, "mkdir", full)
    status, _, text = app("POST", body=b"name=x", **form)
    assert status == 507
    assert "The machine does not allow writing: No space left on device." in text
    status, _, text = app("POST", body=b"name=x", accept="text/plain", **form)
    assert text.startswith("The machine does not allow writing")


@served
def test_a_link_in_a_run_leads_nowhere_else(app, tmp_path):
    job = ended(jobs.create(tmp_path, "train", ["Nobody_has_this"], {"pictures": "x"}))
    job.out.mkdir(exist_ok=True)
    (job.out / "log.jsonl").symlink_to(tmp_path / "token")
    (job.out / "own.txt").write_text("own")
    assert app(path=f"/jobs/{job.id}/file/log.jsonl")[0] == 400
    status, headers, text = app(path=f"/jobs/{job.id}/file/own.txt")
    assert text == "own"
    assert headers[b"content-disposition"].startswith(b"attachment")  # never shown as a page
    status, _, text = app(path=f"/runs/{job.id}")
    assert status == 200
    assert "What to do:" in text


@served
def test_every_page_can_be_drawn(app):
    for path in ("/pictures", "/train", "/runs", "/draw", "/static/app.js", "/board/board.css"):
        assert app(path=path)[0] == 200, path
    assert app(path="/nowhere")[0] == 404


FORM = {"content_type": "application/x-www-form-urlencoded"}


def posted(app, path, **fields):
    """Send a form; a list is a field that comes several times."""
    status, headers, text = app("POST", path, body=urlencode(fields, doseq=True).encode(), **FORM)
    return status, headers.get(b"location", b"").decode(), text


@served
def test_a_caption_is_not_written_over_unseen(app, tmp_path):
    sets = copies.PictureSets(tmp_path / "pictures" / "sets")
    folder = sets.folder(sets.create("robots"))
    shutil.copyfile(ROBOTS[0], folder / ROBOTS[0].name)
    file = (folder / ROBOTS[0].name).with_suffix(".txt")

    def save(caption, seen):
        asked = {"picture": ROBOTS[0].name, "caption": caption, "seen": seen}
        return posted(app, "/pictures/robots/caption", **asked)

    assert save("first", "")[0] == 200
    status, _, text = save("second", "")  # typed where there was none yet
    assert status == 400
    assert "another window wrote" in text
    assert file.read_text() == "first\n"
    assert save("first", "")[0] == 200  # the same once more: leaving the field, then Save
    assert save("second", "first")[0] == 200
    assert file.read_text() == "second\n"


@served
def test_captions_by_a_model_are_looked_through_before_anything_is_written(app, tmp_path):
    make_blip(tmp_path / "blip")
    sets = copies.PictureSets(tmp_path / "pictures" / "sets")
    folder = sets.folder(sets.create("robots"))
    for robot in ROBOTS[:2]:
        shutil.copyfile(robot, folder / robot.name)
    before = sorted(path.name for path in folder.iterdir())
    status, _, text = posted(app, "/pictures/robots/propose", captioner="blip", model="")
    assert status == 400
    assert "None comes with the hub" in text
    posted(app, "/pictures/robots/propose", captioner="blip", model="/no/such/model")
    (job,) = jobs.all_of(tmp_path, "dataset")
    assert ended(job).state == "failed"
    assert "missing" in app(path="/pictures/robots")[2]
    asked = {"captioner": "blip", "model": str(tmp_path / "blip"), "trigger_word": "sks",
             "template": "a {trigger}, {text}"}  # fmt: skip
    assert posted(app, "/pictures/robots/propose", **asked)[0] == 303
    job = ended(jobs.all_of(tmp_path, "dataset")[0])
    assert job.state == "done", job.output
    assert "Look through the proposed captions" in app(path="/pictures/robots")[2]
    assert app(path="/pictures/robots/proposals")[2].count("a sks") >= 2
    names = [robot.name for robot in ROBOTS[:2]]
    corrected = {"picture": names, "caption": ["<b>mine</b>", ""]}
    answer = posted(app, "/pictures/robots/proposals", **corrected)[2]
    assert answer == "Corrections kept; no caption is written yet."
    assert sorted(path.name for path in folder.iterdir()) == before
    assert "&lt;b&gt;mine&lt;/b&gt;</textarea>" in app(path="/pictures/robots/proposals")[2]
    corrected["picture"] = ["../../token", names[1]]
    assert posted(app, "/pictures/robots/proposals", **corrected, wish="write")[0] == 400
    corrected["picture"] = names
    assert posted(app, "/pictures/robots/proposals", **corrected, wish="write")[0] == 303
    (written,) = folder.glob("*.txt")
    assert written.read_text() == "<b>mine</b>\n"
    assert app(path="/pictures/robots/proposals")[0] == 400  # they were used


def a_drawing(**changes):
    """What a picture says of how it was made."""
    about = {
        "prompts": ("a mug", "a cup"),
        "place": 1,
        "config": GenerateConfig(seed=5, width=72),
        "sampler": "DDIMScheduler",
        "base": "models/tiny-sd",
        "base_sha256": "0" * 64,
    }
    return Drawing(**{**about, **changes})


def dropped(app, data, name="a.png"):
    """Drop a file on the page that draws."""
    head = f'--x\r\ncontent-disposition: form-data; name="picture"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--x--\r\n"
    kind = {"content_type": "multipart/form-data; boundary=x"}
    status, headers, text = app("POST", "/draw/again", body=body, **kind)
    return status, dict(parse_qsl(urlsplit(headers.get(b"location", b"").decode()).query)), text


@served
def test_a_picture_dropped_back_in_fills_the_form(app, tmp_path, monkeypatch):
    lora = LoraUse(file="/my/lora.safetensors", weight=0.5, sha256="1" * 64)
    config = GenerateConfig(seed=5, width=72, lora_scale=0.75, negative_prompt="red")
    drawing = a_drawing(config=config, loras=(lora,), contribution="Example1")
    save_picture(Image.new("RGB", (72, 64)), tmp_path / "a.png", drawing)
    status, form, _ = dropped(app, (tmp_path / "a.png").read_bytes())
    assert status == 303
    assert form["prompt"] == "a mug\na cup"  # all of that call: the last bits depend on it
    assert (form["seed"], form["strengths"], form["negative"]) == ("5", "0.75", "red")
    assert (form["width"], form["height"]) == ("72", "64")
    assert form["lora"] == "/my/lora.safetensors:0.5"
    assert (form["by"], form.get("run", "")) == ("Example1", "")
    words = forms.words_of("generate", forms.DRAW_LEFT_OUT, form)
    again = build_parser("generate").parse_args(
        ["generate", "Example1", *words, "--prompt=a mug", "--scale=0.75"]
    )
    assert (again.width, again.steps, again.lora) == (72, 30, ["/my/lora.safetensors:0.5"])


@served
@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"0" * 99, ROBOTS[0].read_bytes()],
)
def test_a_picture_that_says_nothing_is_refused(app, data):
    status, _, text = dropped(app, data, "<b>.png")
    assert status == 400
    assert 'role="alert"' in text
    assert "<b>.png" not in text


@served
def test_a_training_of_another_folder_is_shown_once_and_only_a_training(app, tmp_path):
    status, _, text = posted(app, "/runs", folder="/etc")
    assert status == 400
    assert "There is no training in this folder." in text
    a_training(tmp_path / "far" / "mine", "Example1", done=True, data_dir="/x/<i>mug")
    address = posted(app, "/runs", folder=str(tmp_path / "far" / "mine"))[1]
    assert posted(app, "/runs", folder=str(tmp_path / "far" / "mine"))[1] == address
    text = app(path="/runs")[2]
    assert text.count("Example1 on &lt;i&gt;mug") == 1
    text = app(path=address)[2]
    assert "Another program started it" in text
    assert "Draw with it" in text
    assert "Take it away" in text
    assert app(path="/runs/folder-000000000000")[0] == 400


@served
def test_a_folder_of_a_training_cannot_make_up_words_or_pages(app, tmp_path):
    hostile = "--trust</title><script>alert(1)</script>"
    folder = a_training(tmp_path / "far", hostile, done=True, data_dir=hostile, base=hostile)
    (folder / "job-0001" / "log.jsonl").write_text(json.dumps({"step": 1, "loss": hostile}))
    address = posted(app, "/runs", folder=str(folder))[1]
    for path in ("/runs", address, "/draw"):
        status, _, text = app(path=path)
        assert status == 200
        assert "<script>alert" not in text
    assert "--trust" not in "".join(Run(read_training(folder), None).words[:2])


def test_a_contribution_takes_method_and_settings_of_a_training(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CONTRIBUTIONS", tmp_path / "CONTRIBUTIONS")
    typed = Typed("reference", {"lora": {"rank": 2}, "train": {"min_snr_gamma": 5.0}}, ("--steps",))
    monkeypatch.setattr("harness.commands.new.typed_settings", lambda folder: typed)
    assert main(["new", "Mine", "--like", "anywhere"]) == 0
    file = tmp_path / "CONTRIBUTIONS" / "Mine" / "contribution.toml"
    assert tomllib.loads(file.read_text())["settings"] == typed.tables
    assert check_folder(file.parent, root=tmp_path) == []
    assert main(["new", "Other", "--like", "anywhere", "--kind", "code"]) == 2


def test_without_its_packages_the_command_says_what_installs_them(monkeypatch, capsys):
    monkeypatch.setattr("harness.commands.app.find_spec", lambda name: None)
    assert main(["app", "--no-browser"]) == 1
    assert "nox -s app" in capsys.readouterr().err


def test_those_who_do_not_use_it_import_nothing_of_it():
    script = (
        "import sys, harness.commands.cli; print([m for m in sys.modules if 'commands.app' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


MOST_LINES = 900


def lines_of(file):
    """Lines of code: without blank ones, docstrings and comments."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".js":
        return sum(
            bool(line.strip()) and not line.strip().startswith("//") for line in text.splitlines()
        )
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    left_out = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            left_out |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in left_out
        for number, line in enumerate(text.splitlines(), 1)
    )


def test_the_app_is_a_thin_face():
    """Its Python and its script; templates and style are HTML and CSS."""
    folder = paths.ROOT / "harness" / "commands" / "app"
    files = [*folder.rglob("*.py"), *folder.rglob("*.js")]
    assert len(files) > 5
    assert sum(map(lines_of, files)) < MOST_LINES
