#!/usr/bin/env bash
# Loading a UNet-only LoRA second leaves the first LoRA at work in the text encoder.
#
# Versions: diffusers 0.42.1, transformers 5.23.0, peft 0.21.2, torch 2.13.0
# Guess:    after load_lora_weights("a") and load_lora_weights("b"), either both are active, or the
#           last one is.
# Seen:     the UNet runs "b", the text encoder still runs "a": "b" has no text-encoder part, so
#           nothing switches there. get_active_adapters() answers ["a"], the state of the text
#           encoder, though the UNet does not use "a" at all.
# Matters:  most SDXL files and many SD 1.x files are UNet-only. The second LoRA is drawn with the
#           first one's wording in it, and the function that one would ask says the opposite of what
#           the UNet does. set_adapters("b") repairs it.
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
)).eval()
vae = AutoencoderKL(block_out_channels=(4,), norm_num_groups=4)
pipe = StableDiffusionPipeline(
    unet=unet, text_encoder=text_encoder, vae=vae, tokenizer=None, safety_checker=None, feature_extractor=None,
    scheduler=DDIMScheduler(clip_sample=False, steps_offset=1), requires_safety_checker=False,
)


def encode():
    with torch.no_grad():
        return text_encoder(torch.arange(8)[None]).last_hidden_state


base = encode()
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q"]))
text_encoder.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
for name, weight in text_encoder.named_parameters():
    if "lora_B" in name:
        weight.data.normal_()
for name, more in (("a", {"text_encoder_lora_layers": get_peft_model_state_dict(text_encoder)}), ("b", {})):
    pipe.save_lora_weights(
        os.environ["WORK"], unet_lora_layers=get_peft_model_state_dict(unet), weight_name=f"{name}.safetensors", **more
    )
pipe.unload_lora_weights()
for name in ("a", "b"):
    pipe.load_lora_weights(os.environ["WORK"], weight_name=f"{name}.safetensors", adapter_name=name)
    if name == "a":
        with_a = encode()
assert not torch.equal(with_a, base)
print("get_active_adapters:", pipe.get_active_adapters())
print("UNet:", unet.active_adapters(), "- text encoder:", text_encoder.active_adapters())
print("text encoder's output is that with a:", torch.equal(encode(), with_a))
assert pipe.get_active_adapters() == ["a"]
assert unet.active_adapters() == ["b"] and text_encoder.active_adapters() == ["a"]
assert torch.equal(encode(), with_a)
pipe.set_adapters("b")
assert torch.equal(encode(), base)
EOF
