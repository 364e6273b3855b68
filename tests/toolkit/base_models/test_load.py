"""load.py, complete.py, checkpoint.py: a base comes whole from where it is, or not at all."""

from __future__ import annotations

import json
import logging
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.toolkit.base_models.support import build_sd1, write_checkpoint
from toolkit.base_models.load import load_pipeline
from toolkit.core.errors import BaseModelError
from toolkit.core.hub_ids import is_hub_id

PARTS = ("unet", "vae", "text_encoder")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever opens a socket fails the test."""

    def refused(*args, **kwargs):
        raise AssertionError("a local base was loaded through the network")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)


@pytest.fixture(scope="module")
def original():
    # Rounded to float16, in which the files are written.
    pipeline = build_sd1()
    for part in PARTS:
        getattr(pipeline, part).half().float()
    return pipeline


@pytest.fixture(scope="module")
def folder(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "folder"
    original.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def checkpoint(original, tmp_path_factory):
    return write_checkpoint(original, tmp_path_factory.mktemp("models") / "model.safetensors")


@pytest.fixture
def own_folder(folder, tmp_path):
    """A copy to damage; only the text encoder is really copied."""
    own = tmp_path / "own"
    own.mkdir()
    for path in folder.iterdir():
        if path.name != "text_encoder":
            (own / path.name).symlink_to(path)
    (own / "text_encoder").mkdir()
    for path in (folder / "text_encoder").iterdir():
        (own / "text_encoder" / path.name).write_bytes(path.read_bytes())
    return own


def assert_same_model(found, wanted):
    for part in PARTS:
        state, expected = getattr(found, part).state_dict(), getattr(wanted, part).state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], tensor) for name, tensor in expected.items()), part
        assert {p.dtype for p in getattr(found, part).parameters()} == {torch.float32}
        assert not getattr(found, part).training


def test_a_folder_is_loaded_whole_and_in_float32(folder, original):
    assert_same_model(load_pipeline(folder), original)


def test_a_checkpoint_file_is_the_same_model_as_its_folder(checkpoint, original):
    pipeline = load_pipeline(str(checkpoint))
    assert_same_model(pipeline, original)
    caption = "a photo of an astronaut riding a horse"
    # What OpenAI's own CLIP makes of it.
    assert pipeline.tokenizer(caption).input_ids == [
        *(49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 49407)
    ]
    betas = pipeline.scheduler.betas
    assert (float(betas[0]), float(betas[-1])) == pytest.approx((0.00085, 0.012))
    assert pipeline.scheduler.config.clip_sample is False


def test_nothing_is_said_about_a_checkpoint_that_is_as_it_should_be(checkpoint):
    said = []

    class Heard(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    import diffusers

    handler = Heard()
    logger = logging.getLogger(diffusers.__name__)
    logger.addHandler(handler)
    try:
        load_pipeline(str(checkpoint))
    finally:
        logger.removeHandler(handler)
    assert said == []


@pytest.mark.parametrize("kind", ["folder", "checkpoint"])
def test_a_model_of_velocities_stays_one(kind, folder, original, own_folder, tmp_path):
    if kind == "checkpoint":
        base = write_checkpoint(
            original, tmp_path / "v.safetensors", metadata={"modelspec.prediction_type": "v"}
        )
    else:
        base = own_folder
        config = json.loads((folder / "scheduler/scheduler_config.json").read_text())
        (own_folder / "scheduler").unlink()
        (own_folder / "scheduler").mkdir()
        (own_folder / "scheduler/scheduler_config.json").write_text(
            json.dumps({**config, "prediction_type": "v_prediction"})
        )
    assert load_pipeline(base).scheduler.config.prediction_type == "v_prediction"


def test_a_text_encoder_saved_with_its_older_names_is_read(own_folder, original):
    file = own_folder / "text_encoder/model.safetensors"
    tensors = {f"text_model.{n.removeprefix('text_model.')}": t for n, t in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    assert_same_model(load_pipeline(own_folder), original)


def test_a_text_encoder_without_the_older_part_of_its_names_is_read_from_a_file(
    original, checkpoint, tmp_path
):
    tensors = {n.replace(".text_model.", "."): t for n, t in load_file(checkpoint).items()}
    save_file(tensors, tmp_path / "bare.safetensors")
    assert_same_model(load_pipeline(tmp_path / "bare.safetensors"), original)
    del tensors["cond_stage_model.transformer.final_layer_norm.weight"]
    save_file(tensors, tmp_path / "bare.safetensors")
    with pytest.raises(BaseModelError, match="weights of the text_encoder are not in its file"):
        load_pipeline(tmp_path / "bare.safetensors")


def test_a_base_that_would_draw_black_is_refused(own_folder):
    file = own_folder / "text_encoder/model.safetensors"
    tensors = load_file(file)
    name = next(iter(tensors))
    tensors[name][0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=r"text_encoder has weights that are not finite"):
        load_pipeline(own_folder)


@pytest.mark.parametrize("lost", ["encoder.layers.1.", "embeddings.token", "final_layer_norm"])
def test_a_missing_weight_is_an_error_and_never_random(own_folder, lost):
    file = own_folder / "text_encoder/model.safetensors"
    kept = {name: tensor for name, tensor in load_file(file).items() if lost not in name}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=rf"text_encoder are not in its file, first .*{lost}"):
        load_pipeline(own_folder)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc2.bias", "fc2.bias"),
        ("cond_stage_model.transformer.text_model.final_layer_norm.weight", "final_layer_norm"),
        ("model.diffusion_model.middle_block.1.proj_in.weight", "U-Net or the autoencoder"),
        ("first_stage_model.decoder.conv_out.bias", "U-Net or the autoencoder"),
        ("first_stage_model.", "lacks the weight 'first_stage_model"),
        ("cond_stage_model.", "lacks the weight 'cond_stage_model"),
    ],
)
def test_a_checkpoint_without_some_of_its_weights_is_an_error(original, tmp_path, lost, message):
    path = write_checkpoint(original, tmp_path / "model.safetensors", leave_out=[lost])
    with pytest.raises(BaseModelError, match=message):
        load_pipeline(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lora_unet_mid_block_attentions_0_proj_in.lora_up.weight", "a LoRA"),
        ("conditioner.embedders.0.transformer.text_model.x", "SDXL"),
        ("cond_stage_model.model.transformer.resblocks.0.x", r"Stable Diffusion 2\.x"),
        ("blocks.0.weight", "no checkpoint of Stable Diffusion 1"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, name, message):
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(1)}, path)
    with pytest.raises(BaseModelError, match=message):
        load_pipeline(path)


def test_a_checkpoint_of_another_text_encoder_is_refused(original, tmp_path):
    path = write_checkpoint(original, tmp_path / "model.safetensors")
    tensors = load_file(path)
    key = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    tensors[key] = tensors[key][:100].clone()
    save_file(tensors, path)
    with pytest.raises(BaseModelError, match="100 words"):
        load_pipeline(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".BIN"])
def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"\x80\x04")
    with pytest.raises(BaseModelError, match=r"(?s)pickle.*weights_only=True.*save_file"):
        load_pipeline(path)


def test_the_printed_way_to_convert_a_pickle_works(original, tmp_path, monkeypatch):
    from tests.toolkit.base_models.support import checkpoint_tensors

    monkeypatch.chdir(tmp_path)
    state = {**checkpoint_tensors(original), "global_step": 7}
    torch.save({"state_dict": state}, "model.ckpt")
    with pytest.raises(BaseModelError) as caught:
        load_pipeline("model.ckpt")
    code = str(caught.value).partition('-c "')[2].rpartition('"')[0]
    exec(code, {})
    assert_same_model(load_pipeline("model.safetensors"), original)


def test_a_pickle_by_another_name_is_refused_too(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(BaseModelError, match="pickle"):
        load_pipeline(path)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("nowhere", "no base model in nowhere"),
        ("./somebody/model", "no base model in"),
        ("models/tni-sd", "no base model in"),
        ("a/b/c", "no base model in"),
        ("here/model.safetensors", "no base model in"),
        (".", "no base model in"),
        ("README.md", "is no base model"),
    ],
)
def test_what_is_not_there_is_named(base, message):
    with pytest.raises(BaseModelError, match=message):
        load_pipeline(base)


def test_a_folder_of_pickled_weights_is_refused(own_folder):
    file = own_folder / "text_encoder/model.safetensors"
    file.rename(file.with_name("pytorch_model.bin"))
    with pytest.raises(BaseModelError, match=r"text_encoder/ holds no \.safetensors"):
        load_pipeline(own_folder)


def test_a_damaged_file_is_named(own_folder):
    file = own_folder / "text_encoder/model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(BaseModelError, match=r"(?s)no intact.*model\.safetensors"):
        load_pipeline(own_folder)


def test_ids_are_told_from_paths():
    assert is_hub_id("CompVis/stable-diffusion-v1-4")
    assert not is_hub_id("models/tiny")
    assert not is_hub_id("CompVis")
