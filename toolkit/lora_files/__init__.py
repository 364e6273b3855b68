"""Read, write and change LoRA files from any trainer.

    python -m toolkit.lora_files inspect | convert | merge | extract | resize

Each file of this package holds one idea:

    layout.py    the layers of SD 1.x's U-Net and text encoder, by name and shape
    ldm.py       the same layers under their original names (latent diffusion's)
    names.py     which layer a key of a file means, and the other way round
    programs.py  which keys ComfyUI and A1111 know
    in_diffusers.py    what diffusers does with a file: load, raise, or go on without it
    families.py  which base model a LoRA was made for, by its widths
    header.py    a safetensors file's header, checked before a tensor is touched
    memory.py    a LoRA in memory: the one form that all formats are read into
    configs.py   PEFT's configuration: where alpha is kept outside the tensors
    read.py      kohya, diffusers or PEFT -> memory
    metadata.py  what a file says about itself, and its hashes
    training.py  what a training of the hub adds to that
    adapters.py  a trained adapter -> memory, and back
    write.py     memory -> kohya, diffusers or PEFT
    shared.py    tensors that several names share, written once
    factors.py   low-rank factors and singular values
    weights.py   whole models, tensor by tensor
    merge.py, extract.py, resize.py, report.py    the operations; render.py prints
    arguments.py, cli.py    the command line

Importing the package imports nothing heavy: names, layouts and headers need no torch.
"""
