#!/usr/bin/env bash
# Unloading a textual inversion by its name removes one of its vectors and unfreezes all tokens.
#
# Versions: diffusers 0.42.1, transformers 5.23.0, torch 2.13.0
# Guess:    unload_textual_inversion("<cat>") undoes load_textual_inversion: tokenizer and text
#           encoder are as they were.
# Seen:     of an embedding with three vectors two stay, in the tokenizer and in the table of token
#           embeddings, and "<cat>" can neither be loaded again (an error: already there) nor
#           unloaded (an error: not there). The table itself is a new one whose weights require
#           gradients, though the text encoder was frozen. Unloading without names removes all
#           vectors, and unfreezes the table as well. The unloading says nothing.
# Matters:  embeddings usually have more than one vector. And a user who previews an embedding
#           before making an optimizer from all trainable weights trains all tokens of CLIP along
#           with the LoRA. Unload without names, and freeze again.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import json
import os
import warnings

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

# A tokenizer that knows only single letters.
letters = [chr(code) for code in range(33, 127)]
words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
files = [os.path.join(os.environ["WORK"], name) for name in ("vocab.json", "merges.txt")]
with open(files[0], "w", encoding="utf-8") as file:
    json.dump({word: number for number, word in enumerate(words)}, file)
with open(files[1], "w", encoding="utf-8") as file:
    file.write("#version: 0.2\n")


def pipeline():
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1,
    )
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8,), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D",), up_block_types=("CrossAttnUpBlock2D",),
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, sample_size=8),
        text_encoder=CLIPTextModel(config).requires_grad_(False), tokenizer=CLIPTokenizer(*files),
        unet=unet, scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )


def outcome(use):
    try:
        use()
    except ValueError:
        return "error"
    return "done"


def state(pipe):
    table = pipe.text_encoder.get_input_embeddings().weight
    added = [token for token in pipe.tokenizer.added_tokens_encoder if token not in words]
    return len(table) - len(words), added, table.requires_grad


cat = {"<cat>": torch.ones(3, 16)}
with warnings.catch_warnings():
    warnings.simplefilter("error")
    by_name, all_of_them = pipeline(), pipeline()
    for pipe in (by_name, all_of_them):
        pipe.load_textual_inversion(cat)
        loaded = state(pipe)
    by_name.unload_textual_inversion("<cat>")
    all_of_them.unload_textual_inversion()
again = (
    outcome(lambda: by_name.load_textual_inversion(cat)),
    outcome(lambda: by_name.unload_textual_inversion("<cat>")),
)
print("rows added, names added, trainable:")
print(f"loaded:                  {loaded}")
print(f"unloaded by its name:    {state(by_name)}; loading and unloading again: {again}")
print(f"unloaded without a name: {state(all_of_them)}")
assert loaded == (3, ["<cat>", "<cat>_1", "<cat>_2"], False)
assert state(by_name) == (2, ["<cat>_1", "<cat>_2"], True) and again == ("error", "error")
assert state(all_of_them) == (0, [], True)
EOF
