"""Tensors that several names share are in a file once, and come back under all their names."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from toolkit.lora_files.shared import SAME_AS, load_tensors, save_tensors


def test_a_shared_basis_is_written_once_and_read_under_every_name(tmp_path):
    basis, own = torch.randn(64, 64), [torch.randn(3) for _ in range(50)]
    tensors = {f"layer{n}.basis": basis for n in range(50)}
    tensors |= {f"layer{n}.own": one for n, one in enumerate(own)}
    path = tmp_path / "adapter.safetensors"
    save_tensors(tensors, path, {"format": "pt"})
    assert path.stat().st_size < 2 * basis.nbytes
    found = load_tensors(path)
    assert list(found.keys() - tensors.keys()) == []
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["format"] == "pt"


def test_views_of_one_storage_that_differ_are_different_tensors(tmp_path):
    whole = torch.arange(12.0)
    square = whole.view(3, 4)
    tensors = {"a": whole[:6], "b": whole[6:], "c": square, "d": square.t(), "e": square}
    save_tensors(tensors, tmp_path / "file", {})
    found = load_tensors(tmp_path / "file")
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_equal_numbers_in_different_places_stay_apart(tmp_path):
    tensors = {"a": torch.zeros(3), "b": torch.zeros(3), "c": torch.zeros(0), "d": torch.zeros(0)}
    save_tensors(tensors, tmp_path / "file", {})
    with safe_open(tmp_path / "file", framework="pt") as file:
        assert set(file.keys()) == set(tensors)


@pytest.mark.parametrize("text", ["[", "[]", '{"b": "nowhere"}', '{"b": ["a"]}', "3"])
def test_a_damaged_list_of_names_is_a_clear_error(tmp_path, text):
    save_file({"a": torch.zeros(2)}, tmp_path / "file", metadata={SAME_AS: text})
    with pytest.raises(SafetensorError, match="shared tensors is damaged"):
        load_tensors(tmp_path / "file")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_whatever_is_shared_comes_back(tmp_path_factory, choice):
    pool = [torch.full((2, 2), float(number)) for number in range(4)]
    tensors = {f"t{n}": pool[index] for n, index in enumerate(choice)}
    path = tmp_path_factory.mktemp("shared") / "file"
    save_tensors(tensors, path, {})
    found = load_tensors(path)
    assert {name: float(one[0, 0]) for name, one in found.items()} == {
        f"t{n}": float(index) for n, index in enumerate(choice)
    }
