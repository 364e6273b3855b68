"""Prompt weighting: "a sks robot on a (red:1.4) background" counts the word red more.

    row = empty + weight * (row - empty)        for each word's row of encoder_hidden_states

`empty` is the row that the empty prompt has in that place.
The rule is ComfyUI's (the README has the link).
"""

import re

import torch

from harness import hookimpl

WEIGHTED = re.compile(r"\(([^():]+):([0-9]*\.?[0-9]+)\)")  # (some words:1.3)


def fragments(prompt):
    """Return the prompt as (text, weight), in order: plain text has weight 1."""
    parts, end = [], 0
    for found in WEIGHTED.finditer(prompt):
        parts += [(prompt[end : found.start()], 1.0), (found[1], float(found[2]))]
        end = found.end()
    return [*parts, (prompt[end:], 1.0)]


def tokens_of(tokenizer, prompt):
    """Return token ids and their weights, both of the text encoder's length S."""
    ids, weights = [], []
    for text, weight in fragments(prompt):
        own = tokenizer(text, add_special_tokens=False).input_ids
        ids += own
        weights += [weight] * len(own)
    room = tokenizer.model_max_length - 2  # for the tokens that say "start" and "end"
    ids = [tokenizer.bos_token_id, *ids[:room], tokenizer.eos_token_id]
    weights = [1.0, *weights[:room], 1.0]
    missing = tokenizer.model_max_length - len(ids)
    return ids + [tokenizer.pad_token_id] * missing, weights + [1.0] * missing


def weighted_states(pipeline, prompts):
    """Return encoder_hidden_states (n, S, D) with the weights applied."""
    both = [tokens_of(pipeline.tokenizer, prompt) for prompt in ["", *prompts]]
    input_ids = torch.tensor([ids for ids, _ in both], device=pipeline.device)  # (n + 1, S)
    weights = torch.tensor([weights for _, weights in both[1:]], device=pipeline.device)  # (n, S)
    states = pipeline.text_encoder(input_ids)[0]  # (n + 1, S, D)
    empty, states = states[:1], states[1:]
    change = (weights - 1).unsqueeze(-1) * (states - empty)  # 0 where the weight is 1
    return states + change  # (n, S, D)


def set_lora_scale(adapter, lora_scale):
    # `adapter` may come from somebody else's make_lora: what counts is that it can be scaled.
    layers = [layer for layer in adapter.modules() if hasattr(layer, "lora_scale")]
    if not layers and lora_scale != 1:
        raise ValueError("No layer of this adapter has an attribute lora_scale; leave it at 1.")
    for layer in layers:
        layer.lora_scale = lora_scale


@hookimpl
def generate(pipeline, adapter, prompts, config):
    if config.scheduler is not None:
        raise ValueError("This draws with the base's own sampler only; leave scheduler out.")
    if not prompts:
        return []
    pipeline.unet.eval()
    pipeline.set_progress_bar_config(disable=True)
    shape = (pipeline.unet.config.in_channels, config.height // 8, config.width // 8)
    # A seed of its own for each picture, so that it does not depend on the others.
    seeds = [config.seed + i for i in range(len(prompts))]
    noise = [torch.randn(shape, generator=torch.Generator("cpu").manual_seed(s)) for s in seeds]

    set_lora_scale(adapter, config.lora_scale)
    with torch.inference_mode():
        result = pipeline(
            prompt_embeds=weighted_states(pipeline, prompts),
            negative_prompt_embeds=weighted_states(
                pipeline, [config.negative_prompt] * len(prompts)
            ),
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            height=config.height,
            width=config.width,
            latents=torch.stack(noise).to(pipeline.device),  # (pictures, 4, H/8, W/8)
        )
    set_lora_scale(adapter, 1.0)
    return result.images
