"""The correctness gate: is what a contribution trains really a LoRA of Stable Diffusion?

Most faults of training code raise no error: the adapter is attached but never called, the base
trains too, captions never reach the model. Each *probe* (``probes/``) proves one such property;
it reads what an *experiment* (``experiments/``) saw while the contribution's own hooks ran on
tiny real models.
"""
