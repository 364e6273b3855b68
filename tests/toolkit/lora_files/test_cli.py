"""The commands, as somebody types them: one process each."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.toolkit.lora_files.support import TINY_TEXT, TINY_UNET, assert_same_update, random_lora
from toolkit.deltas.file import write_delta
from toolkit.lora_files.arguments import build_parser
from toolkit.lora_files.cli import COMMANDS, main
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.write import write_lora

ROOT = Path(__file__).parents[3]


def run(*arguments, cwd=ROOT):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "toolkit.lora_files", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=environment, check=False,
    )  # fmt: skip


def test_help_imports_no_torch():
    for arguments in (["--help"], ["merge", "--help"]):
        code = (
            "import sys; from toolkit.lora_files.cli import main\n"
            f"try: main({arguments!r})\nexcept SystemExit as end: assert end.code == 0\n"
            "assert not {'torch', 'safetensors', 'numpy'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_names_layouts_and_headers_import_no_torch():
    code = (
        "import sys\nfrom toolkit.lora_files import header, layout, names, programs\n"
        "programs.accepted_by_comfyui('x')\n"
        "assert not {'torch', 'safetensors', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_whole_way_from_a_delta_to_every_format(tmp_path, base):
    """extract, convert, resize, merge and inspect, each reading what the one before wrote."""
    lora = random_lora(rank=3, alpha=2.0)
    deltas: dict[str, dict[str, torch.Tensor]] = {"unet": {}, "text_encoder": {}}
    for name, layer in lora.layers.items():
        part, _, path = name.partition(".")
        deltas[part][f"{path}.weight"] = layer.delta()
    write_delta(tmp_path / "delta.safetensors", deltas)

    made = run("extract", tmp_path / "delta.safetensors", "--rank", 3, "--dtype", "fp32",
               "--base", base, "--out", tmp_path / "a.safetensors")  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "loads in diffusers, A1111, ComfyUI" in made.stdout
    assert_same_update(read_lora(tmp_path / "a.safetensors"), lora, 1e-5)

    merged = run("merge", tmp_path / "a.safetensors", tmp_path / "a.safetensors", "--weights",
                 "0.5", "-1.5", "--base", base, "--out", tmp_path / "m.safetensors")  # fmt: skip
    assert merged.returncode == 0, merged.stderr
    assert "rank 6; the file is the sum of the deltas to" in merged.stdout

    shown = run("inspect", tmp_path / "a.safetensors", tmp_path / "m.safetensors", "--json")
    assert shown.returncode == 0, shown.stderr
    reports = json.loads(shown.stdout)
    assert [list(report["ranks"]) for report in reports] == [["3"], ["6"]]


def call(capsys, *arguments):
    """The same without a process of its own: torch is imported already."""
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


@pytest.fixture
def base(tmp_path):
    return base_of(tmp_path / "base", TINY_UNET)


def base_of(folder, unet):
    for part, config in {"unet": unet, "text_encoder": TINY_TEXT}.items():
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def file(tmp_path):
    write_lora(random_lora(rank=4, alpha=2.0), tmp_path / "a.safetensors", dtype="fp32")
    return tmp_path / "a.safetensors"


def test_convert_goes_to_every_format_and_back(file, base, tmp_path, capsys):
    wanted = read_lora(file)
    for index, (form, extra) in enumerate(
        [("diffusers", []), ("diffusers", ["--alpha", "metadata"]), ("peft", []), ("kohya", [])]
    ):
        out = tmp_path / (f"{index}" if form == "peft" else f"{index}.safetensors")
        same = ("--dtype", "fp32", "--base", base)
        arguments = ("convert", file, "--to", form, *same, "--out", out, *extra)
        code, stdout, stderr = call(capsys, *arguments)
        assert (code, stderr) == (0, "")
        assert f"{form} format" in stdout
        back = tmp_path / f"back{index}.safetensors"
        code, _, stderr = call(capsys, "convert", out, *same, "--out", back)
        assert (code, stderr) == (0, "")
        assert_same_update(read_lora(back), wanted)


def test_resize_and_title(file, base, tmp_path, capsys):
    out = tmp_path / "r.safetensors"
    size = ("--rank", 2, "--energy", 0.9, "--base", base)
    arguments = ("resize", file, *size, "--title", "Robot", "--out", out)
    code, stdout, _ = call(capsys, *arguments)
    assert code == 0
    assert "relative error" in stdout
    assert max(read_lora(out).ranks()) == 2
    assert read_lora(out).metadata["modelspec.title"] == "Robot"


def test_a_file_that_lost_its_alpha_is_converted_with_a_warning(file, base, tmp_path, capsys):
    tensors = {k: t for k, t in load_file(file).items() if not k.endswith("alpha")}
    save_file(tensors, tmp_path / "x.safetensors")
    out = tmp_path / "out.safetensors"
    code, _, stderr = call(
        capsys, "convert", tmp_path / "x.safetensors", "--base", base, "--out", out
    )
    assert code == 0
    assert "does not say its alpha" in stderr


def test_a_pipe_that_closes_early_is_no_fault(file):
    command = f"'{sys.executable}' -m toolkit.lora_files inspect '{file}' '{file}' | true"
    result = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, check=False)
    assert b"Traceback" not in result.stderr
    assert b"BrokenPipe" not in result.stderr


def test_the_documentation_shows_calls_that_exist():
    """Every command line in docs/lora_files.md is one that the parser takes."""
    text = (ROOT / "docs" / "lora_files.md").read_text(encoding="utf-8")
    command = "python -m toolkit.lora_files "
    lines = [line.removeprefix("$ ") for line in text.splitlines()]
    calls = [line.removeprefix(command) for line in lines if line.startswith(command)]
    assert {call.split()[0] for call in calls} == set(COMMANDS)
    for line in calls:
        build_parser().parse_args(shlex.split(line, comments=True))


def test_inspect_prints_text(file, base, capsys):
    code, stdout, _ = call(capsys, "inspect", file, "--base", base)
    assert code == 0
    for word in ("kohya format", "rank        4", "scale       0.5", "A1111       yes"):
        assert word in stdout
    assert "warning:" not in stdout
    code, stdout, _ = call(capsys, "inspect", file)
    assert code == 0
    assert "A1111       no: it was made for another base model" in stdout
    assert "warning: Made for another base model" in stdout


def test_words_beside_a_lora_are_kept_or_left_out_as_asked(file, base, tmp_path, capsys):
    path, out = tmp_path / "words.safetensors", tmp_path / "out.safetensors"
    save_file(load_file(file) | {"bundle_emb.robot.clip_l": torch.ones(1, 32)}, path)
    more = ("--base", base, "--out", out, "--force")
    for extra, kept in (([], ["robot"]), (["--without-embeddings"], [])):
        code, _, _ = call(capsys, "convert", path, *more, *extra)
        assert code == 0
        assert read_lora(out).words() == kept
    code, _, stderr = call(capsys, "convert", path, "--to", "diffusers", *more)
    assert code == 1
    assert "--without-embeddings" in stderr


def test_base_gives_the_layers_of_another_model(tmp_path, capsys):
    base = base_of(tmp_path / "base", {**TINY_UNET, "use_linear_projection": True})
    write_lora(random_lora(), tmp_path / "x.safetensors")
    code, stdout, _ = call(capsys, "inspect", tmp_path / "x.safetensors", "--base", base)
    assert code == 0
    assert "unet linear" in stdout
    assert "another base" not in stdout
    code, _, stderr = call(capsys, "inspect", tmp_path / "x.safetensors", "--base", tmp_path)
    assert code == 1
    assert "config.json cannot be read" in stderr


def test_faults_have_a_place_a_remedy_and_an_exit_code(file, base, tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    for code, word, *arguments in (
        (1, "No such file", "inspect", tmp_path / "none.safetensors"),
        (1, "no intact safetensors", "convert", tmp_path / "broken.safetensors", "--out", out),
        (2, "exists already", "convert", file, "--out", file),
        (2, "does not end in .safetensors", "convert", file, "--out", tmp_path / "x.pt"),
        (2, "Say how small", "resize", file, "--out", out),
        (2, "hub.kind", "extract", file, "--rank", 4, "--out", out),
        (2, "hub.kind", "extract", tmp_path, "--rank", 4, "--out", out),
        (1, "weights", "merge", file, file, "--weights", 1, "--out", out),
        (1, "becomes smaller", "resize", file, "--rank", 4, "--out", out),
        (1, "another base model", "convert", file, "--out", out),
        (1, "another base model", "merge", file, file, "--out", out),
        (1, "another base model", "resize", file, "--rank", 1, "--out", out),
    ):
        found, stdout, stderr = call(capsys, *arguments)
        assert found == code, arguments
        assert word in stderr, stderr
        assert stderr.startswith("error: ")
        assert stdout == ""
        assert not out.exists()
    again = ("--force", "--dtype", "fp16", "--base", base)
    code, _, _ = call(capsys, "convert", file, "--out", file, *again)
    assert code == 0


def test_a_wrong_call_is_told_in_a_process_too(tmp_path):
    result = run("inspect", tmp_path / "none.safetensors")
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert run("nonsense").returncode == 2
