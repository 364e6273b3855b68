"""Measurements of the hub itself; the figures are committed in results/."""
