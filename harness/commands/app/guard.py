"""Who may ask: the browser of this machine that has the token, from the page itself.

Other programs and pages of the machine reach 127.0.0.1 too, and some pages of the web try to.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolkit.core.errors import UsageError

COOKIE = "hub_app"
LENGTH = 32
# Nothing from elsewhere, no script or style but the page's own files.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CLOSED = "This page opens with the address that `nox -s app` printed, the whole of it."


def token(home: Path) -> str:
    """Return the secret of this folder, made once: an open tab outlives the server.

    Raises:
        UsageError: The file holds something else.
    """
    file = home / "token"
    if not file.is_file():
        home.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(LENGTH), encoding="ascii")
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if len(text) < LENGTH or not text.replace("-", "").replace("_", "").isalnum():
        raise UsageError("The app's token is damaged.", where=str(file), fix="Delete the file.")
    return text


class Guard:
    """Refuses what does not come from the page, and hands the token over as a cookie.

    Args:
        app: What answers the others.
        secret: The token.
        port: On which the server listens.
    """

    def __init__(self, app: ASGIApp, secret: str, port: int) -> None:
        self._app = app
        self._secret = secret
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return  # no web sockets here
        answer = self._refusal(scope)
        if answer is not None:
            await answer(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        request = HTTPConnection(scope)
        host = request.headers.get("host", "")
        if host not in self._hosts:  # a name of the web that leads here
            return PlainTextResponse(CLOSED, 403)
        if self._is_secret(request.query_params.get("token", "")):
            answer = RedirectResponse(scope["path"], 303)
            answer.set_cookie(COOKIE, self._secret, httponly=True, samesite="strict")
            return answer
        if not self._is_secret(request.cookies.get(COOKIE, "")):
            return PlainTextResponse(CLOSED, 403)
        # Other ports of this machine are the same site to a browser, so the cookie comes along.
        own = request.headers.get("origin") == f"http://{host}"
        if scope["method"] not in ("GET", "HEAD") and not own:
            return PlainTextResponse("Only the app's own page may do that.", 403)
        return None

    def _is_secret(self, given: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._secret.encode())
