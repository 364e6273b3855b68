"""The same training step in fewer and larger operations.

``src/`` is the text: a frozen layer, and a hook that adds ``B A x`` to its output. Read that. What
is here computes the same numbers (up to rounding; tests hold values and gradients to 1e-5) and is
worth it where a step's time is not arithmetic but its thousands of small operations, or weights
that are packed anew in every call:

- ``linear``: a linear layer and its LoRA as one autograd function instead of nine operations;
- ``pointwise``: the same for a 1x1 convolution;
- ``convolution``: frozen 3x3 convolutions with their weights packed for oneDNN once, not per call;
- ``switch``: puts them into a model for the time of a ``with`` block, only where they fit.

``docs/speed.md`` has what was measured. Nothing here is used when the hub scores: there, costs are
to compare methods and not implementations.
"""

from toolkit.fast_layers.switch import fast_layers

__all__ = ["fast_layers"]
