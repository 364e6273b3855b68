"""The pages about trainings: choosing a method, watching, taking the file away."""

from __future__ import annotations

import subprocess
import sys

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from harness import paths
from harness.board import advice
from harness.commands import export, forms
from harness.commands.app import jobs
from harness.commands.app.runs import Run, all_runs, find_run, show
from harness.commands.app.set_pages import EMBEDDED
from harness.commands.app.web import Home, go, page, text, texts
from harness.commands.new import check_name
from harness.runs.watching import watch
from toolkit.core.command_line import fault_in
from toolkit.core.errors import UsageError
from toolkit.core.settings import REFERENCE_NAME
from toolkit.training_runs.presets import PRESETS


def start(home: Home, request: Request, form: FormData) -> Response:
    """Show where to begin, or the trainings if there are any."""
    return go("/runs" if all_runs(home.folder) else "/pictures")


def train(home: Home, request: Request, form: FormData) -> Response:
    """Show the form of a training, perhaps filled in like an earlier one."""
    like, kinds = request.query_params.get("like"), advice.kinds()
    chosen = {"name": REFERENCE_NAME, "base": EMBEDDED, "kind": "subject",
              **(jobs.find(home.folder, like).file.form if like else {}),
              **request.query_params}  # fmt: skip
    if chosen["kind"] in PRESETS:
        chosen.setdefault("preset", chosen["kind"])
    first = {one.name: one.why for one in advice.recommended(chosen["kind"])}
    methods = {method.name: method for method in advice.advised()}
    near = [methods[name] for name in dict.fromkeys((REFERENCE_NAME, *first, chosen["name"]))
            if name in methods]  # fmt: skip
    others = [method for method in methods.values() if method not in near]
    return page("train.html", names=home.sets.names(), kinds=kinds, near=near, others=others,
                first=first, lines=forms.train_form(), chosen=chosen)  # fmt: skip


def begin(home: Home, request: Request, form: FormData) -> Response:
    """Start a training."""
    job = jobs.create(home.folder, "train", train_words(home, form), texts(form))
    return go(f"/runs/{job.id}")


def check(home: Home, request: Request, form: FormData) -> Response:
    """Say what a training would do and take, in the command's own words, and what to type."""
    words = ["train", *train_words(home, form, "runs/trained/NAME")]
    # In a process of its own: what a contribution's folder holds is read there, and torch loaded.
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "harness", *words, "--estimate"],
        cwd=paths.ROOT, capture_output=True, encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    fault = fault_in(done.stderr) if done.returncode else None
    said = f"{fault.what} {fault.fix}" if fault else done.stdout.partition("Nothing was")[0]
    hints = "" if fault else done.stderr
    return PlainTextResponse(f"{said.strip()}\n{hints}\n{jobs.typed(words)}")


def train_words(home: Home, form: FormData, out: str = "{out}") -> list[str]:
    """Return the command of a training.

    Raises:
        UsageError: There are no such pictures, or no such method.
    """
    if not text(form, "pictures"):
        raise UsageError("No pictures were chosen.", fix="Make a set on Pictures first.")
    name = text(form, "name")
    if name not in {method.name for method in advice.advised()}:
        raise UsageError(f"There is no contribution {name[:40]!r}.", fix="Choose one of the list.")
    data, base = home.sets.folder(text(form, "pictures")), text(form, "base") or EMBEDDED
    rest = forms.words_of("train", forms.TRAIN_LEFT_OUT, texts(form))
    return [name, f"--data={data}", f"--base={base}", f"--out={out}", *rest]


def runs(home: Home, request: Request, form: FormData) -> Response:
    """Show all trainings side by side."""
    found = [(run, watch(run.out)) for run in all_runs(home.folder)]
    return page("runs.html", runs=found)


def show_folder(home: Home, request: Request, form: FormData) -> Response:
    """Show a training of another folder."""
    return go(f"/runs/{show(home.folder, text(form, 'folder'))}")


def one_run(home: Home, request: Request, form: FormData) -> Response:
    """Show a training as far as it is, and what can be done with it."""
    run = asked(home, request)
    both = (*jobs.all_of(home.folder, "export"), *jobs.all_of(home.folder, "new"))
    followers = [one for one in both if one.file.form.get("run") == run.id]
    recipe = run.recipe.read_text("utf-8", "replace") if run.recipe.is_file() else ""
    return page("run.html", run=run, watched=watch(run.out), followers=followers,
                formats=export.FORMATS, recipe=recipe, is_set=run.pictures in home.sets.names()
                )  # fmt: skip


def asked(home: Home, request: Request) -> Run:
    """Return the training of an address."""
    return find_run(home.folder, request.path_params["id"])


def stop(home: Home, request: Request, form: FormData) -> Response:
    """Ask a training to stop."""
    asked(home, request).stop()
    return go(f"/runs/{request.path_params['id']}")


def go_on(home: Home, request: Request, form: FormData) -> Response:
    """Go on with a training that was stopped."""
    return go(f"/runs/{asked(home, request).go_on(home.folder)}")


def file(home: Home, request: Request, form: FormData) -> Response:
    """Send a file that a command wrote: a picture to be shown, all else to be kept."""
    name = request.path_params["id"]
    is_run = name.startswith(("folder-", "train-"))
    out = (find_run(home.folder, name) if is_run else jobs.find(home.folder, name)).out
    path = (out / request.path_params["path"]).resolve()
    # What a run wrote is a stranger's: a link in it must not lead elsewhere.
    if not path.is_relative_to(out.resolve()) or not path.is_file():
        raise UsageError("There is no such file.", fix="Load the page again.")
    kept = "download" in request.query_params or path.suffix != ".png"
    return FileResponse(path, filename=path.name if kept else None)


def take_away(home: Home, request: Request, form: FormData) -> Response:
    """Write a training as a file for other programs."""
    run, form_of_file = asked(home, request), text(form, "format")
    ending = "" if form_of_file in ("merged", "peft") else ".safetensors"
    made = f"{run.pictures}-{run.name}" if run.pictures in home.sets.names() else run.name
    words = [run.name, f"--format={form_of_file}", f"--run={run.out}", "--no-pictures",
             f"--out={{out}}/{made}{ending}"]  # fmt: skip
    jobs.create(home.folder, "export", words, {"run": run.id, "format": form_of_file})
    return go(f"/runs/{run.id}#away")


def contribute(home: Home, request: Request, form: FormData) -> Response:
    """Make a contribution of the method and the settings that were typed for a training."""
    run, name = asked(home, request), text(form, "name")
    check_name(name)
    jobs.create(home.folder, "new", [name, f"--like={run.out}"], {"run": run.id, "name": name})
    return go(f"/runs/{run.id}#contribute")
