#!/usr/bin/env bash
# Taking one batch from a one-batch validation loader switches gradient accumulation off until the
# epoch ends.
#
# Versions: accelerate 1.15.0, torch 2.13.0
# Guess:    looking at a validation batch does not touch the training loop.
# Seen:     `next(iter(validation))`, or `for batch in validation: ... break`, in the middle of
#           training makes the validation loader "the active one", standing at its last batch, and
#           leaves it so. "Last batch" means "step now": every further training batch makes an
#           optimiser step. With two or more validation batches, or when the loop runs to its end,
#           all is well. No warning.
# Matters:  a fixed handful of prompts or pictures for previews is one batch. After the first
#           preview of each epoch the effective batch size is divided by the accumulation steps and
#           the rate schedule runs ahead.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 accelerate==1.15.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from accelerate import Accelerator

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=4)


def loader(batches):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(batches, 1)))


def train(batches, whole):
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    model, optimizer, data, validation = accelerator.prepare(model, optimizer, loader(16), loader(batches))
    epochs = []
    for epoch in range(2):
        epochs.append([])
        for number, (x,) in enumerate(data):
            with accelerator.accumulate(model):
                accelerator.backward(model(x).mean())
                before = model.weight.item()
                optimizer.step()
                epochs[-1].append(int(model.weight.item() != before))
                optimizer.zero_grad()
            if epoch == 0 and number == 3:
                for _ in validation:
                    if not whole:
                        break
    return epochs


usual = [0, 0, 0, 1] * 4
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for batches, whole, expected in (
        (1, True, usual), (3, False, usual), (1, False, [0, 0, 0] + [1] * 13),
    ):
        first, second = train(batches, whole)
        print(f"{batches} validation batch(es), {'all' if whole else 'the first'} taken:", first, second)
        assert first == expected, first
        assert second == usual, second
EOF
