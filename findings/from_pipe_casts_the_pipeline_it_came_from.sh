#!/usr/bin/env bash
# Making an image-to-image pipeline from a half-precision one turns the first into float32.
#
# Versions: diffusers 0.42.1, torch 2.13.0
# Guess:    from_pipe() shares the models and leaves the pipeline that it was given as it was; the
#           new one has its precision. AutoPipelineForImage2Image.from_pipe does exactly that.
# Seen:     StableDiffusionImg2ImgPipeline.from_pipe(pipe) without a dtype casts the shared models
#           to float32, so `pipe` is float32 afterwards, with twice the memory for weights. The log
#           has a line about casting with dtype=pipe.dtype just as well. No warning.
# Matters:  a preview by image-to-image in the middle of a bfloat16 run: from then on training runs
#           in float32, slower and in twice the memory. Pass dtype=pipe.dtype.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import (
    AutoencoderKL,
    AutoPipelineForImage2Image,
    DDIMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)


def pipeline():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, sample_size=8)
    # The text encoder is left out to be small; from_pipe treats all models alike.
    pipe = StableDiffusionPipeline(
        vae=vae, text_encoder=None, tokenizer=None, unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )
    return pipe.to(dtype=torch.bfloat16)


def bytes_of(pipe):
    return sum(weight.nbytes for weight in pipe.unet.parameters())


ways = {
    "AutoPipelineForImage2Image.from_pipe(pipe)": AutoPipelineForImage2Image.from_pipe,
    "StableDiffusionImg2ImgPipeline.from_pipe(pipe)": StableDiffusionImg2ImgPipeline.from_pipe,
    "StableDiffusionImg2ImgPipeline.from_pipe(pipe, dtype=pipe.dtype)": (
        lambda pipe: StableDiffusionImg2ImgPipeline.from_pipe(pipe, dtype=pipe.dtype)
    ),
}
seen = []
for name, way in ways.items():
    pipe = pipeline()
    before = bytes_of(pipe)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = way(pipe)
    assert other.unet is pipe.unet
    seen.append((pipe.unet.dtype, pipe.vae.dtype, bytes_of(pipe) / before))
    print(f"{name}: pipe.unet is {pipe.unet.dtype}, {bytes_of(pipe) / before:.0f} times the bytes")
half, full = torch.bfloat16, torch.float32
assert seen == [(half, half, 1.0), (full, full, 2.0), (half, half, 1.0)], seen
EOF
