#!/usr/bin/env bash
# With use_seedable_sampler, an epoch left with `break` is followed by the very same order of
# pictures.
#
# Versions: accelerate 1.15.0, torch 2.13.0
# Guess:    each pass over a shuffled loader has a new order; the seedable sampler only makes the
#           orders repeatable.
# Seen:     the order depends on a counter that is raised only when a pass runs to its end. After a
#           `break` the next pass is the same again, for ever: with 6 of 8 pictures an epoch, two
#           pictures are never seen at all. Without the option, or with full passes, orders differ.
#           No warning.
# Matters:  "max_steps_per_epoch", time limits and validation every N steps are done by breaking
#           off. On a small set of pictures some of them silently do not take part in the training.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 accelerate==1.15.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration


def passes(seedable, limit):
    AcceleratorState._reset_state(True)
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(use_seedable_sampler=seedable)
    )
    torch.manual_seed(0)
    data = accelerator.prepare(
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(8)), shuffle=True)
    )
    orders = []
    for _ in range(5):
        order = []
        for (picture,) in data:
            order.append(int(picture))
            if len(order) == limit:
                break
        orders.append(tuple(order))
    return orders


with warnings.catch_warnings():
    warnings.simplefilter("error")
    for seedable, limit in ((False, 6), (True, 99), (True, 6)):
        orders = passes(seedable, limit)
        never = sorted(set(range(8)) - {picture for order in orders for picture in order})
        print(f"seedable {seedable}, {len(orders[0])} of 8: {len(set(orders))} different orders, never seen: {never}")
        if seedable and limit == 6:
            assert len(set(orders)) == 1 and len(never) == 2
        else:
            assert len(set(orders)) > 1 and not never
EOF
