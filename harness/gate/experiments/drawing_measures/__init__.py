"""Measure a drawing that was watched. See ``profile/drawing_properties.py``."""
