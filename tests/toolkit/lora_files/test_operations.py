"""Merge, extract, resize: exact where they can be, the best possible where they cannot."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import save_file

from tests.toolkit.lora_files.support import (
    ALL_LAYERS,
    TEXT_LAYERS,
    UNET_LAYERS,
    assert_same_update,
    copy_of,
    outputs,
    random_lora,
    tiny_layout,
    with_update,
)
from toolkit.core.errors import HubError, UsageError
from toolkit.deltas.file import write_delta
from toolkit.lora_files.extract import extract_lora, read_deltas
from toolkit.lora_files.factors import norm, rank_for, singular_values
from toolkit.lora_files.ldm import ldm_name
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.merge import merge_loras, sum_error
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.resize import resize_lora
from toolkit.lora_files.write import write_lora


def summed(loras, weights) -> dict[str, torch.Tensor]:
    result: dict[str, torch.Tensor] = {}
    for lora, weight in zip(loras, weights, strict=True):
        for name, layer in lora.layers.items():
            delta = layer.delta() * weight
            result[name] = result[name] + delta if name in result else delta
    return result


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.7, -0.4, 1.3), (1.0, 0.0, 2.0)])
def test_a_merge_is_the_sum_of_the_deltas(weights):
    loras = [
        random_lora(rank=2, alpha=1.0, seed=1),
        random_lora(UNET_LAYERS, rank=3, alpha=9.0, seed=2, mixed=True),
        random_lora(TEXT_LAYERS, rank=4, alpha=4.0, seed=3),
    ]
    merged = merge_loras(loras, weights)
    wanted = summed(loras, weights)
    assert set(merged.layers) == {n for n, d in wanted.items() if d.any()}
    for name, delta in wanted.items():
        assert (merged.layers[name].delta() - delta).abs().max() < 1e-6
    assert sum_error(merged, loras, weights) < 1e-6


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_a_merge_draws_what_both_together_draw(pristine, tmp_path):
    loras = [random_lora(seed=1), random_lora(rank=5, alpha=2.5, seed=2)]
    merged = merge_loras(loras, [0.8, 0.5])
    write_lora(merged, tmp_path / "x.safetensors", dtype="fp32")
    loaded = copy_of(pristine)
    loaded.load_lora_weights(tmp_path, weight_name="x.safetensors")
    both = copy_of(pristine)
    for name, lora in zip("ab", loras, strict=True):
        write_lora(lora, tmp_path / f"{name}.safetensors", dtype="fp32")
        both.load_lora_weights(tmp_path, weight_name=f"{name}.safetensors", adapter_name=name)
    both.set_adapters(["a", "b"], [0.8, 0.5])
    for one, other in zip(outputs(loaded), outputs(both), strict=True):
        assert (one - other).abs().max() < 1e-4


def test_the_proof_finds_a_merge_that_adds_factors():
    """What cloneofsimo's merge does: cross terms, up to a whole LoRA wrong."""
    loras = [random_lora(seed=1), random_lora(seed=2)]
    wrong = Lora(
        {
            name: LoraLayer(
                a.down + loras[1].layers[name].down, a.up + loras[1].layers[name].up, a.alpha
            )
            for name, a in loras[0].layers.items()
        }
    )
    assert sum_error(wrong, loras, [1.0, 1.0]) > 0.5
    right = merge_loras(loras, [1.0, 1.0])
    one_missing = Lora(dict(list(right.layers.items())[1:]))
    assert sum_error(one_missing, loras, [1.0, 1.0]) > 0.1


def test_loras_that_cancel_out_leave_nothing():
    lora = random_lora()
    merged = merge_loras([lora, lora], [1.0, -1.0], ["a", "b"])
    assert sum_error(merged, [lora, lora], [1.0, -1.0]) < 1e-6
    assert all(layer.delta().abs().max() < 1e-6 for layer in merged.layers.values())
    assert json.loads(merged.metadata["hub.merge"]) == {"1": ["a", 1.0], "2": ["b", -1.0]}
    assert merged.metadata["modelspec.merged_from"] == "a, b"


@pytest.mark.parametrize("weights", [[1.0], [math.nan, 1.0], [0.0, 0.0]])
def test_bad_weights_are_refused(weights):
    with pytest.raises(HubError):
        merge_loras([random_lora(), random_lora()], weights)


def test_loras_of_different_bases_are_not_merged():
    name = UNET_LAYERS[1]
    other = Lora({name: LoraLayer(torch.ones(1, 320), torch.ones(320, 1), 1.0)})
    with pytest.raises(HubError, match=name):
        merge_loras([random_lora(), other], [1.0, 1.0])


def test_singular_values_are_those_of_the_full_delta():
    for name, layer in random_lora(mixed=True).layers.items():
        full = torch.linalg.svdvals(layer.delta().flatten(1))
        found = singular_values(layer)
        assert torch.allclose(found, full[: len(found)], rtol=1e-9, atol=1e-12), name
        assert norm(layer) == pytest.approx(float(layer.delta().norm()))


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_resizing_is_as_good_as_any_matrix_of_that_rank(rank):
    lora = random_lora(rank=5, alpha=3.0)
    resized = resize_lora(lora, rank)
    lost = total = 0.0
    for name, layer in lora.layers.items():
        best = torch.linalg.svdvals(layer.delta().flatten(1))
        error = (resized.lora.layers[name].delta() - layer.delta()).norm()
        # Eckart and Young: the rest of the singular values, and nothing less is possible.
        assert float(error) == pytest.approx(float(best[rank:].norm()), rel=1e-4, abs=1e-5)
        assert resized.lora.layers[name].rank == rank
        lost, total = lost + float(best[rank:].norm() ** 2), total + float(best.norm() ** 2)
    assert resized.relative_error == pytest.approx(math.sqrt(lost / total), rel=1e-6)


def test_a_rank_that_was_never_used_is_removed_exactly():
    lora = random_lora(rank=2)
    doubled = merge_loras([lora, lora], [0.5, 0.5])
    assert set(doubled.ranks()) == {4}
    resized = resize_lora(doubled, energy=1.0)
    assert set(resized.lora.ranks()) == {2}
    assert_same_update(resized.lora, lora)
    assert resized.relative_error < 1e-6


def test_energy_takes_the_smallest_rank_that_keeps_it():
    s = torch.tensor([4.0, 2.0, 1.0, 1.0])  # squares 16, 4, 1, 1 of 22
    assert [rank_for(s, None, e) for e in (0.1, 16 / 22, 0.73, 20 / 22, 0.92, 0.99, 1.0)] == [
        1, 1, 2, 2, 3, 4, 4,
    ]  # fmt: skip
    assert rank_for(s, 2, 0.99) == 2
    assert rank_for(torch.zeros(3), None, 0.9) == 1
    lora = random_lora(rank=5)
    resized = resize_lora(lora, energy=0.8).lora
    for name, layer in lora.layers.items():
        kept = norm(resized.layers[name]) ** 2 / norm(layer) ** 2
        assert kept >= 0.8 - 1e-6
    assert len(resized.ranks()) > 1


def test_layers_that_are_small_enough_stay_as_they_are():
    lora = random_lora(mixed=True)  # ranks 3, 4, 5
    resized = resize_lora(lora, 4).lora
    kept = [n for n, layer in lora.layers.items() if layer.rank <= 4]
    assert all(resized.layers[name] is lora.layers[name] for name in kept)
    with pytest.raises(HubError, match="No layer becomes smaller"):
        resize_lora(lora, 5)


@pytest.mark.parametrize(("rank", "energy"), [(None, None), (0, None), (None, 0.0), (None, 1.1)])
def test_impossible_sizes_are_wrong_calls(rank, energy):
    with pytest.raises(UsageError):
        resize_lora(random_lora(), rank, energy)


def full_deltas(seed=0) -> dict[str, torch.Tensor]:
    """Differences of full rank in every kind of layer."""
    torch.manual_seed(seed)
    shapes = {name: layer.delta().shape for name, layer in random_lora().layers.items()}
    return {f"{name}.weight": torch.randn(shape) * 0.1 for name, shape in shapes.items()}


def test_extraction_at_full_rank_is_exact():
    deltas = full_deltas()
    found = extract_lora(deltas.items(), rank=1000, layout=tiny_layout())
    assert found.relative_error < 1e-6
    for name, delta in deltas.items():
        error = (found.lora.layers[name.removesuffix(".weight")].delta() - delta).abs().max()
        assert error < 1e-6


@pytest.mark.parametrize("rank", [1, 3])
def test_extraction_below_is_as_good_as_any_matrix_of_that_rank(rank):
    deltas = full_deltas()
    found = extract_lora(deltas.items(), rank=rank, layout=tiny_layout())
    lost = total = 0.0
    for name, delta in deltas.items():
        best = torch.linalg.svdvals(delta.double().flatten(1))
        layer = found.lora.layers[name.removesuffix(".weight")]
        assert layer.rank == rank
        error = float((layer.delta() - delta).norm())
        assert error == pytest.approx(float(best[rank:].norm()), rel=1e-5)
        lost, total = lost + float(best[rank:].norm() ** 2), total + float(best.norm() ** 2)
    assert found.relative_error == pytest.approx(math.sqrt(lost / total), rel=1e-5)


def test_a_lora_that_was_merged_into_its_base_comes_back(pristine, tmp_path):
    lora = random_lora(rank=3)
    tuned = with_update(pristine, lora)
    save_folder(pristine, tmp_path / "base")
    save_folder(tuned, tmp_path / "tuned")
    both = read_deltas(tmp_path / "base", tmp_path / "tuned")
    found = extract_lora(both, energy=1 - 1e-9, layout=tiny_layout())
    assert set(found.lora.layers) == set(ALL_LAYERS)
    assert set(found.lora.ranks()) == {3}
    assert_same_update(found.lora, lora, 1e-5)
    assert not found.left_out
    # The U-Net's own folder, and its file, mean the same.
    for base, other in (
        (tmp_path / "base/unet", tmp_path / "tuned/unet"),
        tuple(tmp_path / p / "unet/diffusion_pytorch_model.safetensors" for p in ("base", "tuned")),
    ):
        alone = extract_lora(read_deltas(base, other), energy=1 - 1e-9, layout=tiny_layout())
        assert set(alone.lora.layers) == set(UNET_LAYERS)


def save_folder(pipeline, folder):
    pipeline.unet.save_pretrained(folder / "unet")
    pipeline.text_encoder.save_pretrained(folder / "text_encoder")


def test_a_delta_of_the_harness_becomes_a_lora(pristine, tmp_path):
    lora = random_lora(rank=2)
    delta = {name: layer.delta() for name, layer in lora.layers.items()}
    parts = {
        "unet": {f"{n.removeprefix('unet.')}.weight": delta[n] for n in UNET_LAYERS},
        # Here the names are those of the installed transformers: without `text_model`.
        "text_encoder": {
            f"{n.removeprefix('text_encoder.text_model.')}.weight": delta[n] for n in TEXT_LAYERS
        },
    }
    write_delta(tmp_path / "delta.safetensors", parts)
    deltas = read_deltas(tmp_path / "delta.safetensors", None)
    found = extract_lora(deltas, rank=2, layout=tiny_layout())
    assert_same_update(found.lora, lora, 1e-5)


def test_single_file_checkpoints_are_compared_by_their_original_names(pristine, tmp_path):
    lora = random_lora(rank=2)
    for name, pipeline in (("base", pristine), ("tuned", with_update(pristine, lora))):
        unet = {
            f"model.diffusion_model.{ldm_name(n)}.weight": m.weight.detach().clone()
            for n, m in pipeline.unet.named_modules()
            if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)
        }
        text = {
            f"cond_stage_model.transformer.text_model.{n}": p.detach().clone()
            for n, p in pipeline.text_encoder.named_parameters()
        }
        vae = {"first_stage_model.encoder.conv_in.weight": torch.ones(1)}
        save_file({**unet, **text, **vae}, tmp_path / f"{name}.safetensors")
    deltas = read_deltas(tmp_path / "base.safetensors", tmp_path / "tuned.safetensors")
    found = extract_lora(deltas, energy=1 - 1e-9, layout=tiny_layout())
    assert_same_update(found.lora, lora, 1e-5)


def test_what_no_lora_holds_is_counted():
    deltas = {
        "unet.conv_in.weight": torch.ones(16, 4, 3, 3),
        "unet.conv_in.bias": torch.ones(16) * 3,
        "unet.conv_norm_out.weight": torch.ones(16),
        "unet.conv_out.weight": torch.zeros(4, 16, 3, 3),
    }
    found = extract_lora(deltas.items(), rank=1, layout=tiny_layout())
    assert list(found.lora.layers) == ["unet.conv_in"]
    assert found.left_out == ("unet.conv_in.bias", "unet.conv_norm_out.weight")
    assert found.left_out_share == pytest.approx(math.sqrt(160 / (160 + 576)))


def test_equal_models_and_other_architectures_are_refused(pristine, tmp_path):
    save_folder(pristine, tmp_path / "base")
    with pytest.raises(HubError, match="nothing to make"):
        extract_lora(read_deltas(tmp_path / "base", tmp_path / "base"), rank=1)
    for shape, word in (((4, 4, 3, 3), "is .* in the base"), ((16, 4, 3, 3), "differ in")):
        save_file({"unet.conv_in.weight": torch.ones(shape)}, tmp_path / "x.safetensors")
        base = tmp_path / "base" if word == "differ in" else tmp_path / "y.safetensors"
        save_file({"unet.conv_in.weight": torch.ones(2, 4, 3, 3)}, tmp_path / "y.safetensors")
        with pytest.raises(HubError, match=word):
            list(read_deltas(base, tmp_path / "x.safetensors"))
    with pytest.raises(HubError, match="shape"):
        extract_lora({"unet.conv_in.weight": torch.ones(3)}.items(), rank=1)


def test_a_resized_file_of_mixed_ranks_loads_in_diffusers(pristine, tmp_path):
    resized = resize_lora(random_lora(rank=5), energy=0.8).lora
    assert len(resized.ranks()) > 1
    for form in ("kohya", "diffusers"):
        write_lora(resized, tmp_path / "x.safetensors", form, dtype="fp32")
        assert_same_update(read_lora(tmp_path / "x.safetensors"), resized)
        loaded = copy_of(pristine)
        loaded.load_lora_weights(tmp_path, weight_name="x.safetensors")
        wanted = outputs(with_update(pristine, resized))
        for one, other in zip(outputs(loaded), wanted, strict=True):
            assert (one - other).abs().max() < 1e-4
