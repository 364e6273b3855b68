"""Measure an adapter that was moved by a known amount. See ``profile/adapter_properties.py``."""
