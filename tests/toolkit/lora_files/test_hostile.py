"""Whatever is in a file: it is read rightly, or there is a HubError and nothing else."""

from __future__ import annotations

import contextlib
import json
import pickle
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from tests.toolkit.lora_files.support import ALL_LAYERS, random_lora
from toolkit.core.errors import HubError
from toolkit.core.file_starts import is_pickle, is_safetensors
from toolkit.lora_files.header import HEADER_LIMIT, read_header
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.report import inspect_lora
from toolkit.lora_files.weights import open_weights
from toolkit.lora_files.write import kohya_tensors, write_lora

UP = "lora_unet_conv_in.lora_up.weight"
DOWN = "lora_unet_conv_in.lora_down.weight"
FINE = {DOWN: torch.ones(2, 4, 3, 3), UP: torch.ones(16, 2, 1, 1)}

ONCE = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def file_of(header, body=b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


def entry(shape):
    return {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}


def read_all(path):
    """Every door a stranger's file can come in by."""
    for door in (read_lora, inspect_lora):
        with contextlib.suppress(HubError):
            door(path)
    with contextlib.suppress(HubError), open_weights(path) as weights:
        for name in weights.names:
            weights.read(name)


@ONCE
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_hub_error(data, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(HubError):
        read_lora(path)
    read_all(path)


@ONCE
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_flipped_byte_is_noticed_or_harmless(place, value, tmp_path):
    names = ALL_LAYERS[:3]
    good = tmp_path / "good.safetensors"
    if not good.exists():
        write_lora(random_lora(names, rank=1), good)
    data = bytearray(good.read_bytes())
    data[place % len(data)] = value
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    read_all(path)


@ONCE
@given(length=st.integers(0, 10_000))
def test_a_truncated_file_is_refused(length, tmp_path):
    good = tmp_path / "good.safetensors"
    if not good.exists():
        write_lora(random_lora(ALL_LAYERS[:2], rank=1), good)
    data = good.read_bytes()
    path = tmp_path / "x.safetensors"
    path.write_bytes(data[: length % len(data)])
    with pytest.raises(HubError):
        read_lora(path)
    read_all(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "I8", "F8_E4M3", "nonsense"]) | values,
        "shape": st.lists(st.integers(-1, 1 << 62), max_size=4) | values,
        "data_offsets": st.lists(st.integers(-1, 64), max_size=3) | values,
    }
)
keys = st.sampled_from([UP, DOWN, "lora_unet_conv_in.alpha", "unet.conv_in.lora_A.weight", ""])


@ONCE
@given(header=st.dictionaries(keys | st.just("__metadata__"), entries | values, max_size=4))
def test_any_header_gives_a_hub_error_at_most(header, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(file_of(header, b"\0" * 16))
    read_all(path)


@ONCE
@given(config=values | st.fixed_dictionaries({"lora_alpha": values, "alpha_pattern": values}))
def test_any_adapter_configuration_gives_a_hub_error_at_most(config, tmp_path):
    write = tmp_path / "adapter_model.safetensors"
    save_file({"base_model.model.conv_in.lora_A.weight": torch.ones(1, 4, 3, 3)}, write)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    read_all(tmp_path)
    header = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": config})}
    save_file({"unet.conv_in.lora_A.weight": torch.ones(1, 4, 3, 3)}, tmp_path / "d.safetensors",
              metadata=header)  # fmt: skip
    read_all(tmp_path / "d.safetensors")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (struct.pack("<Q", 1 << 62) + b"{}", "shorter than its header"),
        (struct.pack("<Q", HEADER_LIMIT + 1) + b" " * (HEADER_LIMIT + 1), "claims"),
        (file_of(b"[" * 200_000), "no JSON"),
        (file_of(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "no JSON"),
        (file_of(b"[1]"), "not a JSON object"),
        (file_of(b'{"a": 1' + b"0" * 5000 + b"}"), "no JSON"),
        (file_of(b'{"a": "\\ud800"}'), "no JSON"),
        (file_of(b'{"a": 1, "a": 2}'), "twice"),
        (file_of({"__metadata__": {"a": 1}}), "not text"),
        (file_of({"__metadata__": []}), "metadata is not"),
        (file_of({f"a{i}": 0 for i in range(20_001)}), "20,001 tensors"),
        (file_of({"a": entry([1 << 40, 1 << 40])}, b"1234"), "size that its shape"),
        (file_of({"a": entry([1]), "b": entry([1])}, b"1234"), "overlap"),
        (file_of({"a": entry([1])}, b"12345678"), "need"),
        (file_of({"a": entry([True])}, b"1234"), "numbers"),
        (file_of({}), "no key that begins"),
    ],
)
def test_header_bombs_are_refused_before_a_tensor_is_read(data, word, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(HubError, match=word) as caught:
        read_lora(path)
    assert caught.value.where == str(path)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle was run')",))


@pytest.mark.parametrize("name", ["x.pt", "x.bin", "x.ckpt", "x.safetensors", "x.PTH"])
@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_pickles_are_refused_unread_whatever_they_are_called(name, protocol, tmp_path):
    path = tmp_path / name
    if protocol is None:
        torch.save({"a": Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(), protocol=protocol))
    with pytest.raises(HubError, match="pickle") as caught:
        read_lora(path)
    assert "weights_only=True" in caught.value.fix
    read_all(path)


def padded_to(length):
    """A LoRA's file whose header has this many bytes: JSON may have spaces behind it."""
    data = save(FINE)
    size = int.from_bytes(data[:8], "little")
    raw = data[8 : 8 + size].rstrip()
    assert len(raw) <= length
    return struct.pack("<Q", length) + raw.ljust(length) + data[8 + size :]


@ONCE
@given(length=st.integers(200, 5000) | st.builds(
    lambda high, low: low + (high << 8), st.integers(2, 5), st.just(0x80)
) | st.builds(
    lambda more, high: 0x80 + (high << 8) + (more << 16), st.integers(0, 3), st.integers(2, 5)
))  # fmt: skip
def test_a_header_of_any_length_is_no_pickle(length, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(padded_to(length))
    assert len(read_lora(path).layers) == 1
    assert inspect_lora(path).kind == "LoRA"


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_the_four_unlucky_lengths_begin_as_pickles_do(length):
    data = padded_to(length)
    assert data[:2] in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}
    assert is_safetensors(data)
    assert not is_pickle(data)


@ONCE
@given(
    content=st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    protocol=st.integers(2, 5),
)
def test_every_pickle_is_one_and_no_safetensors(content, protocol):
    data = pickle.dumps(content, protocol=protocol)
    assert is_pickle(data)
    assert not is_safetensors(data)


def test_a_peft_folder_with_a_pickle_names_the_pickle(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 1}', encoding="utf-8")
    torch.save({}, tmp_path / "adapter_model.bin")
    with pytest.raises(HubError, match="pickle"):
        read_lora(tmp_path)


def changed(**changes):
    tensors = {**FINE, **{k: v for k, v in changes.items() if v is not None}}
    return {k: v for k, v in tensors.items() if k not in changes or changes[k] is not None}


@pytest.mark.parametrize(
    ("tensors", "word"),
    [
        (changed(**{UP: None}), "no 'up' factor"),
        (changed(**{DOWN: None}), "no 'down' factor"),
        (changed(**{UP: torch.ones(16, 3, 1, 1)}), "shapes"),
        (changed(**{UP: torch.ones(16, 2, 3, 3)}), "shapes"),
        (changed(**{DOWN: torch.ones(2, 4, 1, 1)}), "3x3 convolution"),
        (changed(**{DOWN: torch.ones(2, 36)}), "shapes"),
        (changed(**{DOWN: torch.ones(0, 4, 3, 3), UP: torch.ones(16, 0, 1, 1)}), "shapes"),
        (changed(**{DOWN: torch.tensor(1.0)}), "shapes"),
        (changed(**{DOWN: torch.full((2, 4, 3, 3), float("nan"))}), "NaN"),
        (changed(**{UP: torch.full((16, 2, 1, 1), float("inf"))}), "NaN or infinity"),
        (changed(**{UP: torch.ones(16, 2, 1, 1, dtype=torch.int8)}), "type I8"),
        (changed(**{UP: torch.ones(16, 2, 1, 1).to(torch.float8_e4m3fn)}), "type F8"),
        (changed(**{"lora_unet_conv_in.alpha": torch.ones(2)}), "not one number"),
        (changed(**{"lora_unet_conv_in.alpha": torch.tensor(float("nan"))}), "NaN"),
        (changed(**{"lora_unet_conv_in.dora_scale": torch.ones(16, 1, 1, 1)}), "DoRA"),
        (changed(**{"lora_unet_conv_in.lora_mid.weight": torch.ones(2, 2, 3, 3)}), "lora_mid"),
        (changed(**{"lora_unet_conv_in.bias": torch.ones(1)}), "means nothing"),
        (changed(**{"lora_unet_input_blocks_0_0.lora_up.weight": torch.ones(1)}), "mean the same"),
        (changed(**{"unet.conv_in.lora_A.weight": torch.ones(1)}), "means nothing"),
        ({"base_model.model.conv_in.lora_A.weight": torch.ones(1)}, "Give the folder|strength"),
        ({"model.diffusion_model.out.2.weight": torch.ones(1)}, "no LoRA of Stable"),
    ],
)
def test_what_makes_no_lora_is_refused_by_name(tensors, word, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(save(tensors))
    with pytest.raises(HubError, match=word):
        read_lora(path)
    read_all(path)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({}, "no lora_alpha"),
        ({"lora_alpha": "4"}, "no number"),
        ({"lora_alpha": True}, "no number"),
        ({"lora_alpha": 10**400}, "no strength"),
        ({"lora_alpha": 1, "use_dora": True}, "use_dora"),
        ({"lora_alpha": 1, "lora_bias": True}, "lora_bias"),
        ({"lora_alpha": 1, "modules_to_save": ["conv_out"]}, "modules_to_save"),
        ({"lora_alpha": 1, "bias": "all"}, "biases"),
        ({"lora_alpha": 1, "init_lora_weights": "pissa_niter_4"}, "pissa"),
        ({"lora_alpha": 1, "peft_type": "LOHA"}, "LOHA"),
        ({"lora_alpha": 1, "alpha_pattern": {"(a+)+$": 1}}, "regular expression"),
        ({"lora_alpha": 1, "alpha_pattern": [1]}, "not a JSON object"),
        ([], "not a JSON object"),
    ],
)
def test_peft_configurations_beyond_a_plain_lora_are_refused(config, word, tmp_path):
    tensors = {
        "base_model.model.conv_in.lora_A.weight": FINE[DOWN],
        "base_model.model.conv_in.lora_B.weight": FINE[UP],
    }
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(HubError, match=word):
        read_lora(tmp_path)


def test_missing_files_empty_folders_and_whole_models_are_told_apart(tmp_path):
    with pytest.raises(HubError, match="No such file"):
        read_lora(tmp_path / "none.safetensors")
    with pytest.raises(HubError, match=r"no adapter_config\.json"):
        read_lora(tmp_path)
    with (tmp_path / "large.safetensors").open("wb") as file:
        head = {"a": {"dtype": "U8", "shape": [3 << 30], "data_offsets": [0, 3 << 30]}}
        raw = file_of(head)
        file.write(raw)
        file.truncate(len(raw) + (3 << 30))  # a hole: it takes no room on disk
    with pytest.raises(HubError, match="whole model"):
        read_lora(tmp_path / "large.safetensors")
    assert read_header(tmp_path / "large.safetensors", size_limit=None).tensors["a"].dtype == "U8"


def test_a_good_file_is_still_read(tmp_path):
    save_file(kohya_tensors(random_lora()), tmp_path / "x.safetensors")
    assert len(read_lora(tmp_path / "x.safetensors").layers) == len(ALL_LAYERS)
