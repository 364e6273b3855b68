#!/usr/bin/env bash
# Metrics that agree on the first batch are one metric from then on.
#
# Versions: torchmetrics 1.9.0, torch 2.13.0
# Guess:    a MetricCollection computes each of its metrics; sharing work between those that need
#           the same sums is a matter of speed.
# Seen:     the collection decides what to share by comparing numbers after the first update. SSIM
#           with a fine and with a coarse window both give 1 for two equal batches; if the first
#           update is such a pair, only one of the two is computed from then on, and both names show
#           its value. reset() does not undo it. With another first batch, or compute_groups=False,
#           both are right. No warning.
# Matters:  at step 0 a LoRA changes nothing, so "likeness to the base model's pictures" starts
#           with equal pictures in every run: the place where all such metrics agree. The whole
#           curve of one of them is then that of another.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from torchmetrics import MetricCollection
from torchmetrics.image import StructuralSimilarityIndexMeasure

torch.manual_seed(0)
base = torch.rand(2, 3, 32, 32)
step_0, step_100 = base.clone(), (base + 0.2 * torch.randn_like(base)).clamp(0, 1)


def after(first, **options):
    """Return the two values of step 100 when the collection saw `first` before."""
    metrics = MetricCollection(
        {
            "coarse": StructuralSimilarityIndexMeasure(data_range=1.0, sigma=3.0),
            "fine": StructuralSimilarityIndexMeasure(data_range=1.0, sigma=0.5),
        },
        **options,
    )
    metrics.update(first, base)
    metrics.reset()
    metrics.update(step_100, base)
    return {name: round(float(value), 4) for name, value in metrics.compute().items()}


with warnings.catch_warnings():
    warnings.simplefilter("error")
    shared = after(step_0)
    other = after(step_100)
    right = after(step_0, compute_groups=False)
print(f"first batch equal to the base: {shared}")
print(f"first batch different:         {other}")
print(f"compute_groups=False:          {right}")
assert other == right and right["coarse"] - right["fine"] > 0.03
assert shared["fine"] == shared["coarse"] == right["coarse"]
EOF
