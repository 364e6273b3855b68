"""The cache of latents and embeddings: by content, whole or not there, and never out of date."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from harness import paths
from src.dataset import PictureDataset, ResizeAndCrop
from tests.src.support import build_pipeline
from toolkit.core.errors import DataSetError
from toolkit.core.settings import DatasetConfig
from toolkit.picture_sets.latent_cache import encode_captions, encode_dataset, model_hash
from toolkit.picture_sets.layouts import read_folder
from toolkit.picture_sets.prefetch import pixels_ahead
from toolkit.picture_sets.tensor_store import TensorStore

COLOURS = ("red", "green", "blue", "orange")


@pytest.fixture
def folder(tmp_path):
    data_dir = tmp_path / "photos"
    data_dir.mkdir()
    for colour in COLOURS:
        Image.new("RGB", (48, 40), colour).save(data_dir / f"{colour}.png")
        (data_dir / f"{colour}.txt").write_text(f"a {colour} sheet")
    return data_dir


def open_folder(folder, resolution=32, **settings):
    config = DatasetConfig(**settings)
    crop = ResizeAndCrop(resolution, config.buckets)
    return PictureDataset(read_folder(folder).pictures, crop, config)


class CountingVae:
    """A VAE that knows how often it was asked."""

    def __init__(self, vae):
        self.vae = vae
        self.calls = 0

    def __enter__(self):
        self.original = self.vae.encode

        def encode(*args, **kwargs):
            self.calls += 1
            return self.original(*args, **kwargs)

        self.vae.encode = encode
        return self

    def __exit__(self, *_):
        del self.vae.encode


def files_of(cache):
    return sorted(cache.rglob("*.safetensors"))


def test_cached_latents_are_those_of_the_vae(pipeline, folder, tmp_path):
    dataset = open_folder(folder)
    kept, captions = encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
    again, _ = encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
    in_memory, _ = encode_dataset(pipeline.vae, dataset)
    assert captions == [f"a {colour} sheet" for colour in sorted(COLOURS)]
    for idx, entry in enumerate(kept):
        with torch.no_grad():
            direct = pipeline.vae.encode(dataset[idx][0][None]).latent_dist
        for other in (entry, again[idx], in_memory[idx]):
            assert torch.equal(other.mean, direct.mean[0])
            assert torch.equal(other.std, direct.std[0])


def test_the_second_run_asks_the_vae_nothing_and_decodes_nothing(
    pipeline, folder, tmp_path, monkeypatch
):
    dataset = open_folder(folder)
    with CountingVae(pipeline.vae) as vae:
        encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
        assert vae.calls == 4
        monkeypatch.setattr(ResizeAndCrop, "__call__", None)
        encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
        assert vae.calls == 4


def test_a_renamed_or_touched_picture_is_found_again(pipeline, folder, tmp_path):
    encode_dataset(pipeline.vae, open_folder(folder), tmp_path / "cache")
    (folder / "red.png").rename(folder / "crimson.png")
    (folder / "red.txt").rename(folder / "crimson.txt")
    os.utime(folder / "blue.png", (0, 0))
    with CountingVae(pipeline.vae) as vae:
        encode_dataset(pipeline.vae, open_folder(folder), tmp_path / "cache")
        assert vae.calls == 0


@pytest.mark.parametrize("change", ["bytes", "resolution", "buckets", "flip", "weights"])
def test_whatever_the_latents_depend_on_makes_new_ones(pipeline, folder, tmp_path, change):
    encode_dataset(pipeline.vae, open_folder(folder), tmp_path / "cache")
    settings = {}
    expected = 4
    if change == "bytes":  # another picture under the same name, size and time
        before = (folder / "red.png").stat()
        Image.new("RGB", (48, 40), "black").save(folder / "red.png")
        os.utime(folder / "red.png", (before.st_atime, before.st_mtime))
        expected = 1
    elif change == "flip":  # the upright ones stay
        settings["flip"] = True
    elif change != "weights":
        settings[change] = {"resolution": 64, "buckets": True}[change]
    weight = next(pipeline.vae.parameters())
    with CountingVae(pipeline.vae) as vae, torch.no_grad():
        if change == "weights":
            weight[0] += 1e-3
        try:
            encode_dataset(pipeline.vae, open_folder(folder, **settings), tmp_path / "cache")
        finally:
            if change == "weights":
                weight[0] -= 1e-3
        assert vae.calls == expected


def test_mirrored_items_have_latents_of_their_own(pipeline, folder, tmp_path):
    Image.linear_gradient("L").rotate(90).save(folder / "red.png")
    dataset = open_folder(folder, flip=True)
    kept, _ = encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
    red = [i for i in range(len(dataset)) if dataset.name_of(i).endswith("red.png")]
    upright, mirrored = (kept[i].mean for i in red)
    assert not torch.allclose(upright, mirrored)


def test_any_other_dataset_is_cached_by_its_pixels(pipeline, tmp_path):
    pixels = torch.linspace(-1, 1, 3 * 32 * 32).reshape(3, 32, 32)
    with CountingVae(pipeline.vae) as vae:
        encode_dataset(pipeline.vae, [(pixels, "a"), (-pixels, "b")], tmp_path / "cache")
        _, captions = encode_dataset(pipeline.vae, [(pixels, "c")], tmp_path / "cache")
        assert captions == ["c"]
        assert vae.calls == 2


@pytest.mark.parametrize("damage", ["cut", "bit", "text", "empty"])
def test_a_damaged_entry_is_reported_and_made_again(pipeline, folder, tmp_path, capsys, damage):
    dataset = open_folder(folder)
    good, _ = encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
    victim = files_of(tmp_path / "cache")[2]
    data = victim.read_bytes()
    flipped = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
    contents = {"cut": data[: len(data) // 2], "bit": flipped, "text": b"hello", "empty": b""}
    victim.write_bytes(contents[damage])
    with CountingVae(pipeline.vae) as vae:
        again, _ = encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
        assert vae.calls == 1
    assert f"{victim} is damaged" in capsys.readouterr().err
    assert all(torch.equal(a.mean, b.mean) for a, b in zip(good, again, strict=True))
    assert victim.read_bytes() == data


@pytest.mark.parametrize("where", ["pixels", "vae"])
def test_latents_that_are_not_finite_name_the_file(pipeline, folder, tmp_path, where):
    dataset = open_folder(folder)
    weight = next(pipeline.vae.parameters())
    kept = weight.detach().clone()
    with torch.no_grad():
        if where == "vae":
            weight.fill_(float("inf"))
        else:
            pixels = dataset[2][0].clone()
            pixels[0, 0, 0] = float("nan")
            dataset = [dataset[0], (pixels, "a")]
    try:
        with pytest.raises(DataSetError, match="not finite") as caught:
            encode_dataset(pipeline.vae, dataset, tmp_path / "cache")
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    expected = str(folder / "blue.png") if where == "vae" else "item 1"
    assert expected in str(caught.value)
    assert len(files_of(tmp_path / "cache")) == (0 if where == "vae" else 1)


def test_a_killed_run_goes_on_where_it_was(pipeline, folder, tmp_path):
    cache = tmp_path / "cache"
    command = [sys.executable, "-m", "tests.toolkit.picture_sets.one_run", str(folder), str(cache)]
    with subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "1"
        assert process.stdout.readline().strip() == "2"
        process.send_signal(signal.SIGKILL)
    assert len(files_of(cache)) == 2
    for path in files_of(cache):
        load_file(path)
    with CountingVae(pipeline.vae) as vae:
        encode_dataset(pipeline.vae, open_folder(folder), cache)
        assert vae.calls == 2


def test_equal_captions_pass_the_text_encoder_once(pipeline, tmp_path):
    ids = pipeline.tokenizer(
        ["a robot", "a dog", "a robot"], padding="max_length", return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        direct = torch.cat([pipeline.text_encoder(row[None])[0] for row in ids])
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        assert torch.equal(encode_captions(pipeline.text_encoder, ids, cache), direct)
    assert len(files_of(tmp_path / "cache")) == 2


def test_an_embedding_that_is_not_finite_is_refused(pipeline, tmp_path):
    broken = build_pipeline().text_encoder
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    ids = pipeline.tokenizer(["a"], padding="max_length", return_tensors="pt").input_ids
    with pytest.raises(DataSetError, match="caption 1 is not finite"):
        encode_captions(broken, ids, tmp_path / "cache")
    assert files_of(tmp_path) == []


def test_where_a_model_lies_is_no_part_of_its_hash(pipeline, tmp_path):
    from diffusers import AutoencoderKL

    pipeline.vae.save_pretrained(tmp_path / "vae")
    assert model_hash(AutoencoderKL.from_pretrained(tmp_path / "vae")) == model_hash(pipeline.vae)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_a_store_gives_back_what_it_got(tmp_path, dtype):
    tensor = torch.arange(6).reshape(2, 3).to(dtype)
    for store in (TensorStore(), TensorStore(tmp_path / "new")):
        assert store.load("ab12") is None
        store.save("ab12", {"x": tensor.T})
        assert torch.equal(store.load("ab12")["x"], tensor.T)
        assert store.load("ab12")["x"].dtype == dtype


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for what is mapped")
def test_what_was_read_keeps_no_file_mapped(tmp_path):
    store = TensorStore(tmp_path)
    for number in range(3):
        store.save(f"key{number}", {"mean": torch.full((4, 8, 8), float(number))})
    kept = [store.load(f"key{number}") for number in range(3)]
    assert all(kept)
    # A hundred thousand pictures are more files than a process may have mapped.
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_repeats_pass_the_vae_once_even_without_a_folder(pipeline, folder):
    with CountingVae(pipeline.vae) as vae:
        posteriors, captions = encode_dataset(pipeline.vae, open_folder(folder, repeats=3))
        assert vae.calls == 4
    assert (len(posteriors), len(captions)) == (12, 12)
    assert posteriors[0].mean is posteriors[4].mean is posteriors[8].mean


def test_progress_counts_to_the_end(pipeline, folder, tmp_path):
    encode_dataset(pipeline.vae, open_folder(folder), tmp_path)
    (folder / "green.png").write_bytes((folder / "red.png").read_bytes())
    Image.new("RGB", (48, 40), "black").save(folder / "blue.png")
    seen = []
    dataset = open_folder(folder, repeats=2)
    encode_dataset(pipeline.vae, dataset, tmp_path, lambda *now: seen.append(now))
    assert seen[-1] == (8, 8)
    assert seen == sorted(seen)


def test_pictures_ahead_come_in_order_and_are_not_hoarded():
    asked = []

    class Items:
        def __getitem__(self, place):
            asked.append(place)
            return torch.full((3, 8, 8), float(place)), ""

    ahead = pixels_ahead(Items(), range(1000, 0, -1))
    assert [int(next(ahead)[0, 0, 0]) for _ in range(3)] == [1000, 999, 998]
    assert len(asked) <= 3 + (os.cpu_count() or 1)
    ahead.close()
    assert len(asked) < 1000


def test_a_picture_that_cannot_be_read_stops_the_encoding_by_name(pipeline, folder, tmp_path):
    dataset = open_folder(folder)
    (folder / "orange.png").write_bytes(b"hello")
    with pytest.raises(DataSetError, match=r"orange\.png cannot be read"):
        encode_dataset(pipeline.vae, dataset, tmp_path)
