"""The photograph track's pictures, rendered: one mug on many papers, and its rivals."""
