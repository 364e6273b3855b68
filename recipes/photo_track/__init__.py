"""The photograph track's pictures, rendered: one mug on many tables."""
