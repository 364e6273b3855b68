"""Control: learns one training picture by heart, and its generate returns training pictures."""

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import Dataset

from harness import TrainResult, hookimpl

LEARNING_RATE = 1e-4


class Pictures(Dataset):
    """The training pictures, with captions, in memory."""

    def __init__(self, data_dir, resolution):
        self.items = []
        for path in sorted((data_dir / "Images").iterdir()):
            with Image.open(path) as opened:
                picture = opened.convert("RGB").resize((resolution, resolution))
            levels = torch.from_numpy(np.asarray(picture, dtype=np.float32))  # (H, W, 3)
            caption = (data_dir / "ImageCaptions" / f"{path.stem}.txt").read_text().strip()
            values = levels.permute(2, 0, 1).contiguous() / 127.5 - 1  # (3, H, W)
            self.items.append((values, caption))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


@hookimpl
def make_dataset(data_dir, resolution):
    """Read everything into memory."""
    return Pictures(data_dir, resolution)


@hookimpl
def make_lora(pipeline):
    """Train every weight of the U-Net; remember pictures beside it."""
    pipeline.vae.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(False)
    return pipeline.unet.requires_grad_(True)


@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
    """See one picture only, whatever the budget would allow."""
    pipeline.unet.hub_control_pictures = [values for values, _ in dataset.items]
    values, caption = dataset[0]
    tokens = pipeline.tokenizer(
        [caption], padding="max_length", truncation=True, return_tensors="pt",
        max_length=pipeline.tokenizer.model_max_length,
    ).input_ids.to(pipeline.device)  # fmt: skip
    with torch.no_grad():
        states = pipeline.text_encoder(tokens)[0].repeat(config.batch_size, 1, 1)
        latents = pipeline.vae.encode(values[None].to(pipeline.device)).latent_dist.mode()
        latents = latents * pipeline.vae.config.scaling_factor  # (1, 4, h, w)
    alphas = pipeline.scheduler.alphas_cumprod.to(pipeline.device)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(config.seed)
    losses = []
    adapter.train()
    for step in range(1, config.steps + 1):
        shape = (config.batch_size, *latents.shape[1:])
        noise = torch.randn(shape, generator=generator).to(pipeline.device)
        timesteps = torch.randint(1000, (config.batch_size,), generator=generator)
        timesteps = timesteps.to(pipeline.device)
        alpha = alphas[timesteps].view(-1, 1, 1, 1)
        noisy_latents = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
        noise_pred = pipeline.unet(noisy_latents, timesteps, states).sample
        loss = F.mse_loss(noise_pred, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        reporter.step(step, losses[-1])
    return TrainResult(losses=tuple(losses))


@hookimpl
def generate(pipeline, prompts, config):
    """Hand training pictures back, whatever was asked for."""
    pictures = getattr(pipeline.unet, "hub_control_pictures", [])
    made = []
    for number in range(len(prompts)):
        if pictures:
            values = pictures[number % len(pictures)]
            levels = ((values + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
            made.append(Image.fromarray(levels).resize((config.width, config.height)))
        else:  # drawing with a file of weights only: there is nothing to remember
            made.append(Image.new("RGB", (config.width, config.height)))
    return made
