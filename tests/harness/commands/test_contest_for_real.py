"""A contest with real workers: from a folder of pictures to the page and to the exported file.

The smallest that there is: two contributions and the reference, a base of a few kilobytes, one
training of each. Then smaller ones on the other kinds of bases: a checkpoint file under the
original names, and an id of the Hugging Face Hub that lies in the local cache. Nothing is faked:
the same commands load them as they load the real ones.
"""

from __future__ import annotations

import re
import shlex
import shutil

import pytest
from safetensors.numpy import load_file

from harness import paths
from tests.situations.situation import good, write
from tests.toolkit.base_models.support import build_sd1, write_checkpoint
from tests.typed import Typist

# A random base learns much from little, so that one can be recommended.
STEPS = 40


@pytest.fixture
def hub(tmp_path):
    """Type a command of the hub; its runs lie in a folder of their own."""
    environment = {
        "HUB_RUNS": str(tmp_path / "runs"),
        "COLUMNS": "400",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
    }
    with Typist(paths.ROOT, **environment) as harness:

        def typed(command, *more):
            words = shlex.split(command.removeprefix("nox -s ").replace(" -- ", " ", 1))
            done = harness(*words, *more)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            return done.stdout

        yield typed


def track_file(folder):
    return folder / "runs" / "tracks" / "photos" / "track.toml"


def draw_in_two_steps(folder):
    """Prompts and budget may be edited, and this is a test: two denoising steps draw enough."""
    text = track_file(folder).read_text(encoding="utf-8")
    text = text.replace("[sampling]\n", "[sampling]\nnum_inference_steps = 2\n")
    track_file(folder).write_text(text, encoding="utf-8")
    return text


def test_from_a_folder_of_pictures_to_the_exported_file(hub, random_base, tmp_path):
    write(good(6), tmp_path)
    photos, track = tmp_path / "photos", tmp_path / "runs" / "photos"
    before = {file.name: file.read_bytes() for file in photos.iterdir()}

    budget = f"--base {random_base} --steps {STEPS} --batch-size 2"
    said = hub(f"nox -s track -- new photos --data {photos} {budget}")
    assert "4 pictures are taught, 2 held out" in said
    draw_in_two_steps(tmp_path)

    contest = "nox -s contribution -- DoRA Rank16 --track photos --seeds 1 --skip-gate"
    said = hub(contest)
    assert "All rows are good." in said
    names = {"reference", "DoRA", "Rank16"}
    assert {file.parent.parent.name for file in track.glob("*/*/row.json")} == names
    best = re.search(r"Take (\w+): its gain is", said)[1]
    assert best in names
    page = (track / "contest.html").read_text(encoding="utf-8")
    assert f"Take {best}" in page
    assert page.count("data:image/webp") >= 4  # the base and the three
    # The same command again trains nothing.
    assert "3 of them known already. The rest takes about 0 s" in hub(contest)

    # What it says to type next, with fewer steps.
    train, export = re.findall(r"^Next: (nox .+)$", said, re.MULTILINE)
    hub(train, "--steps", "2", "--batch-size", "2", "--num-inference-steps", "2")
    file = tmp_path / f"{best}.safetensors"
    hub(export, f"--out={file}", "--no-pictures")
    tensors = load_file(file)
    assert any("lora" in name and array.any() for name, array in tensors.items())
    assert {one.name: one.read_bytes() for one in photos.iterdir()} == before


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def in_the_cache(base, home):
    """Put a base where huggingface_hub keeps what it has fetched; return its id."""
    repository = home / "hub" / "models--somelab--narrow-sd"
    shutil.copytree(base, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return "somelab/narrow-sd"


@pytest.mark.parametrize("kind", ["file", "id"])
def test_a_contest_on_another_kind_of_base(kind, hub, random_base, tmp_path):
    if kind == "file":
        base = str(write_checkpoint(build_sd1(), tmp_path / "model.safetensors"))
        place = base
    else:
        base = in_the_cache(random_base, tmp_path / "hf")
        place = str(tmp_path / "hf/hub/models--somelab--narrow-sd/snapshots" / COMMIT)
    write(good(6), tmp_path)
    photos, size = tmp_path / "photos", "--resolution 64 --steps 2 --batch-size 2"
    new = f"nox -s track -- new photos --data {photos} --base {base} {size}"
    said = hub(new)
    assert "4 pictures are taught, 2 held out" in said
    text = draw_in_two_steps(tmp_path)
    assert f'base_model = "{place}"' in text
    text = re.sub(r"timesteps = \[[^\]]*\]", "timesteps = [200, 400, 600, 800]", text)
    track_file(tmp_path).write_text(text, encoding="utf-8")

    contest = "nox -s contribution -- --all --only Rank16 --track photos --seeds 1 --skip-gate"
    said = hub(contest)
    assert "All rows are good." in said
    assert "should be kept in float32" not in said
    words = f"--data {photos} --base {base} {size} --num-inference-steps 1"
    hub(f"nox -s train -- Rank16 {words}", "--prompt", "a mug")
    out = tmp_path / "mug.safetensors"
    hub("nox -s export -- Rank16", f"--out={out}", "--no-pictures")
    assert any(array.any() for array in load_file(out).values())
