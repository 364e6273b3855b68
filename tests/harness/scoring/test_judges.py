"""Judges: the shipped one knows a robot from another; DINOv2 and CLIP load from a folder."""

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from harness import paths
from harness.protocol.track_file import JudgeSpec
from harness.scoring.judges import load_judge
from harness.scoring.pictures import read_folder
from toolkit.core.errors import BaseModelError, EnvironmentFault


def test_the_shipped_judge_finds_the_robot_more_like_itself_than_like_noise():
    judge = load_judge(JudgeSpec(), None, "cpu")
    robots, _ = read_folder(paths.TRACKS / "robot" / "heldout", 64)
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = judge.embed(torch.cat([robots, noise]))
    assert features.shape == (len(robots) + 2, 1280)
    assert torch.allclose(features.norm(dim=1), torch.ones(len(features)))
    alike = features @ features.T
    assert alike[0, 1:8].mean() > alike[0, 8:].mean() + 0.2


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("judges")
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    dino = Dinov2Config(**small, image_size=28, patch_size=14, mlp_ratio=1)
    Dinov2Model(dino).save_pretrained(root / "dinov2")
    clip = CLIPVisionConfig(
        **small, intermediate_size=16, image_size=32, patch_size=8, projection_dim=12
    )
    CLIPVisionModelWithProjection(clip).save_pretrained(root / "clip")
    return root


@pytest.mark.parametrize(("features", "width"), [("dinov2", 16), ("clip", 12)])
def test_a_transformer_from_a_folder_gives_unit_vectors(features, width, folders):
    judge = load_judge(JudgeSpec(features=features, folder=features), folders / features, "cpu")
    pictures = torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    vectors = judge.embed(pictures)
    assert vectors.shape == (3, width)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(judge.embed(pictures[1:2])[0], vectors[1], atol=1e-5)


def test_a_folder_that_is_missing_or_empty_is_named(folders, tmp_path):
    spec = JudgeSpec(features="clip", folder="nowhere")
    with pytest.raises(EnvironmentFault, match="clip") as missing:
        load_judge(spec, folders / "nowhere", "cpu")
    assert missing.value.where == "nowhere"
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "config.json").write_text("{}")
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        load_judge(spec, tmp_path / "nowhere", "cpu")


def test_weights_that_are_not_the_pinned_ones_are_refused(monkeypatch):
    monkeypatch.setattr("harness.scoring.judges.LITE0_SHA256", "0" * 64)
    with pytest.raises(EnvironmentFault, match="not the pinned"):
        load_judge(JudgeSpec(), None, "cpu")
