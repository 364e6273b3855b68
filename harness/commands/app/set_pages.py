"""The pages about pictures: sets, what is wrong with each picture, captions typed or proposed."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from harness import paths
from harness.commands.app import jobs
from harness.commands.app.web import Home, go, page, text
from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.core.native_size import native_size_px
from toolkit.picture_sets import copies, propose
from toolkit.picture_sets.render import headline, verdict

EMBEDDED = "models/tiny-sd"


def sets(home: Home, request: Request, form: FormData) -> Response:
    """List the sets."""
    return page("pictures.html", names=home.sets.names())


def new_set(home: Home, request: Request, form: FormData) -> Response:
    """Make a set."""
    return go(f"/pictures/{home.sets.create(text(form, 'name'))}")


def one_set(home: Home, request: Request, form: FormData) -> Response:
    """Show the pictures of a set, and what is wrong with each."""
    name = request.path_params["name"]
    own = native_size_px(paths.ROOT / EMBEDDED)
    typed = request.query_params.get("resolution", "")
    resolution = int(typed) // 8 * 8 if typed.isdecimal() and 16 <= int(typed) <= 4096 else own
    folder = home.sets.folder(name)
    about = {"name": name, "folder": folder, "own": own, "resolution": resolution}
    if not copies.pictures_in(folder):
        return page("set.html", report=None, **about)
    report = home.sets.report(name, resolution)
    about |= {"headline": headline(report), "verdict": verdict(report)}
    about |= {"cards": copies.cards(report), "about_all": copies.about_all(report)}
    return page("set.html", report=report, asked=newest_proposals(home, name), **about)


def add_files(home: Home, request: Request, form: FormData) -> Response:
    """Copy dropped files into a set; answer with a sentence for each that is refused."""
    refused = []
    for file in form.getlist("files"):
        if isinstance(file, UploadFile) and file.filename:
            try:
                home.sets.add(request.path_params["name"], file.filename, file.file)
            except UsageError as error:
                refused.append(f"{error.what} {error.fix}")
    return PlainTextResponse(" ".join(refused))


def add_folder(home: Home, request: Request, form: FormData) -> Response:
    """Copy a folder or a zip of this machine into a set."""
    name = request.path_params["name"]
    home.sets.take_in(name, Path(text(form, "source")).expanduser())
    return go(f"/pictures/{name}")


def caption(home: Home, request: Request, form: FormData) -> Response:
    """Save one caption."""
    picture, words, seen = (text(form, name) for name in ("picture", "caption", "seen"))
    home.sets.write_caption(request.path_params["name"], picture, words, seen)
    return PlainTextResponse("Saved.")


def remove(home: Home, request: Request, form: FormData) -> Response:
    """Take one picture out."""
    home.sets.remove(request.path_params["name"], text(form, "picture"))
    return go(f"/pictures/{request.path_params['name']}")


def mend(home: Home, request: Request, form: FormData) -> Response:
    """Make a clean copy of a set."""
    return go(f"/pictures/{home.sets.mend(request.path_params['name'])}")


# --- captions by a model ------------------------------------------------------------------------


def newest_proposals(home: Home, name: str) -> jobs.Job | None:
    """Return the newest command that proposes captions for a set, unless they were used."""
    for job in jobs.all_of(home.folder, "dataset"):
        if job.file.form.get("set") == name:
            used = job.state == "done" and not (job.out / propose.LIST).is_file()
            return None if used else job
    return None


def ask(home: Home, request: Request, form: FormData) -> Response:
    """Have a model propose captions; nothing of the set is written."""
    name = request.path_params["name"]
    words = ["caption", str(home.sets.folder(name)), f"--caption={text(form, 'captioner')}",
             f"--caption-model={Path(text(form, 'model')).expanduser()}", "--keep-in={out}",
             f"--template={text(form, 'template') or '{text}'}",
             f"--trigger-word={text(form, 'trigger_word')}"]  # fmt: skip
    if not text(form, "model"):
        raise UsageError(
            "No model was named. None comes with the hub, and none is fetched.",
            fix="Download one once yourself: docs/scraping.md says from where. Then name its "
            "folder. Or type the captions: one line says what is on a picture.",
        )
    jobs.create(home.folder, "dataset", words + ["--all"] * bool(text(form, "all")), {"set": name})
    return go(f"/pictures/{name}#captions")


def proposals(home: Home, request: Request, form: FormData) -> Response:
    """Show the proposed captions beside their pictures, to be corrected."""
    name = request.path_params["name"]
    job = newest_proposals(home, name)
    if job is None or job.state != "done":
        raise UsageError("There are no proposed captions.", fix="Have some proposed first.")
    texts = propose.read_lines(job.out / propose.LIST)
    report = home.sets.report(name, native_size_px(paths.ROOT / EMBEDDED))
    cards = [(card, texts.get(card.name, card.caption)) for card in copies.cards(report)]
    return page("proposals.html", name=name, cards=cards)


def use_proposals(home: Home, request: Request, form: FormData) -> Response:
    """Keep corrections, write the captions beside their pictures, or throw the proposals away."""
    name, wish = request.path_params["name"], text(form, "wish")
    job = newest_proposals(home, name)
    if job is None:
        raise UsageError("The proposals were used or thrown away.", fix="Load the page again.")
    told = zip(form.getlist("picture"), form.getlist("caption"), strict=True)
    corrected = [propose.Proposal(str(picture), str(line), "") for picture, line in told]
    if wish == "write":
        for one in corrected:
            if one.text.strip():
                home.sets.write_caption(name, one.name, one.text)
    if wish in ("write", "drop"):
        (job.out / propose.LIST).unlink(missing_ok=True)
        return go(f"/pictures/{name}")
    atomic.write_text(job.out / propose.LIST, propose.as_lines(corrected))
    return PlainTextResponse("Corrections kept; no caption is written yet.")
