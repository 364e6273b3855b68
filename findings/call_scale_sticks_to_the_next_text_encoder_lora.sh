#!/usr/bin/env bash
# The scale of one pipeline call weakens the text-encoder half of every LoRA loaded later.
#
# Versions: diffusers 0.42.1, transformers 5.23.0, peft 0.21.2, torch 2.13.0
# Guess:    cross_attention_kwargs={"scale": 0.5} holds for that call. A LoRA loaded later has
#           strength 1.
# Seen:     the pipeline remembers the 0.5. The next load_lora_weights puts the UNet half at 1.0 and
#           the text-encoder half at 0.5, for good. A call without scale in between does not help,
#           unload_lora_weights before it neither.
# Matters:  the same file with the same seed gives another picture depending on what was drawn
#           before it was loaded; in a long-running UI that is nearly always something.
#           set_adapters(name, 1.0) after each load repairs it.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import os

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextConfig, CLIPTextModel

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
    cross_attention_dim=16, attention_head_dim=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
).eval().requires_grad_(False)
text_encoder = CLIPTextModel(CLIPTextConfig(
    vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    max_position_embeddings=8,
))
vae = AutoencoderKL(block_out_channels=(4,), norm_num_groups=4)
pipe = StableDiffusionPipeline(
    unet=unet, text_encoder=text_encoder, vae=vae, tokenizer=None, safety_checker=None, feature_extractor=None,
    scheduler=DDIMScheduler(clip_sample=False, steps_offset=1), requires_safety_checker=False,
)
pipe.set_progress_bar_config(disable=True)
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q"]))
text_encoder.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["q_proj"]))
pipe.save_lora_weights(
    os.environ["WORK"], unet_lora_layers=get_peft_model_state_dict(unet),
    text_encoder_lora_layers=get_peft_model_state_dict(text_encoder),
)
pipe.unload_lora_weights()


def load():
    pipe.load_lora_weights(os.environ["WORK"], weight_name="pytorch_lora_weights.safetensors", adapter_name="mine")
    return [
        next(m.scaling["mine"] for m in model.modules() if hasattr(m, "lora_A")) for model in (unet, text_encoder)
    ]


def draw(**settings):
    text = torch.zeros(1, 8, 16)
    pipe(prompt_embeds=text, negative_prompt_embeds=text, num_inference_steps=1, height=8, width=8,
         output_type="latent", **settings)


first = load()
draw(cross_attention_kwargs={"scale": 0.5})
draw()
pipe.unload_lora_weights()
second = load()
print("UNet and text encoder, loaded first:", first)
print("loaded again after a call with scale 0.5 and one without:", second)
assert first == [1.0, 1.0], first
assert second == [1.0, 0.5], second
pipe.set_adapters("mine", 1.0)
assert next(m.scaling["mine"] for m in text_encoder.modules() if hasattr(m, "lora_A")) == 1.0
EOF
