"""Random and damaged bytes for everything that reads a stranger's file."""
