"""What all pages need: a form's fields, templates, faults as sentences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.responses import RedirectResponse as Redirect

from harness.commands import cli
from toolkit.core.errors import HubError
from toolkit.core.templates import render
from toolkit.picture_sets.copies import PictureSets

HERE = Path(__file__).parent
MOST_FILES = 5000  # dropped at once


class Home(NamedTuple):
    """Where the app keeps things."""

    folder: Path

    @property
    def sets(self) -> PictureSets:
        """The sets of pictures: so deep that `clean` takes none of them for a run of a track."""
        return PictureSets(self.folder / "pictures" / "sets")


Answer = Callable[[Home, Request, FormData], Response]


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


def go(address: str) -> Response:
    """Lead the browser on after a form."""
    return Redirect(address, 303)


def in_words(answer: Answer, home: Home) -> Callable[[Request], Any]:
    """Wrap what answers an address: what goes wrong becomes a sentence on the page."""

    async def endpoint(request: Request) -> Response:
        try:
            async with request.form(max_files=MOST_FILES) as form:
                return await run_in_threadpool(partial(answer, home), request, form)
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
