"""loras.py: LoRA files of any trainer, with weights, added to a base."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.toolkit.lora_files.support import (
    build_pipeline,
    copy_of,
    outputs,
    random_lora,
    with_update,
)
from toolkit.base_models.identity import base_hash
from toolkit.core.errors import HubError, UsageError
from toolkit.drawings.loras import add_loras, check_unchanged, parse_lora, tensors_hash
from toolkit.drawings.metadata import LoraUse
from toolkit.lora_files.write import write_lora


@pytest.fixture(scope="module")
def base():
    return build_pipeline()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "robot.safetensors"
    write_lora(random_lora(seed=1), path, dtype="fp32")
    return path


def test_files_and_weights_are_read(file, tmp_path):
    assert parse_lora(str(file)).weight == 1
    assert parse_lora(f"{file}:0.8") == LoraUse(file=file, weight=0.8, sha256=tensors_hash(file))
    assert parse_lora(f"{file}:-1.5").weight == -1.5
    odd = tmp_path / "a:0.5.safetensors"
    odd.write_bytes(file.read_bytes())
    assert parse_lora(str(odd)).file == odd


@pytest.mark.parametrize("text", ["nowhere.safetensors", "nowhere:0.5", "x:y.safetensors"])
def test_a_missing_file_is_named(text):
    with pytest.raises(UsageError, match="no LoRA file"):
        parse_lora(text)


def test_a_weight_that_is_no_number_is_refused(file):
    with pytest.raises(UsageError, match="no finite number"):
        parse_lora(f"{file}:nan")
    with pytest.raises(UsageError, match="no LoRA file"):
        parse_lora(f"{file}:strong")


def test_words_beside_a_lora_are_not_left_out_silently(base, tmp_path):
    path = tmp_path / "x.safetensors"
    write_lora(random_lora(), path, dtype="fp32")
    save_file(load_file(path) | {"bundle_emb.robot.clip_l": torch.ones(1, 32)}, path)
    use = LoraUse(file=path, weight=1, sha256=tensors_hash(path))
    with pytest.raises(HubError, match=r"robot[\s\S]*--without-embeddings"):
        add_loras(base, (use,))


def test_the_hash_is_of_the_tensors_alone(file, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file(load_file(file), other, metadata={"x": "y"})
    use = parse_lora(str(file))
    check_unchanged(use)
    assert tensors_hash(other) == use.sha256
    write_lora(random_lora(seed=2), file)
    with pytest.raises(UsageError, match="is not the file"):
        check_unchanged(use)
    file.unlink()
    with pytest.raises(UsageError, match="not there any more"):
        check_unchanged(use)


@pytest.mark.parametrize("form", ["kohya", "diffusers", "peft"])
def test_several_files_of_any_format_add_up(base, tmp_path, form):
    loras = [random_lora(seed=1, mixed=True), random_lora(seed=2, rank=5)]
    uses = []
    for number, (lora, weight) in enumerate(zip(loras, (0.8, -0.5), strict=True)):
        path = tmp_path / (f"{number}" if form == "peft" else f"{number}.safetensors")
        write_lora(lora, path, form, dtype="fp32")
        uses.append(LoraUse(file=path, weight=weight, sha256=tensors_hash(path)))
    pipeline = copy_of(base)
    assert add_loras(pipeline, tuple(uses)) == sum(len(lora.layers) for lora in loras)

    expected = base
    for lora, weight in zip(loras, (0.8, -0.5), strict=True):
        for layer in lora.layers.values():
            object.__setattr__(layer, "alpha", layer.alpha * weight)
        expected = with_update(expected, lora)
    for found, wanted in zip(outputs(pipeline), outputs(expected), strict=True):
        assert (found - wanted).abs().max() < 1e-4
    untouched = outputs(base)[0]
    assert (outputs(pipeline)[0] - untouched).abs().max() > 1e-2


def test_weight_zero_changes_nothing(base, file):
    pipeline = copy_of(base)
    add_loras(pipeline, (parse_lora(f"{file}:0"),))
    assert torch.equal(outputs(pipeline)[0], outputs(base)[0])


def test_a_lora_of_another_base_is_refused_and_nothing_is_changed(base, file, tmp_path):
    wide = random_lora(["unet.mid_block.attentions.0.proj_in"], rank=2)
    layer = wide.layers["unet.mid_block.attentions.0.proj_in"]
    object.__setattr__(layer, "up", torch.cat([layer.up, layer.up]))
    write_lora(wide, tmp_path / "wide.safetensors")
    pipeline = copy_of(base)
    with pytest.raises(HubError, match=r"(?s)made for another base.*\(32, 16, 1, 1\)"):
        add_loras(pipeline, (parse_lora(str(file)), parse_lora(str(tmp_path / "wide.safetensors"))))
    assert torch.equal(outputs(pipeline)[0], outputs(base)[0])


def test_a_base_is_known_by_its_weights_and_not_by_its_files(base, file):
    pipeline = copy_of(base)
    assert base_hash(pipeline) == base_hash(base)
    add_loras(pipeline, (parse_lora(str(file)),))
    assert base_hash(pipeline) != base_hash(base)
