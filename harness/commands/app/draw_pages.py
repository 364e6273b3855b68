"""The page on which trainings are drawn with and compared."""

from __future__ import annotations

import contextlib
import re
import secrets
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from harness.commands import forms
from harness.commands.app import jobs
from harness.commands.app.runs import Run, all_runs, find_run
from harness.commands.app.web import Home, go, page, text, texts
from harness.commands.generate import named, options_of
from harness.runs.export.source import find_source
from toolkit.core.errors import HubError, UsageError
from toolkit.drawings.loras import tensors_hash
from toolkit.drawings.metadata import Drawing, a1111_parameters, read_drawing
from toolkit.training_runs.own_folder import ADAPTERS

# Each column is a process with a base in memory.
MOST_COLUMNS = 4
GROUPS_SHOWN = 12
STRENGTH = re.compile(r"-?\d{1,3}(\.\d{1,6})?")
MOST_BYTES = 64 << 20  # of a picture that is dropped back in


def draw(home: Home, request: Request, form: FormData) -> Response:
    """Show the form of a drawing and what was drawn, the newest first."""
    found: dict[str, list[jobs.Job]] = {}
    for job in jobs.all_of(home.folder, "generate"):
        found.setdefault(job.file.form["group"], []).append(job)
    newest = list(found.items())[:GROUPS_SHOWN]
    given = dict(request.query_params)
    before = newest[0][1][0].file.form if newest and "prompt" not in given else {}
    groups = [(group, [(one, drawn_by(one)) for one in sorted(some, key=column)])
              for group, some in newest]  # fmt: skip
    return page("draw.html", runs=finished(home), groups=groups, lines=forms.draw_form(),
                chosen={**before, **given})  # fmt: skip


def finished(home: Home) -> list[Run]:
    """Return the trainings that can be drawn with."""
    return [run for run in all_runs(home.folder) if run.state == "done" and run.name]


def begin(home: Home, request: Request, form: FormData) -> Response:
    """Draw one column for each run and strength."""
    prompts = [line.strip() for line in text(form, "prompt").splitlines() if line.strip()]
    strengths = re.split(r"[\s,;]+", text(form, "strengths") or "1")
    runs = [find_run(home.folder, str(name)) for name in form.getlist("run")]
    if not prompts or not runs:
        raise UsageError("A drawing needs a prompt and a training.", fix="Choose both.")
    if len(runs) * len(strengths) > MOST_COLUMNS:
        fix = f"Choose at most {MOST_COLUMNS} in all: trainings times strengths."
        raise UsageError("That is too much to draw at once.", fix=fix)
    if not all(STRENGTH.fullmatch(strength) for strength in strengths):
        raise UsageError("A strength is a number.", fix="Such as 0.8; several: 0 0.5 1")
    rest = forms.words_of("generate", forms.DRAW_LEFT_OUT, texts(form))
    group = secrets.token_hex(4)
    for run in runs:
        for strength in strengths:
            words = [run.name, f"--run={run.out}", "--out={out}", *rest,
                     *(f"--prompt={prompt}" for prompt in prompts), f"--scale={strength}",
                     f"--seed={text(form, 'seed') or '0'}"]  # fmt: skip
            if text(form, "negative"):
                words.append(f"--negative={text(form, 'negative')}")
            kept = {**texts(form), "run": run.id, "strength": strength, "group": group}
            jobs.create(home.folder, "generate", words, kept)
    return go("/draw")


def stop(home: Home, request: Request, form: FormData) -> Response:
    """Stop one column."""
    jobs.find(home.folder, request.path_params["id"]).stop()
    return go("/draw")


def again(home: Home, request: Request, form: FormData) -> Response:
    """Fill the form with what a picture says of how it was made."""
    file = form.get("picture")
    if not isinstance(file, UploadFile) or not file.filename:
        raise UsageError("No picture was chosen.", fix="Drop a PNG that was drawn here.")
    if (file.size or 0) > MOST_BYTES:
        raise UsageError("The picture is larger than 64 MiB.", fix="Drop one that was drawn here.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        path.write_bytes(file.file.read())
        try:
            drawing = read_drawing(path)
        except UsageError as error:  # without the place: it is gone when it is read
            raise UsageError(error.what, where=file.filename[:80], fix=error.fix) from error
    return go(f"/draw?{urlencode(form_of(home, drawing))}")


def form_of(home: Home, drawing: Drawing) -> dict[str, str]:
    """Return the form that draws a picture again, all that was drawn with it included."""
    run = trained_as(home, drawing)
    filled = options_of(drawing)
    filled |= {"strengths": filled.pop("scale"), "by": drawing.contribution or "the base alone"}
    if run and named(find_source(run.name, None, run.out, None).base) != drawing.base:
        filled["base"] = drawing.base
    return filled | {"run": run.id if run else ""}


def trained_as(home: Home, drawing: Drawing) -> Run | None:
    """Return the training whose adapter drew a picture: by its tensors, wherever it lies now."""
    for run in finished(home):
        try:
            if tensors_hash(run.out / ADAPTERS[0]) == drawing.adapter_sha256:
                return run
        except (HubError, OSError):
            continue  # it left another kind of file
    return None


def column(job: jobs.Job) -> tuple[str, float]:
    """Return where a drawing stands beside the others: by training, then by strength."""
    return job.file.form["run"], float(job.file.form["strength"])


def drawn_by(job: jobs.Job) -> list[tuple[str, str]]:
    """Return the pictures of a drawing, below its out/, with the words of their settings."""
    found = []
    for path in job.out.glob("*.png"):
        with contextlib.suppress(UsageError):  # the grid, or half of a picture
            found.append((read_drawing(path), path.name))
    found.sort(key=lambda one: one[0].place)
    return [(name, a1111_parameters(drawing)) for drawing, name in found]
