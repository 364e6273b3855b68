"""The hashes are those that kohya's trainer and A1111 compute."""

from __future__ import annotations

import hashlib
import io

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from tests.toolkit.lora_files.support import random_lora
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.write import write_lora


def large_lora() -> Lora:
    """More than one MiB: the old hash looks only at what is behind the first."""
    torch.manual_seed(0)
    down, up = torch.randn(256, 2304), torch.randn(768, 256)
    name = "unet.down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2"
    return Lora({name: LoraLayer(down, up, 4.0)}, {"ss_training_comment": "größer\n\t\x02 日本"})


def by_the_book(path):
    """What kohya's documentation says: save with ss_* alone, then hash that file."""
    with safe_open(path, framework="pt") as file:
        metadata = {k: v for k, v in file.metadata().items() if k.startswith("ss_")}
    stream = io.BytesIO(save(load_file(path), metadata))
    stream.seek(0x100000)
    legacy = hashlib.sha256(stream.read(0x10000)).hexdigest()[:8]
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    stream.seek(8 + length)
    return hashlib.sha256(stream.read()).hexdigest(), legacy


@pytest.mark.parametrize("make", [random_lora, large_lora])
@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_hashes_equal_an_independent_computation(make, dtype, tmp_path):
    path = tmp_path / "x.safetensors"
    write_lora(make(), path, dtype=dtype)
    model_hash, legacy = by_the_book(path)
    metadata = read_lora(path).metadata
    assert metadata["sshs_model_hash"] == model_hash
    assert metadata["sshs_legacy_hash"] == legacy
    assert metadata["modelspec.hash_sha256"] == f"0x{model_hash}"
    if make is large_lora:
        assert legacy != hashlib.sha256(b"").hexdigest()[:8]


def test_the_hash_follows_the_tensors_and_not_the_notes(tmp_path):
    lora = random_lora()
    write_lora(lora, tmp_path / "a.safetensors")
    write_lora(Lora(lora.layers, {"hub.note": "x"}), tmp_path / "b.safetensors", title="other")
    write_lora(random_lora(seed=1), tmp_path / "c.safetensors")
    found = [read_lora(tmp_path / f"{n}.safetensors").metadata["sshs_model_hash"] for n in "abc"]
    assert found[0] == found[1] != found[2]


def test_a_converted_file_gets_hashes_of_its_own(tmp_path):
    write_lora(random_lora(), tmp_path / "a.safetensors", dtype="fp32")
    write_lora(read_lora(tmp_path / "a.safetensors"), tmp_path / "b.safetensors", dtype="fp16")
    path = tmp_path / "b.safetensors"
    assert read_lora(path).metadata["sshs_model_hash"] == by_the_book(path)[0]
