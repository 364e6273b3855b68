"""The delta file: what a stranger's process may hand over, and what not."""

import json
import pickle
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from toolkit.core.errors import DeltaError
from toolkit.deltas.file import read_delta, write_delta


@pytest.fixture
def models():
    return {"unet": nn.Linear(3, 2), "text_encoder": nn.Linear(2, 2)}


def test_what_is_written_is_read(tmp_path, models):
    path = tmp_path / "delta.safetensors"
    change = torch.arange(6.0).reshape(2, 3)
    write_delta(path, {"unet": {"weight": change}, "text_encoder": {}})
    assert torch.equal(read_delta(path, models)["unet"]["weight"], change)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"unet.weights": torch.zeros(2, 3)}, "no parameter 'unet.weights'"),
        ({"vae.weight": torch.zeros(2, 3)}, "no parameter 'vae.weight'"),
        ({"unet.weight": torch.zeros(3, 2)}, "of shape"),
        ({"unet.weight": torch.zeros(2, 3, dtype=torch.float64)}, "F64"),
        ({"unet.weight": torch.full((2, 3), float("nan"))}, "NaN"),
        ({"unet.bias": torch.tensor([1.0, float("inf")])}, "NaN or infinity"),
    ],
)
def test_tensors_that_do_not_fit_the_base_are_refused(tmp_path, models, tensors, message):
    path = tmp_path / "delta.safetensors"
    save_file(tensors, path)
    with pytest.raises(DeltaError, match=message):
        read_delta(path, models)


def test_a_missing_file_is_refused(tmp_path, models):
    with pytest.raises(DeltaError, match="no delta file"):
        read_delta(tmp_path / "delta.safetensors", models)


def test_a_pickle_with_the_right_name_is_refused(tmp_path, models):
    path = tmp_path / "delta.safetensors"
    path.write_bytes(pickle.dumps({"unet.weight": [1, 2, 3]}))
    with pytest.raises(DeltaError, match="not a safetensors file"):
        read_delta(path, models)


def test_a_file_larger_than_the_base_is_refused_unread(tmp_path, models):
    path = tmp_path / "delta.safetensors"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(DeltaError, match="bytes"):
        read_delta(path, models)


def test_a_header_that_promises_too_much_is_refused(tmp_path, models):
    header = {"unet.weight": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    data = json.dumps(header).encode()
    path = tmp_path / "delta.safetensors"
    path.write_bytes(struct.pack("<Q", len(data)) + data)
    with pytest.raises(DeltaError):
        read_delta(path, models)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_no_bytes_do_anything_but_an_artefact_error(tmp_path, models, data):
    path = tmp_path / "delta.safetensors"
    path.write_bytes(data)
    try:
        read_delta(path, models)
    except DeltaError:
        pass
    else:
        assert data  # an empty set of tensors in a whole file is fine, an empty file is not
