"""``app``: a page on this machine to train, watch and compare on; a face of the other commands.

What its modules do:

server.py       addresses, and what answers at each
guard.py        who may ask: this machine's browser, with the token, from the page itself
set_pages.py    pages about pictures: copies, captions, what the preflight finds
run_pages.py    pages about trainings: choosing, watching, taking away
draw_pages.py   the page to draw and compare on
web.py          what all pages need: fields, templates, faults as sentences
runs.py         trainings, whether the app started them or not
jobs.py         commands as processes of their own, found again from their folders
child.py        such a process

What they show is made elsewhere: `harness/commands/forms.py`, `harness/board/advice.py`,
`harness/runs/trainings.py` and `watching.py`, `toolkit/picture_sets/copies.py`.
"""

from __future__ import annotations

import argparse
import webbrowser
from importlib.util import find_spec

from harness import paths
from toolkit.core.errors import EnvironmentFault
from toolkit.core.listening import listen

PORT = 7864
PACKAGES = {"starlette": "starlette", "uvicorn": "uvicorn", "multipart": "python-multipart"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--port", type=int, default=PORT, help="of 127.0.0.1 (default: %(default)s)")
    add("--no-browser", action="store_true", help="only print the address")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; what it started goes on."""
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise EnvironmentFault(
            f"The app needs {', '.join(missing)}, which is not installed.",
            fix="nox -s app installs the extra `app` and opens the page.",
        )
    import uvicorn

    from harness.commands.app.guard import token
    from harness.commands.app.server import make_app

    home = paths.RUNS / "app"
    fix = "The app may be open already; or choose another one: nox -s app -- --port 7865"
    with listen(args.port, fix) as connection:
        port = connection.getsockname()[1]
        address = f"http://127.0.0.1:{port}/?token={token(home)}"
        print(f"The app is at {address}\nCtrl-C ends the page; trainings go on.", flush=True)
        if not args.no_browser:
            webbrowser.open(address)
        config = uvicorn.Config(
            make_app(home, port), log_level="warning", server_header=False, lifespan="off"
        )
        uvicorn.Server(config).run(sockets=[connection])
    return 0
