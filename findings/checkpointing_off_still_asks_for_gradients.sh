#!/usr/bin/env bash
# A text encoder whose activation checkpointing was switched off again goes on recording gradients.
#
# Versions: transformers 5.23.0, torch 2.13.0
# Guess:    activation_checkpointing_disable() undoes activation_checkpointing_enable().
# Seen:     enabling also puts a hook on the token embeddings that makes their output ask for
#           gradients, also with use_reentrant=False, which does not need it. Disabling leaves the
#           hook. A frozen encoder then answers with a tensor that requires a gradient, and every
#           step keeps its activations and goes back through it, for no parameter at all.
#           disable_input_require_grads() takes the hook away, unless checkpointing was enabled
#           twice: then the first hook stays for good. No warning.
# Matters:  scripts that train U-Net and text encoder for some epochs and freeze the encoder later
#           keep paying for it in time and memory, and caching its output with .numpy() fails. Call
#           disable_input_require_grads() right after each enable.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 transformers==5.23.0 numpy==2.4.6
"$PYTHON" -W error - <<'EOF'
import torch
from transformers import CLIPTextConfig, CLIPTextModel

torch.manual_seed(0)
ids = torch.randint(0, 90, (2, 12))


def frozen():
    config = CLIPTextConfig(
        vocab_size=99, hidden_size=16, intermediate_size=32, num_hidden_layers=3,
        num_attention_heads=2, max_position_embeddings=12, bos_token_id=97, eos_token_id=98,
    )
    return CLIPTextModel(config).requires_grad_(False)


def recorded(model):
    """Number of operations that backward would go through."""
    start = model(ids).last_hidden_state.grad_fn
    seen, left = set(), [start] if start else []
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            left += [one for one, _ in node.next_functions if one is not None]
    return len(seen)


def hooks(model):
    return len(model.get_input_embeddings()._forward_hooks)


model = frozen()
before = recorded(model)
model.activation_checkpointing_enable({"use_reentrant": False})
model.activation_checkpointing_disable()
after = recorded(model)
print(f"operations recorded by a frozen encoder: {before} before, {after} after on and off")
assert before == 0 and after > 50 and hooks(model) == 1
model.disable_input_require_grads()
assert recorded(model) == 0

twice = frozen()
for _ in range(2):
    twice.activation_checkpointing_enable({"use_reentrant": False})
    twice.activation_checkpointing_disable()
twice.disable_input_require_grads()
twice.disable_input_require_grads()
print(f"enabled twice, hooks left that nothing takes away: {hooks(twice)}")
assert hooks(twice) == 1 and recorded(twice) > 50
EOF
