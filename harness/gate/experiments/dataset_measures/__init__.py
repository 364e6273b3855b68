"""Measure what a data set makes of known pictures. See ``profile/dataset_properties.py``."""
