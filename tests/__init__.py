"""The tests mirror the tree; names are sentences."""
