"""How much memory to keep free for a task."""

import numpy as np
from safetensors.numpy import save_file

from harness.runs.graph.memory import weights_of


def test_a_base_is_as_large_as_it_is_in_memory_and_no_larger(tmp_path):
    half = {"a": np.zeros((10, 10), np.float16)}
    for part in ("unet", "vae", "text_encoder", "safety_checker"):
        (tmp_path / part).mkdir()
        save_file(half, tmp_path / part / "model.safetensors")
    save_file(half, tmp_path / "unet" / "model.fp16.safetensors")
    assert weights_of(tmp_path) == 3 * 100 * 4
    named = {"model.diffusion_model.x": half["a"], "model_ema.x": half["a"]}
    save_file(named, tmp_path / "file.safetensors")
    assert weights_of(tmp_path / "file.safetensors") == 100 * 4
    (tmp_path / "broken.safetensors").write_bytes(b"x" * 70)
    assert weights_of(tmp_path / "broken.safetensors") == 70
