"""How a picture was made: written into each PNG, read back, and grids of pictures.

    metadata.py  the text in a PNG: A1111's `parameters`, and everything needed to draw it again
    loras.py     LoRA files with weights, added to a base before drawing
    prompts.py   what drawing will not do with a prompt
    sampling.py  the sampler asked for, for the time of a block
    cli.py       the command line of `python -m src.generate`
    grid.py      all pictures of a call on one sheet, with captions

Metadata, grid and the options of cli need no torch.
"""
