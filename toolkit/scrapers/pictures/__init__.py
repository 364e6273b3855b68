"""Examine a downloaded file before it becomes a training picture."""
