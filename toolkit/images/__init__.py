"""Picture files: headers, limits, likeness, sheets. No sets of pictures: ``picture_sets``."""
