"""The readers, each as a function of bytes that returns, or raises a HubError, and nothing else.

``SEEDS`` holds a good file for each, from which damaged ones are made.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from pydantic import ValidationError

from harness import paths
from harness.check import check_folder
from harness.contributions.file import parse
from harness.contributions.registry import registry_says
from harness.protocol.row_files import read_row
from harness.sandbox.events import EventReader, without_control
from harness.sandbox.resource_use import read_spent
from harness.worker.jobs import Answer
from tests.harness.support import example_row
from toolkit.core.errors import HubError
from toolkit.core.settings import GenerateConfig
from toolkit.drawings.metadata import Drawing, read_drawing, save_picture
from toolkit.images.decode import load_rgb
from toolkit.images.decode import read_header as read_header_of_picture
from toolkit.images.headers import Picture
from toolkit.images.sheet import open_picture
from toolkit.lora_files.header import read_header
from toolkit.lora_files.read import read_lora
from toolkit.picture_sets.captions import read_caption
from toolkit.picture_sets.metadata import read_lists

Reader = Callable[[bytes], object]

_folder = Path(tempfile.mkdtemp(prefix="hub-fuzz-"))


def _file(name: str, data: bytes) -> Path:
    path = _folder / name
    path.write_bytes(data)
    return path


def toml(data: bytes) -> object:
    """contribution.toml: faults with lines, or a record."""
    return parse(data)


def row(data: bytes) -> object:
    """A row of the board."""
    return read_row(_file("row.json", data))


def answer(data: bytes) -> object:
    """A worker's answer; the parent takes ValueError for "not an answer"."""
    try:
        return Answer.model_validate_json(data)
    except ValidationError:
        return None


def spent(data: bytes) -> object:
    """What a child used."""
    _file("spent.json", data)
    return read_spent(_folder)


def events(data: bytes) -> object:
    """The progress lines of a worker."""
    reader = EventReader(_file("events.jsonl", data))
    return [*reader.new(), *reader.new()]


def picture(data: bytes) -> object:
    """A picture: header and pixels."""
    return open_picture(_file("picture", data)).size


def safetensors_header(data: bytes) -> object:
    """The header of a LoRA file or delta."""
    return read_header(_file("delta.safetensors", data))


def delta(data: bytes) -> object:
    """A delta, as the scorer reads it."""
    from torch import nn

    from toolkit.deltas.file import read_delta

    models: dict[str, nn.Module] = {"unet": nn.Linear(3, 2), "text_encoder": nn.Linear(2, 2)}
    return read_delta(_file("delta.safetensors", data), models)


def folder(data: bytes) -> object:
    """A folder whose caption, picture and code are the same bytes, through every static rule."""
    root = _folder / "CONTRIBUTIONS" / "Fuzzed"
    for name in ("src/main.py", "Dataset/ImageCaptions/a.txt", "Dataset/Images/a.png", "README.md"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "contribution.toml").write_bytes(SEEDS["toml"])
    return check_folder(root, root=_folder)


def shown(data: bytes) -> object:
    """A log line, as it is shown: nothing in it moves a cursor or starts a command."""
    text = without_control(data.decode("utf-8", errors="replace"))
    assert "\x1b" not in text
    assert not any(line.startswith(("::", "##[")) for line in text.splitlines())
    return text


def registry_file(data: bytes) -> object:
    """registry.toml: what the folders say, or out of date; nothing in it is ever taken over."""
    said = SEEDS["registry"].decode()
    same = data.replace(b"\r\n", b"\n") == SEEDS["registry"]
    assert registry_says(_file("registry.toml", data), said) == same
    return same


def caption(data: bytes) -> object:
    """A caption: one line of text."""
    text = read_caption(_file("a.txt", data))
    assert "\n" not in text
    return text


def picture_list(data: bytes) -> object:
    """A metadata.jsonl that says which picture has which caption."""
    return read_lists([_file("metadata.jsonl", data)], [], _folder, [])


def image_header(data: bytes) -> object:
    """A picture's header and container, as the static check sees them before any pixel."""
    found = Picture("a.png", ".png", data)
    return found.header, found.fault, found.is_huge


def training_picture(data: bytes) -> object:
    """A picture of somebody's training set: header, then pixels."""
    path = _file("training-picture", data)
    return read_header_of_picture(path), load_rgb(path).size


def drawing(data: bytes) -> object:
    """What a PNG says about how it was drawn."""
    return read_drawing(_file("drawn.png", data))


def lora(data: bytes) -> object:
    """A LoRA file of any trainer."""
    return read_lora(_file("lora.safetensors", data))


READERS: dict[str, Reader] = {
    "toml": toml,
    "row": row,
    "answer": answer,
    "spent": spent,
    "events": events,
    "picture": picture,
    "safetensors_header": safetensors_header,
    "delta": delta,
    "folder": folder,
    "shown": shown,
    "registry": registry_file,
    "caption": caption,
    "picture_list": picture_list,
    "image_header": image_header,
    "training_picture": training_picture,
    "drawing": drawing,
    "lora": lora,
}


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def _delta() -> bytes:
    header = json.dumps({"unet.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}})
    text = header.encode()
    return len(text).to_bytes(8, "little") + text + bytes(24)


def _drawing() -> bytes:
    one = Drawing(
        prompts=("a robot",),
        place=0,
        config=GenerateConfig(height=16, width=16),
        sampler="PNDMScheduler",
        base="models/tiny-sd",
        base_sha256="0" * 64,
    )
    path = _folder / "seed.png"
    save_picture(Image.new("RGB", (16, 16)), path, one)
    return path.read_bytes()


def _lora() -> bytes:
    name = "lora_unet_conv_in"
    shapes = {f"{name}.alpha": [], f"{name}.lora_down.weight": [1, 4, 3, 3]}
    shapes[f"{name}.lora_up.weight"] = [320, 1, 1, 1]
    header, end = {}, 0
    for key, shape in shapes.items():
        size = 4 * math.prod(shape)
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


SEEDS: dict[str, bytes] = {
    "registry": paths.REGISTRY.read_bytes(),
    "caption": "a sks robot, Zoë\n".encode(),
    "picture_list": b'{"file_name": "a.png", "text": "a robot"}\n' * 2,
    "image_header": _png(),
    "training_picture": _png(),
    "drawing": _drawing(),
    "lora": _lora(),
    "toml": (paths.CONTRIBUTIONS / "Example1" / "contribution.toml").read_bytes(),
    "row": example_row().model_dump_json().encode(),
    "answer": Answer().model_dump_json().encode(),
    "spent": json.dumps(
        dict.fromkeys(("wall_s", "cpu_s"), 1.0)
        | dict.fromkeys(("peak_memory_bytes", "peak_processes", "disk_bytes", "output_bytes"), 1)
        | {"layer": "bubblewrap"}
    ).encode(),
    "events": b'{"phase": "seed 0", "done": 0.5}\n' * 3,
    "picture": _png(),
    "safetensors_header": _delta(),
    "delta": _delta(),
    "folder": (paths.CONTRIBUTIONS / "Example1" / "src" / "main.py").read_bytes(),
    "shown": b"a \x1b[2Jline\n::set-env name=X::y\n##[error]z\r::error::w\n",
}


def read(name: str, data: bytes) -> None:
    """Feed one reader; a HubError with a sentence is a good answer."""
    try:
        READERS[name](data)
    except HubError as error:
        assert error.what
