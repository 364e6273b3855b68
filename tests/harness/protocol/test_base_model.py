"""The base model: what is missing is named before torch is woken."""

import copy
import shutil
import sys

import pytest

from harness import paths
from harness.protocol.base_model import check_folder, load_pipeline, model_hash, with_models
from toolkit.core.errors import BaseModelError, EnvironmentFault


@pytest.fixture
def own_base(random_base, tmp_path):
    return shutil.copytree(random_base, tmp_path / "base")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("tiny-sd", "git checkout -- models"),
        ("stable-diffusion-v1-4", "hf download CompVis/stable-diffusion-v1-4 --local-dir models/"),
        ("somebodys", "Put a model in diffusers layout there."),
    ],
)
def test_a_missing_folder_says_how_to_get_it(name, remedy, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(BaseModelError, match="not there") as caught:
        check_folder(tmp_path / "models" / name)
    assert remedy in caught.value.fix


def test_all_missing_parts_are_named_at_once(own_base):
    shutil.rmtree(own_base / "vae")
    (own_base / "model_index.json").unlink()
    (own_base / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(BaseModelError) as caught:
        check_folder(own_base)
    for part in ("model_index.json", "vae", "unet/*.safetensors"):
        assert part in caught.value.what


def test_a_damaged_weight_file_is_a_base_model_error(own_base):
    path = own_base / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        load_pipeline(own_base)


def test_the_hash_knows_weights_and_not_the_model_card(own_base):
    before = model_hash(own_base)
    (own_base / "README.md").write_text("a card")
    assert model_hash(own_base) == before
    config = own_base / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.012", "0.013"))
    assert model_hash(own_base) != before


def test_exchanged_models_leave_the_first_pipeline_alone(random_base, capfd):
    pipeline = load_pipeline(random_base)
    before, other = pipeline.unet, copy.deepcopy(pipeline.unet)
    assert with_models(pipeline, unet=other).unet is other
    assert pipeline.unet is before
    assert not any(part.training for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder))
    assert "Loading" not in capfd.readouterr().err  # one progress is enough


def test_checking_a_folder_imports_no_torch(random_base):
    import subprocess

    code = (
        "import sys; from pathlib import Path; from harness.protocol.base_model import *\n"
        f"check_folder(Path({str(random_base)!r})); model_hash(Path({str(random_base)!r}))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_device_that_is_not_there_is_named(random_base):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a graphics card here")
    with pytest.raises(EnvironmentFault, match="cuda"):
        load_pipeline(random_base, "cuda")


def test_a_checkpoint_file_is_a_base_of_an_own_track(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"one")
    check_folder(file)
    before = model_hash(file)
    file.write_bytes(b"other")
    assert model_hash(file) != before
    pickle = tmp_path / "model.ckpt"
    pickle.write_bytes(b"x")
    with pytest.raises(BaseModelError, match="pickle"):
        check_folder(pickle)
