#!/usr/bin/env bash
# A DyLoRA file acts at 1 / block_size of the trained strength, and not at all in a DyLoRA network.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    the file holds factors and alpha as any LoRA file does. Loaded, it acts as the network
#           did at full rank, and the same kind of network can train on from it.
# Seen:     training divides alpha by the number of blocks, the file is read as divided by the rank.
#           With block_size 4 a quarter of the change arrives, through create_lycoris_from_weights
#           as in every other reader. A DyLoRA network that is given the file with load_weights
#           keeps its own start, which does nothing: the names in the file are not those that it
#           looks for. No warning; the same calls bring back a LoRA whole.
# Matters:  the previews of the trainer show four times what the file does, and a training that is
#           resumed from its file starts from nothing. Use block_size=1, or multiply alpha in the
#           file by block_size.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 safetensors==0.8.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging
import os
import warnings

import torch

logging.disable(logging.INFO)
from lycoris import LycorisNetwork, create_lycoris, create_lycoris_from_weights
from safetensors.torch import save_file

LycorisNetwork.apply_preset({"target_module": ["Sequential"]})
FILE = os.path.join(os.environ["WORK"], "file.safetensors")
RANK = 8
x = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32))


def network(net, algo, block):
    return create_lycoris(
        net, 1.0, linear_dim=RANK, linear_alpha=RANK, algo=algo, block_size=block
    )


@torch.no_grad()
def strengths(algo, block):
    """Return what the file does, loaded alone and into its own network, relative to training."""
    net = model()
    base = net(x)
    adapter = network(net, algo, block)
    adapter.apply_to()
    torch.manual_seed(1)
    for weight in adapter.parameters():
        weight.data.normal_(std=0.3)
    # The last block is the one in training: all blocks before it take part.
    at_full_rank = {"rank": RANK - block} if algo == "dylora" else {}
    trained = x @ adapter.loras[0].get_diff_weight(1.0, **at_full_rank)[0].T
    save_file({name: value.contiguous() for name, value in adapter.state_dict().items()}, FILE)
    read = model()
    create_lycoris_from_weights(1.0, FILE, read)[0].merge_to(1.0)
    resumed = model()
    again = network(resumed, algo, block)
    again.load_weights(FILE)
    again.apply_to()
    return [
        round(float(((net(x) - base) * trained).sum() / trained.square().sum()), 3)
        for net in (read, resumed)
    ]


seen = {}
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for algo, block in (("lora", 1), ("dylora", 1), ("dylora", 4), ("dylora", 8)):
        seen[algo, block] = strengths(algo, block)
        print(
            f"{algo}, block_size {block}: the file acts at {seen[algo, block][0]}, "
            f"in a network of its own kind at {seen[algo, block][1]}"
        )
assert seen["lora", 1] == [1.0, 1.0]
assert [seen["dylora", block] for block in (1, 4, 8)] == [[1.0, 0.0], [0.25, 0.0], [0.125, 0.0]]
EOF
