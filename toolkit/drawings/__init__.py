"""How a picture was made: written into each PNG, read back, and grids of pictures.

    metadata.py  the text in a PNG: A1111's `parameters`, and everything needed to draw it again
    loras.py     LoRA files with weights, added to a base before drawing
    grid.py      all pictures of a call on one sheet, with captions

Metadata and grid need no torch.
"""
