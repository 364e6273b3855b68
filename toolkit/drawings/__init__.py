"""Pictures and what made them: written into each PNG, read back, laid out in a grid.

    metadata.py  the text in a PNG: A1111's `parameters`, and everything needed to draw it again
    loras.py     LoRA files with weights, added to a base before drawing
    grid.py      all pictures of a call on one sheet, with captions

Metadata and grid need no torch.
"""
