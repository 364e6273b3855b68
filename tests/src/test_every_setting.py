"""Every setting of the four hooks does what it says: none is read and then forgotten.

Each field of the four records has a function here, which changes it and measures what it promises.
A new field without one fails.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor, nn

from src.dataset import make_dataset
from src.generate import generate
from src.lora import lora_layers, make_lora
from src.train import train
from tests.src.support import Steps, copy_pipeline, open_dataset
from toolkit.core.settings import (
    DatasetConfig,
    GenerateConfig,
    LoraConfig,
    Settings,
    TrainConfig,
)
from toolkit.training_runs import optimizers

TAGS = "red circle, plain background, toy, drawing"
# In these settings nothing is random but noise and timesteps, and a step is one clear update.
PLAIN: dict[str, Any] = {
    "steps": 1,
    "batch_size": 2,
    "learning_rate": 1e-2,
    "caption_dropout": 0.0,
    "weight_decay": 0.0,
}
SMALL: dict[str, Any] = {"num_inference_steps": 2, "height": 32, "width": 32}


class Trained(NamedTuple):
    """What a training leaves: each tensor's change, losses, calls and dtypes of the U-Net."""

    moved: dict[str, Tensor]
    losses: tuple[float, ...]
    calls: int
    dtypes: set[torch.dtype]
    seen: list[Tensor]  # noisy latents, (B, 4, h, w) for each call
    texts: list[Tensor]  # (B, S, D) for each call


class Bench:
    """Calls the hooks of the reference on copies of one base."""

    def __init__(self, pristine: StableDiffusionPipeline, data_dir: Path, wide: Path) -> None:
        self.pristine, self.data_dir, self.wide = pristine, data_dir, wide

    def items(self, **settings: Any) -> list[tuple[Tensor, str]]:
        """Return the items of a picture that is wider than high, with tags as its caption."""
        config = DatasetConfig(**settings)
        dataset = make_dataset(data_dir=self.wide, resolution=64, config=config)
        return [dataset[i] for i in range(len(dataset))]

    def adapted(self, **settings: Any) -> tuple[StableDiffusionPipeline, nn.Module]:
        """Return a copy of the base with an adapter."""
        torch.manual_seed(0)
        pipeline = copy_pipeline(self.pristine)
        return pipeline, make_lora(pipeline, LoraConfig(**{"rank": 2, **settings}))

    def trained(self, lora: dict[str, Any] | None = None, **settings: Any) -> Trained:
        """Train from the same start; B is not zero, so that A moves in the first step too."""
        pipeline, adapter = self.adapted(**(lora or {}))
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.add_(torch.full_like(parameter, 0.01))
        before = {name: value.detach().clone() for name, value in adapter.named_parameters()}
        calls, dtypes, seen, texts = 0, set(), [], []

        def watch(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen.append(args[0].detach())
            texts.append(kwargs["encoder_hidden_states"].detach())

        def count(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> None:
            nonlocal calls
            calls += 1
            dtypes.add(output.dtype)

        pipeline.unet.register_forward_pre_hook(watch, with_kwargs=True)
        pipeline.unet.up_blocks[-1].resnets[-1].conv1.register_forward_hook(count)
        config = TrainConfig(**{**PLAIN, **settings})
        data = open_dataset(make_dataset, self.data_dir)
        losses = train(pipeline, data, adapter, config, Steps()).losses
        moved = {name: value.detach() - before[name] for name, value in adapter.named_parameters()}
        return Trained(moved, losses, calls, dtypes, seen, texts)

    def drawn(self, **settings: Any) -> list[np.ndarray]:
        """Draw two pictures with an adapter that does something."""
        pipeline, adapter = self.adapted()
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.add_(torch.full_like(parameter, 0.05))
        config = GenerateConfig(**{**SMALL, **settings})
        return [np.asarray(one) for one in generate(pipeline, adapter, ["a", "b"], config)]


@pytest.fixture
def bench(_pristine: StableDiffusionPipeline, data_dir: Path, tmp_path: Path) -> Bench:
    (tmp_path / "Images").mkdir()
    (tmp_path / "ImageCaptions").mkdir()
    ramp = np.linspace(0, 255, 128, dtype=np.uint8)
    Image.fromarray(np.tile(ramp, (64, 1))).convert("RGB").save(tmp_path / "Images" / "a.png")
    (tmp_path / "ImageCaptions" / "a.txt").write_text(TAGS, encoding="utf-8")
    return Bench(_pristine, data_dir, tmp_path)


def size_of(trained: Trained, part: str = "") -> float:
    """Return the length of the whole update of a part of the adapter."""
    squares = [float(d.double().square().sum()) for n, d in trained.moved.items() if part in n]
    assert squares, part
    return sum(squares) ** 0.5


def near(one: Trained, other: Trained, tolerance: float) -> bool:
    """Tell whether two trainings ended in the same place."""
    apart = sum(float((one.moved[n] - other.moved[n]).norm()) ** 2 for n in one.moved) ** 0.5
    return apart < tolerance * size_of(one)


# --- DatasetConfig ------------------------------------------------------------------------------


def repeats(bench: Bench) -> None:
    (only,), three = bench.items(), bench.items(repeats=3)
    assert [caption for _, caption in three] == [only[1]] * 3
    assert all(torch.equal(pixel_values, only[0]) for pixel_values, _ in three)


def flip(bench: Bench) -> None:
    (only,), two = bench.items(), bench.items(flip=True)
    assert len(two) == 2
    assert sum(torch.equal(one, only[0].flip(-1)) for one, _ in two) == 1


def shuffle_captions(bench: Bench) -> None:
    orders = {caption for _, caption in bench.items(shuffle_captions=True, repeats=8)}
    assert len(orders) > 1
    assert {frozenset(order.split(", ")) for order in orders} == {frozenset(TAGS.split(", "))}


def keep_tokens(bench: Bench) -> None:
    kept = [c for _, c in bench.items(shuffle_captions=True, repeats=8, keep_tokens=2)]
    assert {tuple(c.split(", ")[:2]) for c in kept} == {tuple(TAGS.split(", ")[:2])}
    free = [c for _, c in bench.items(shuffle_captions=True, repeats=8)]
    assert len({tuple(c.split(", ")[:2]) for c in free}) > 1


def trigger_word(bench: Bench) -> None:
    assert [c for _, c in bench.items(trigger_word="sks")] == [f"sks, {TAGS}"]


def buckets(bench: Bench) -> None:
    assert bench.items()[0][0].shape == (3, 64, 64)
    height, width = bench.items(buckets=True)[0][0].shape[1:]
    assert width > 1.5 * height


def dataset_seed(bench: Bench) -> None:
    orders = [
        [c for _, c in bench.items(shuffle_captions=True, repeats=8, seed=seed)]
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


# --- LoraConfig ---------------------------------------------------------------------------------


def method(bench: Bench) -> None:
    _, adapter = bench.adapted(method="LoHa")
    assert any("hada" in name for name, _ in adapter.named_parameters())


def options(bench: Bench) -> None:
    def numbers(**options: Any) -> int:
        _, adapter = bench.adapted(method="LoKr", options=options)
        return sum(parameter.numel() for parameter in adapter.parameters())

    assert numbers() != numbers(decompose_factor=2)


def rank(bench: Bench) -> None:
    _, adapter = bench.adapted(rank=3)
    assert {layer.lora_A.shape[0] for layer in lora_layers(adapter)} == {3}


def alpha(bench: Bench) -> None:
    for given, wanted in ((None, 1.0), (1, 0.25), (8, 2.0)):
        _, adapter = bench.adapted(rank=4, alpha=given)
        assert {layer.scale for layer in lora_layers(adapter)} == {wanted}


def dropout(bench: Bench) -> None:
    plain, hidden = (bench.trained({"dropout": share}) for share in (0.0, 0.5))
    assert not near(plain, hidden, 0.05)


def target_modules(bench: Bench) -> None:
    _, adapter = bench.adapted(target_modules=("attn2.to_q",))
    names = [layer.layer_name for layer in lora_layers(adapter)]
    assert names
    assert all(name.endswith("attn2.to_q") for name in names)


def train_text_encoder(bench: Bench) -> None:
    def parts(**settings: Any) -> set[str]:
        layers = lora_layers(bench.adapted(**settings)[1])
        return {layer.layer_name.partition(".")[0] for layer in layers}

    assert parts() == {"unet"}
    assert parts(train_text_encoder=True) == {"unet", "text_encoder"}


# --- TrainConfig --------------------------------------------------------------------------------


def learning_rate(bench: Bench) -> None:
    slow, fast = (bench.trained(learning_rate=rate) for rate in (1e-3, 2e-3))
    assert size_of(fast) == pytest.approx(2 * size_of(slow), rel=1e-3)


def text_encoder_learning_rate(bench: Bench) -> None:
    both = {"train_text_encoder": True}
    same = bench.trained(both)
    slow = bench.trained(both, text_encoder_learning_rate=1e-3)
    assert size_of(slow, "text_encoder") == pytest.approx(0.1 * size_of(same, "text_encoder"), 1e-2)
    assert size_of(slow, "unet") == pytest.approx(size_of(same, "unet"), rel=1e-3)


def weight_decay(bench: Bench) -> None:
    plain, pulled = (bench.trained(weight_decay=decay) for decay in (0.0, 10.0))
    # AdamW takes learning_rate * weight_decay = 10 % of each weight away.
    name = next(name for name in plain.moved if name.endswith("lora_A"))
    _, adapter = bench.adapted()
    start = dict(adapter.named_parameters())[name].detach() + 0.01
    taken = plain.moved[name] - pulled.moved[name]
    assert torch.allclose(taken, 0.1 * start, rtol=1e-3, atol=1e-6)


def max_grad_norm(bench: Bench) -> None:
    # AdamW divides the length of gradients out again, until they are as small as its epsilon.
    free, clipped = (bench.trained(max_grad_norm=norm) for norm in (1.0, 1e-7))
    assert size_of(clipped) < 0.5 * size_of(free)


def optimizer(bench: Bench) -> None:
    plain, other = bench.trained(steps=3), bench.trained(steps=3, optimizer="adafactor")
    assert not near(plain, other, 0.05)


def lr_schedule(bench: Bench) -> None:
    rates = {
        name: [
            optimizers.lr_factor(step, TrainConfig(steps=8, lr_schedule=name)) for step in (1, 4, 8)
        ]
        for name in ("constant", "linear", "cosine")
    }
    assert rates["constant"] == [1, 1, 1]
    assert rates["linear"][0] > rates["linear"][1] > rates["linear"][2]
    assert rates["cosine"][0] > rates["cosine"][1] > rates["cosine"][2]
    assert rates["cosine"] != rates["linear"]
    assert size_of(bench.trained(steps=3, lr_schedule="linear")) < size_of(bench.trained(steps=3))


def lr_warmup_steps(bench: Bench) -> None:
    full, first = bench.trained(), bench.trained(lr_warmup_steps=4)
    assert size_of(first) < 0.5 * size_of(full)


def caption_dropout(bench: Bench) -> None:
    kept, dropped = (bench.trained(caption_dropout=share).texts[0] for share in (0.0, 1.0))
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(dropped[0], dropped[1])  # the empty caption, twice


def min_snr_gamma(bench: Bench) -> None:
    plain, weighted = (bench.trained(min_snr_gamma=g, batch_size=8) for g in (None, 0.5))
    assert weighted.losses[0] < plain.losses[0]
    assert torch.equal(weighted.seen[0], plain.seen[0])


def noise_offset(bench: Bench) -> None:
    plain, shifted = (bench.trained(noise_offset=offset).seen[0] for offset in (0.0, 1.0))
    difference = shifted - plain  # (B, 4, h, w)
    assert difference.abs().max() > 0.1
    assert torch.allclose(difference, difference.mean((2, 3), keepdim=True), atol=1e-5)


def steps(bench: Bench) -> None:
    assert [len(bench.trained(steps=number).losses) for number in (1, 3)] == [1, 3]


def batch_size(bench: Bench) -> None:
    assert [len(bench.trained(batch_size=size).seen[0]) for size in (1, 3)] == [1, 3]


def train_seed(bench: Bench) -> None:
    one, again, other = (bench.trained(seed=seed).seen[0] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def gradient_accumulation_steps(bench: Bench) -> None:
    whole, parts = (bench.trained(gradient_accumulation_steps=n) for n in (1, 2))
    assert [len(seen) for seen in parts.seen] == [1, 1]
    assert [len(seen) for seen in whole.seen] == [2]
    assert near(whole, parts, 1e-2)


def mixed_precision(bench: Bench) -> None:
    plain, half = (bench.trained(mixed_precision=name) for name in ("no", "bf16"))
    assert (plain.dtypes, half.dtypes) == ({torch.float32}, {torch.bfloat16})


def gradient_checkpointing(bench: Bench) -> None:
    kept, again = (bench.trained(gradient_checkpointing=on) for on in (False, True))
    assert (kept.calls, again.calls) == (1, 2)
    assert near(kept, again, 1e-3)


def fast_layers(bench: Bench) -> None:
    from toolkit.fast_layers.linear import LoRALinear

    used = []
    original = LoRALinear.apply
    LoRALinear.apply = lambda *args: used.append(1) or original(*args)  # type: ignore[method-assign]
    try:
        off = bench.trained()
        assert not used
        fast = bench.trained(fast_layers="lora")
    finally:
        del LoRALinear.apply
    assert used
    assert near(off, fast, 1e-2)


# --- GenerateConfig -----------------------------------------------------------------------------


def num_inference_steps(bench: Bench) -> None:
    assert not np.array_equal(bench.drawn()[0], bench.drawn(num_inference_steps=4)[0])


def guidance_scale(bench: Bench) -> None:
    assert not np.array_equal(bench.drawn()[0], bench.drawn(guidance_scale=9.0)[0])


def negative_prompt(bench: Bench) -> None:
    assert not np.array_equal(bench.drawn()[0], bench.drawn(negative_prompt="a cat")[0])


def lora_scale(bench: Bench) -> None:
    pipeline = copy_pipeline(bench.pristine)
    config = GenerateConfig(**SMALL)
    base = [np.asarray(p) for p in generate(pipeline, nn.Module(), ["a", "b"], config)]
    assert np.array_equal(bench.drawn(lora_scale=0.0)[1], base[1])
    assert not np.array_equal(bench.drawn()[1], base[1])


def scheduler(bench: Bench) -> None:
    drawn = [bench.drawn(scheduler=name)[0] for name in (None, "pndm", "ddim", "euler_a")]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[2], drawn[3])


def height(bench: Bench) -> None:
    assert bench.drawn(height=48)[0].shape == (48, 32, 3)


def width(bench: Bench) -> None:
    assert bench.drawn(width=48)[0].shape == (32, 48, 3)


def generate_seed(bench: Bench) -> None:
    first, later = bench.drawn(seed=4), bench.drawn(seed=5)
    assert not np.array_equal(first[0], later[0])


RECORDS = {
    "dataset": DatasetConfig,
    "lora": LoraConfig,
    "train": TrainConfig,
    "generate": GenerateConfig,
}
FIELDS = [(table, field) for table, record in RECORDS.items() for field in record.model_fields]


# diffusers 0.42 hands numpy 2 a tensor in the sampler euler_a.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("table", "field"), FIELDS)
def test_a_setting_does_what_it_says(table: str, field: str, bench: Bench) -> None:
    effect: Callable[[Bench], None] | None = globals().get(f"{table}_{field}", globals().get(field))
    assert effect is not None, f"Write what {table}.{field} promises as a function of this file."
    effect(bench)


def test_every_table_of_settings_is_here() -> None:
    assert set(Settings.model_fields) == set(RECORDS)
