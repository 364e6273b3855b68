"""The shortest honest program: PEFT's LoRA, everything encoded once, a loop, a file.

python benchmarks/programs/floor.py BASE PICTURES OUT STEPS BATCH
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

PX, RANK = 64, 4
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]


def main(base: Path, pictures: Path, out: Path, steps: int, batch: int) -> None:
    """Train and save."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_pretrained(base / "unet").requires_grad_(False)
    schedule = DDPMScheduler.from_pretrained(base / "scheduler")
    latents, states = encode(base, pictures)  # (N, 4, h, w), (N, S, D)
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS)
    inject_adapter_in_model(config, unet)
    trained = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    for step in range(steps):
        rows = torch.arange(step * batch, (step + 1) * batch) % len(latents)
        noise = torch.randn_like(latents[rows])
        timesteps = torch.randint(1000, (batch,))
        noisy = schedule.add_noise(latents[rows], noise, timesteps)
        noise_pred = unet(noisy, timesteps, encoder_hidden_states=states[rows]).sample
        F.mse_loss(noise_pred, noise).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    state = {name: p.contiguous() for name, p in get_peft_model_state_dict(unet).items()}
    save_file(state, out)


@torch.no_grad()
def encode(base: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return latents (N, 4, h, w) and ``encoder_hidden_states`` (N, S, D) of all pictures."""
    vae = AutoencoderKL.from_pretrained(base / "vae")
    tokenizer = CLIPTokenizer.from_pretrained(base / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(base / "text_encoder")
    latents, states = [], []
    for file in sorted((folder / "Images").iterdir()):
        picture = Image.open(file).convert("RGB").resize((PX, PX))
        pixel_values = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 127.5 - 1
        encoded = vae.encode(pixel_values[None]).latent_dist.sample()
        latents.append(encoded * vae.config.scaling_factor)
        caption = (folder / "ImageCaptions" / f"{file.stem}.txt").read_text(encoding="utf-8")
        length = tokenizer.model_max_length
        tokens = tokenizer(
            caption, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        states.append(text_encoder(tokens.input_ids)[0])
    return torch.cat(latents), torch.cat(states)


if __name__ == "__main__":
    _, base, pictures, out, steps, batch = sys.argv
    main(Path(base), Path(pictures), Path(out), int(steps), int(batch))
