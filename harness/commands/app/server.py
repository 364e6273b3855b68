"""The addresses of the app, and what is done there: forms in, commands and pages out."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.responses import RedirectResponse as Redirect
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from harness import paths
from harness.commands import cli, export
from harness.commands.app import choices, jobs, pictures, watching
from harness.commands.app.guard import Guard, token
from harness.commands.new import check_name
from toolkit.core.errors import HubError, UsageError
from toolkit.core.native_size import native_size_px
from toolkit.core.settings import REFERENCE_NAME
from toolkit.core.templates import render
from toolkit.drawings.metadata import a1111_parameters, read_drawing
from toolkit.picture_sets.render import headline, verdict
from toolkit.training_runs.own_folder import RECIPE_FILE

HERE = Path(__file__).parent
BOARD_STYLE = paths.ROOT / "harness" / "board" / "static"
EMBEDDED = "models/tiny-sd"
MOST_FILES = 5000  # dropped at once
# Each column is a process with a base in memory.
MOST_COLUMNS = 4
GROUPS_SHOWN = 12
STRENGTH = re.compile(r"-?\d{1,3}(\.\d{1,6})?")

Answer = Callable[[Request, FormData], Response]


class App:
    """The pages.

    Args:
        home: Where pictures and jobs are kept.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sets = pictures.PictureSets(home)

    def routes(self) -> list[Route | Mount]:
        """Return what answers at which address."""
        gets: dict[str, Answer] = {
            "/": self.start,
            "/pictures": self.pictures,
            "/pictures/{name}": self.one_set,
            "/train": self.train,
            "/runs": self.runs,
            "/runs/{id}": self.one_run,
            "/draw": self.draw,
            "/jobs/{id}/file/{path:path}": self.file,
        }
        posts: dict[str, Answer] = {
            "/pictures": self.new_set,
            "/pictures/{name}/files": self.add_files,
            "/pictures/{name}/folder": self.add_folder,
            "/pictures/{name}/caption": self.caption,
            "/pictures/{name}/remove": self.remove,
            "/pictures/{name}/mend": self.mend,
            "/train": self.begin,
            "/train/check": self.check,
            "/jobs/{id}/stop": self.stop,
            "/jobs/{id}/go-on": self.go_on,
            "/runs/{id}/export": self.export,
            "/runs/{id}/contribute": self.contribute,
            "/draw": self.begin_drawing,
        }
        return [
            *(Route(path, in_words(answer), methods=["GET"]) for path, answer in gets.items()),
            *(Route(path, in_words(answer), methods=["POST"]) for path, answer in posts.items()),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Mount("/board", StaticFiles(directory=BOARD_STYLE)),
        ]

    # --- pictures -------------------------------------------------------------------------------

    def start(self, request: Request, form: FormData) -> Response:
        """Show where to begin, or the trainings if there are any."""
        return Redirect("/runs" if jobs.all_of(self.home, "train") else "/pictures", 303)

    def pictures(self, request: Request, form: FormData) -> Response:
        """List the sets."""
        return page("pictures.html", names=self.sets.names())

    def new_set(self, request: Request, form: FormData) -> Response:
        """Make a set."""
        return Redirect(f"/pictures/{self.sets.create(text(form, 'name'))}", 303)

    def one_set(self, request: Request, form: FormData) -> Response:
        """Show the pictures of a set, and what is wrong with each."""
        name = request.path_params["name"]
        own = native_size_px(paths.ROOT / EMBEDDED)
        typed = request.query_params.get("resolution", "")
        resolution = int(typed) // 8 * 8 if typed.isdecimal() and 16 <= int(typed) <= 4096 else own
        folder = self.sets.folder(name)
        about = {"name": name, "folder": folder, "own": own, "resolution": resolution}
        if not pictures.pictures_in(folder):
            return page("set.html", report=None, **about)
        report = self.sets.report(name, resolution)
        about |= {"headline": headline(report), "verdict": verdict(report)}
        about |= {"cards": pictures.cards(report), "about_all": pictures.about_all(report)}
        return page("set.html", report=report, **about)

    def add_files(self, request: Request, form: FormData) -> Response:
        """Copy dropped files into a set; answer with a sentence for each that is refused."""
        refused = []
        for file in form.getlist("files"):
            if isinstance(file, UploadFile) and file.filename:
                try:
                    self.sets.add(request.path_params["name"], file.filename, file.file)
                except UsageError as error:
                    refused.append(f"{error.what} {error.fix}")
        return PlainTextResponse(" ".join(refused))

    def add_folder(self, request: Request, form: FormData) -> Response:
        """Copy a folder or a zip of this machine into a set."""
        name = request.path_params["name"]
        self.sets.take_in(name, Path(text(form, "source")).expanduser())
        return Redirect(f"/pictures/{name}", 303)

    def caption(self, request: Request, form: FormData) -> Response:
        """Save one caption."""
        name = request.path_params["name"]
        self.sets.write_caption(name, text(form, "picture"), text(form, "caption"))
        return PlainTextResponse("Saved.")

    def remove(self, request: Request, form: FormData) -> Response:
        """Take one copy out of a set."""
        name = request.path_params["name"]
        self.sets.remove(name, text(form, "picture"))
        return Redirect(f"/pictures/{name}", 303)

    def mend(self, request: Request, form: FormData) -> Response:
        """Make a clean copy of a set."""
        return Redirect(f"/pictures/{self.sets.mend(request.path_params['name'])}", 303)

    # --- training -------------------------------------------------------------------------------

    def train(self, request: Request, form: FormData) -> Response:
        """Show the form of a training; a run's own choices are filled in again."""
        like = request.query_params.get("like")
        begun = {"name": REFERENCE_NAME, "base": EMBEDDED, "sample_every": "50"}
        begun |= {"pictures": request.query_params.get("pictures", "")}
        chosen = jobs.find(self.home, like).file.form if like else begun
        methods = sorted(choices.methods(), key=lambda method: method.name != chosen["name"])
        names, lines = self.sets.names(), choices.train_form()
        return page("train.html", names=names, methods=methods, lines=lines, chosen=chosen)

    def begin(self, request: Request, form: FormData) -> Response:
        """Start a training."""
        job = jobs.create(self.home, "train", self.train_words(form), texts(form))
        return Redirect(f"/runs/{job.id}", 303)

    def check(self, request: Request, form: FormData) -> Response:
        """Say what a training would do, in the words of its dry run, and what to type for it."""
        words = ["train", *self.train_words(form, "runs/trained/NAME")]
        # In a process of its own: what a contribution's folder holds is read there.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "harness", *words, "--dry-run"],
            cwd=paths.ROOT, capture_output=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        fault = jobs.fault_in(done.stderr) if done.returncode else None
        said = f"{fault.what} {fault.fix}" if fault else done.stdout.partition("Nothing was")[0]
        hints = "" if fault else done.stderr
        return PlainTextResponse(f"{said.strip()}\n{hints}\n{jobs.typed(words)}")

    def train_words(self, form: FormData, out: str = "{out}") -> list[str]:
        """Return the command of a training.

        Raises:
            UsageError: There are no such pictures, or no such method.
        """
        if not text(form, "pictures"):
            raise UsageError("No pictures were chosen.", fix="Make a set on Pictures first.")
        data, base = self.sets.folder(text(form, "pictures")), text(form, "base") or EMBEDDED
        rest = choices.words_of("train", choices.TRAIN_LEFT_OUT, texts(form))
        return [known(text(form, "name")), f"--data={data}", f"--base={base}", f"--out={out}",
                *rest]  # fmt: skip

    def runs(self, request: Request, form: FormData) -> Response:
        """Show all trainings side by side."""
        found = [(job, watching.watch(job)) for job in jobs.all_of(self.home, "train")]
        return page("runs.html", runs=found)

    def one_run(self, request: Request, form: FormData) -> Response:
        """Show a training as far as it is, and what can be done with it."""
        job = jobs.find(self.home, request.path_params["id"])
        both = (*jobs.all_of(self.home, "export"), *jobs.all_of(self.home, "new"))
        followers = [one for one in both if one.file.form.get("run") == job.id]
        file = job.out / RECIPE_FILE
        recipe = file.read_text(encoding="utf-8") if file.is_file() else ""
        return page("run.html", job=job, run=watching.watch(job), followers=followers,
                    formats=export.FORMATS, recipe=recipe)  # fmt: skip

    def stop(self, request: Request, form: FormData) -> Response:
        """Ask a job to stop."""
        job = jobs.find(self.home, request.path_params["id"])
        job.stop()
        return Redirect(f"/runs/{job.id}" if job.file.kind == "train" else "/draw", 303)

    def go_on(self, request: Request, form: FormData) -> Response:
        """Go on with a training that was stopped."""
        job = jobs.find(self.home, request.path_params["id"])
        job.start()
        return Redirect(f"/runs/{job.id}", 303)

    def file(self, request: Request, form: FormData) -> Response:
        """Send a file that a job wrote: a picture to be shown, all else to be kept."""
        job = jobs.find(self.home, request.path_params["id"])
        path = (job.out / request.path_params["path"]).resolve()
        # What a run wrote is a stranger's: a link in it must not lead elsewhere.
        if not path.is_relative_to(job.out.resolve()) or not path.is_file():
            raise UsageError("There is no such file.", fix="Load the page again.")
        kept = "download" in request.query_params or path.suffix != ".png"
        return FileResponse(path, filename=path.name if kept else None)

    # --- afterwards -----------------------------------------------------------------------------

    def export(self, request: Request, form: FormData) -> Response:
        """Write a training as a file for other programs."""
        job = jobs.find(self.home, request.path_params["id"])
        name, form_of_file = job.file.words[1], text(form, "format")
        ending = "" if form_of_file in ("merged", "peft") else ".safetensors"
        words = [name, f"--format={form_of_file}", f"--run={job.out}", "--no-pictures",
                 f"--out={{out}}/{name}{ending}"]  # fmt: skip
        jobs.create(self.home, "export", words, {"run": job.id, "format": form_of_file})
        return Redirect(f"/runs/{job.id}#away", 303)

    def contribute(self, request: Request, form: FormData) -> Response:
        """Make a contribution that starts from what was trained with."""
        job = jobs.find(self.home, request.path_params["id"])
        source = job.file.words[1]
        like = [] if source == REFERENCE_NAME else [f"--from={source}"]
        name = text(form, "name")
        check_name(name)
        jobs.create(self.home, "new", [name, *like], {"run": job.id})
        return Redirect(f"/runs/{job.id}#contribute", 303)

    # --- drawing --------------------------------------------------------------------------------

    def draw(self, request: Request, form: FormData) -> Response:
        """Show the form of a drawing and what was drawn, the newest first."""
        found: dict[str, list[jobs.Job]] = {}
        for job in jobs.all_of(self.home, "generate"):
            found.setdefault(job.file.form["group"], []).append(job)
        newest = list(found.values())[:GROUPS_SHOWN]
        done = [job for job in jobs.all_of(self.home, "train") if job.state == "done"]
        chosen = {**(newest[0][0].file.form if newest else {}), **request.query_params}
        groups = [[(one, drawn_by(one)) for one in sorted(some, key=column)] for some in newest]
        lines = choices.draw_form()
        return page("draw.html", runs=done, groups=groups, lines=lines, chosen=chosen)

    def begin_drawing(self, request: Request, form: FormData) -> Response:
        """Draw one column for each run and strength."""
        prompts = [line.strip() for line in text(form, "prompt").splitlines() if line.strip()]
        strengths = re.split(r"[\s,;]+", text(form, "strengths") or "1")
        runs = [jobs.find(self.home, str(name)) for name in form.getlist("run")]
        if not prompts or not runs:
            raise UsageError("A drawing needs a prompt and a training.", fix="Choose both.")
        if len(runs) * len(strengths) > MOST_COLUMNS:
            fix = f"Choose at most {MOST_COLUMNS} in all: trainings times strengths."
            raise UsageError("That is too much to draw at once.", fix=fix)
        if not all(STRENGTH.fullmatch(strength) for strength in strengths):
            raise UsageError("A strength is a number.", fix="Such as 0.8; several: 0 0.5 1")
        rest = choices.words_of("generate", choices.DRAW_LEFT_OUT, texts(form))
        group = secrets.token_hex(4)
        for run in runs:
            for strength in strengths:
                words = [run.file.words[1], f"--run={run.out}", "--out={out}", *rest,
                         *(f"--prompt={prompt}" for prompt in prompts), f"--scale={strength}",
                         f"--seed={text(form, 'seed') or '0'}"]  # fmt: skip
                if text(form, "negative"):
                    words.append(f"--negative={text(form, 'negative')}")
                kept = {**texts(form), "run": run.id, "strength": strength, "group": group}
                jobs.create(self.home, "generate", words, kept)
        return Redirect("/draw", 303)


def column(job: jobs.Job) -> tuple[str, float]:
    """Return where a drawing stands beside the others: by training, then by strength."""
    return job.file.form["run"], float(job.file.form["strength"])


def drawn_by(job: jobs.Job) -> list[tuple[str, str]]:
    """Return the pictures of a drawing, below its out/, with the words of their settings."""
    found = []
    for path in sorted(job.out.glob("*.png")):
        try:
            found.append((path.name, a1111_parameters(read_drawing(path))))
        except UsageError:
            continue  # the grid, or half of a picture
    return found


def known(name: str) -> str:
    """Return the name of a contribution or the reference.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in {method.name for method in choices.methods()}:
        raise UsageError(f"There is no contribution {name[:40]!r}.", fix="Choose one of the list.")
    return name


def text(form: FormData, name: str) -> str:
    """Return a field of a form, "" if it is not there."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts(form: FormData) -> dict[str, str]:
    """Return all fields of a form that are text, the last of each name."""
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    here = template.removesuffix(".html")
    return HTMLResponse(render(HERE / "templates" / template, here=here, **values), status)


def in_words(answer: Answer) -> Callable[[Request], Any]:
    """Wrap what answers an address: what goes wrong becomes a sentence on the page."""

    async def endpoint(request: Request) -> Response:
        try:
            async with request.form(max_files=MOST_FILES) as form:
                return await run_in_threadpool(answer, request, form)
        except HubError as error:
            return refused(request, error, 400)
        except OSError as error:
            if not cli.is_refusal(error):
                raise
            return refused(request, cli.refused(error), 507)

    return endpoint


def refused(request: Request, error: HubError, status: int) -> Response:
    """Return a sentence: as text to a script of the page, else as a page."""
    if request.headers.get("accept") == "text/plain":
        return PlainTextResponse(f"{error.what} {error.fix or ''}", status)
    return page("error.html", status, error=error)


async def broken(request: Request, error: Exception) -> Response:
    """Answer for a fault of the hub itself; the terminal has the traceback."""
    sentence = HubError(
        f"The app has a fault here: {type(error).__name__}.",
        fix="The terminal that runs it says more. Trainings are not touched.",
    )
    return refused(request, sentence, 500)


def make_app(home: Path, port: int) -> ASGIApp:
    """Return the app.

    Args:
        home: Where it keeps pictures, jobs and its token.
        port: On which it is served.
    """
    inner = Starlette(routes=App(home).routes(), exception_handlers={Exception: broken})
    return Guard(inner, token(home), port)
