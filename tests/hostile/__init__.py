"""Contributions that mean harm or are badly broken, run through the real worker on every layer."""
