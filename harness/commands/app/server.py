"""The addresses of the app, and what answers at each."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from harness import paths
from harness.commands.app import draw_pages, run_pages, set_pages
from harness.commands.app.guard import Guard, token
from harness.commands.app.web import HERE, Answer, Home, broken, in_words

BOARD_STYLE = paths.ROOT / "harness" / "board" / "static"

GETS: dict[str, Answer] = {
    "/": run_pages.start,
    "/pictures": set_pages.sets,
    "/pictures/{name}": set_pages.one_set,
    "/pictures/{name}/proposals": set_pages.proposals,
    "/train": run_pages.train,
    "/runs": run_pages.runs,
    "/runs/{id}": run_pages.one_run,
    "/draw": draw_pages.draw,
    "/jobs/{id}/file/{path:path}": run_pages.file,
}
POSTS: dict[str, Answer] = {
    "/pictures": set_pages.new_set,
    "/pictures/{name}/files": set_pages.add_files,
    "/pictures/{name}/folder": set_pages.add_folder,
    "/pictures/{name}/caption": set_pages.caption,
    "/pictures/{name}/remove": set_pages.remove,
    "/pictures/{name}/mend": set_pages.mend,
    "/pictures/{name}/propose": set_pages.ask,
    "/pictures/{name}/proposals": set_pages.use_proposals,
    "/train": run_pages.begin,
    "/train/check": run_pages.check,
    "/runs": run_pages.show_folder,
    "/runs/{id}/stop": run_pages.stop,
    "/runs/{id}/go-on": run_pages.go_on,
    "/runs/{id}/export": run_pages.take_away,
    "/runs/{id}/contribute": run_pages.contribute,
    "/draw": draw_pages.begin,
    "/draw/again": draw_pages.again,
    "/draw/{id}/stop": draw_pages.stop,
}


def make_app(folder: Path, port: int) -> ASGIApp:
    """Return the app.

    Args:
        folder: Where it keeps pictures, jobs and its token.
        port: On which it is served.
    """
    home = Home(folder)
    routes = [
        *(Route(at, in_words(answer, home), methods=["GET"]) for at, answer in GETS.items()),
        *(Route(at, in_words(answer, home), methods=["POST"]) for at, answer in POSTS.items()),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        Mount("/board", StaticFiles(directory=BOARD_STYLE)),
    ]
    inner = Starlette(routes=routes, exception_handlers={Exception: broken})
    return Guard(inner, token(folder), port)
