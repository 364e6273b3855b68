"""One training step: the floor, the text of src/ as it is written, and its fast forms.

The floor is what people would write by hand: PEFT's LoRA in the same layers, AdamW as it comes,
latents, captions and noise computed beforehand, no loader. Below it is the arithmetic floor: the
U-Net forward, twice, without autograd. The forms take turns, step by step, and each ratio is of
processor times taken next to each other. Writes results/training_step.json, a case at a time.

    python -m benchmarks.training_step                  # the embedded base
    python -m benchmarks.training_step --sd14 --px 256  # SD 1.4's size, random weights
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn import functional as F

from benchmarks.page import ARITHMETIC, FLOOR, RESULTS, read, record
from benchmarks.processes import cpu_seconds, in_turns
from harness import paths
from harness.protocol.machine import describe_machine
from src.lora import add_lora, apply_lora_to_model, lora_layers
from toolkit.fast_layers import fast_layers

FORMS = (FLOOR, "src, plain", "src, fast lora", "src, fast all", ARITHMETIC)
RANK, LEARNING_RATE = 4, 1e-4
TARGETS = ("attention+mlp",)

Step = Callable[[], None]


def main() -> None:
    """Measure, add to the results, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sd14", action="store_true", help="at Stable Diffusion 1.4's size")
    parser.add_argument("--px", type=int, default=64, help="edge of the pictures")
    parser.add_argument("--batch-size", type=int, action="append", help="may be repeated")
    parser.add_argument("--rounds", type=int, help="steps of each form that count")
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = "sd14" if options.sd14 else "tiny-sd"
    rounds = options.rounds or (4 if options.sd14 else 40)
    warm_up = 1 if options.sd14 else 3
    known = read("training_step") if (RESULTS / "training_step.json").is_file() else {"cases": {}}
    machine = describe_machine(1, "none").model_dump()
    for batch in options.batch_size or ([1] if options.sd14 else [1, 4, 8]):
        case = measure(base, options.px, batch, rounds, warm_up)
        name = f"{base}, {options.px} px, batch {batch}"
        known["cases"][name] = {"forms": case, "rounds": rounds, "machine": machine}
        print(json.dumps(case, indent=1), flush=True)
    known["note"] = "seconds: median processor time of a step; ratio: median and quartiles of the "
    known["note"] += "ratios to the floor's step of the same round; one thread"
    record("training_step", known)


def measure(
    base: str, px: int, batch: int, rounds: int, warm_up: int
) -> dict[str, dict[str, float]]:
    """Return, for each form, seconds per step and its ratio to the floor."""
    frozen = load_unet(base)
    with ExitStack() as stack:
        steps = {form: prepare(form, frozen, px, batch, stack) for form in FORMS}
        ways = {form: partial(cpu_seconds, step) for form, step in steps.items()}
        seconds = in_turns(ways, rounds, warm_up)
    return {form: summary(seconds[form], seconds[FLOOR]) for form in FORMS}


def load_unet(base: str) -> UNet2DConditionModel:
    """Return the embedded base's U-Net, or one of SD 1.4's size with random weights, frozen."""
    if base == "tiny-sd":
        unet = UNet2DConditionModel.from_pretrained(paths.ROOT / "models" / "tiny-sd" / "unet")
    else:
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    frozen: UNet2DConditionModel = unet.requires_grad_(False)
    return frozen


def prepare(form: str, frozen: UNet2DConditionModel, px: int, batch: int, stack: ExitStack) -> Step:
    """Return a function that makes one step in a form. All forms share the frozen weights."""
    unet = copy.deepcopy(frozen, {id(p): p for p in frozen.parameters()})
    torch.manual_seed(1)
    noisy_latents, noise = torch.randn(2, batch, 4, px // 8, px // 8)  # (B, 4, h, w) each
    timesteps = torch.randint(1000, (batch,))  # (B,)
    states = torch.randn(batch, 77, unet.config.cross_attention_dim)  # (B, S, D)

    @torch.no_grad()
    def forward_twice() -> None:
        for _ in range(2):
            unet(noisy_latents, timesteps, encoder_hidden_states=states)

    if form == ARITHMETIC:
        return forward_twice
    torch.manual_seed(0)
    if form == FLOOR:
        attach_peft(unet, frozen)
    else:
        apply_lora_to_model(unet, RANK, RANK, TARGETS)
    if form.startswith("src, fast"):
        packed = form.endswith("all")
        stack.enter_context(fast_layers(unet, add_lora, pack_convolutions=packed))
    trained = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, fused=None if form == FLOOR else True)
    unet.train()

    def step() -> None:
        optimizer.zero_grad()
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states=states).sample
        F.mse_loss(noise_pred, noise).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    return step


def attach_peft(unet: UNet2DConditionModel, frozen: UNet2DConditionModel) -> None:
    """Put PEFT's LoRA beside the layers that src/ would choose."""
    from peft import LoraConfig, inject_adapter_in_model

    probe = copy.deepcopy(frozen, {id(p): p for p in frozen.parameters()})
    apply_lora_to_model(probe, RANK, RANK, TARGETS)
    names = [lora.layer_name for lora in lora_layers(probe)]
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=names), unet)


def summary(seconds: list[float], floor: list[float]) -> dict[str, float]:
    """Return medians and the quartiles of the ratios, rounded."""
    ratios = [own / one for own, one in zip(seconds, floor, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "seconds": round(statistics.median(seconds), 4),
        "ratio": round(middle, 3),
        "ratio_low": round(low, 3),
        "ratio_high": round(high, 3),
    }


if __name__ == "__main__":
    main()
