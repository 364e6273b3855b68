"""hub.py against a real HTTP server that answers as the Hugging Face Hub does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolkit.base_models.load import load_pipeline

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "models" / "tiny-sd"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    path.relative_to(TINY).as_posix(): path
    for path in sorted(TINY.rglob("*"))
    if path.is_file() and (path.parent != TINY or path.name == "model_index.json")
}
PROGRAM = """
import sys
from toolkit.base_models.hub import fetch
from toolkit.core.errors import BaseModelError
try:
    folder = fetch(sys.argv[1])
except BaseModelError as error:
    print(error)
else:
    print("fetched", folder)
"""


class Hub(BaseHTTPRequestHandler):
    """robots/open is there, robots/gated wants a token, nothing else exists."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/api/models/").lstrip("/")
        model = "/".join(path.split("/")[:2])
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if model == "robots/busy":
            return self.answer(500, b"")
        if model == "robots/gated" and self.headers.get("Authorization") != "Bearer hf_good":
            return self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
        if model not in ("robots/open", "robots/gated"):
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        if "/tree/" in self.path:
            tree = [{"type": "file", "path": n, "size": 1, "oid": "0" * 40} for n in FILES]
            return self.answer(200, json.dumps(tree).encode())
        if self.path.startswith("/api/"):
            siblings = [{"rfilename": name} for name in [*FILES, "unet/weights.bin"]]
            info = {"id": model, "modelId": model, "sha": COMMIT, "siblings": siblings}
            return self.answer(200, json.dumps(info).encode())
        body = FILES[path.split(f"/resolve/{COMMIT}/")[1]].read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        return self.answer(200, body, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def load(hub, tmp_path):
    """Load in a process of its own: the library reads its settings when it is imported."""

    def run(model, endpoint=None, **environment):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        address = endpoint or f"http://127.0.0.1:{hub.server_address[1]}"
        own = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        own |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM, model],
            cwd=tmp_path,
            env={**kept, **own, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_a_model_is_fetched_once_and_is_there_without_the_network_afterwards(hub, load):
    told = load("robots/open")
    assert load_pipeline(told.removeprefix("fetched ").strip()).unet.config.cross_attention_dim
    asked = [path for path, _ in hub.asked if "robots/open" in path]
    assert any(path.endswith("unet/diffusion_pytorch_model.safetensors") for path in asked)
    assert not any(path.endswith(".bin") for path in asked), "no pickle is ever fetched"
    assert "fetched" in load("robots/open", endpoint="http://127.0.0.1:9")


def test_a_gated_model_says_how_to_get_access_and_takes_the_token_from_dotenv(load, tmp_path):
    told = load("robots/gated")
    assert "accepted its licence" in told
    assert "HF_TOKEN=... into .env" in told
    assert "with the account of HF_TOKEN" in load("robots/gated", HF_TOKEN="hf_bad")
    (tmp_path / ".env").write_text("HF_TOKEN=hf_good\n")
    assert "fetched" in load("robots/gated")


@pytest.mark.parametrize(
    ("model", "endpoint", "message"),
    [
        ("robots/misspelt", None, "has no model robots/misspelt"),
        ("robots/open", "http://127.0.0.1:9", "cannot be reached"),
        ("robots/busy", None, "answered 500"),
    ],
)
def test_what_went_wrong_is_said_in_words(load, model, endpoint, message):
    told = load(model, endpoint=endpoint)
    assert message in told
    assert "fix  " in told
